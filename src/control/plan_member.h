/* Which members a Database has: placing new ones, letting go of those that it does not need. */
#ifndef SLIPWAY_CONTROL_PLAN_MEMBER_H
#define SLIPWAY_CONTROL_PLAN_MEMBER_H

#include "control/cluster.h"

/* The first step: members that are missing and can be placed are new ones in the cluster, those
 * that are too many are marked as unwanted. */
void plan_member_place(struct cluster *c);

/* After the synchronous set has been looked at: addresses of standbys and their upstream, and the
 * end of members that nothing depends on any more. */
void plan_member_connect(struct cluster *c);
void plan_member_remove(struct cluster *c);

/* Takes the finalizer off a member that is being deleted, if its agent has removed it or its Host
 * is gone: true, and the row goes. */
bool plan_member_release(struct outcome *out, const json_t *member, bool has_host);

#endif
