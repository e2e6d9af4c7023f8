/*
 * Live values: what agents report every second and no row keeps, laid over what a reader gets.
 *
 * Member: status.lsn, status.lagBytes. Database: the same in status.members[]. Host:
 * status.lastHeard, status.memberCount.
 */
#ifndef SLIPWAY_API_LIVE_H
#define SLIPWAY_API_LIVE_H

#include "api/call.h"

/* Changes the object's status. */
void live_lay(struct api *a, const struct kind *k, json_t *object);

/* Is there anything live about an object with this text? Cheap, and may err towards yes. */
bool live_may_lay(const struct kind *k, struct str text);

#endif
