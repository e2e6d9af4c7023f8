/* A Database's status: members, conditions, each with a sentence in the words of who asked for it.
 */
#ifndef SLIPWAY_CONTROL_PLAN_STATUS_H
#define SLIPWAY_CONTROL_PLAN_STATUS_H

#include "control/cluster.h"

/* The last step: what the others did and found, said. */
void plan_status(struct cluster *c);

/* Of one that is being deleted, or would be if it were not protected. */
void plan_status_deleting(struct cluster *c, bool is_protected);

#endif
