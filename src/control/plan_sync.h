/*
 * The synchronous set: rule 3 of high availability, and what follows from ANY 1 (...).
 *
 * status.syncSet (the row) with n members promises: every acknowledged commit is on at least one of
 * them, so the most advanced of all n holds all (rule 4: n-k+1 of n for ANY k (n), k is 1). With
 * one member that is rule 2. It holds because
 *   - the first member enters the row only when it has been seen to hold everything (rule 3);
 *   - whoever the primary may count (its names) is in the row before it may be counted, once the
 *     row is not empty; row and wish are one transaction, and an agent acts on what is committed;
 *   - to leave a row of two, the primary first stops counting the one that goes, and the others
 *     have been seen to hold everything since: then the row;
 *   - to leave a row of one, the row first (rule 3), then the primary.
 * One change of names is on its way at a time: a report of names speaks of the last wish.
 */
#ifndef SLIPWAY_CONTROL_PLAN_SYNC_H
#define SLIPWAY_CONTROL_PLAN_SYNC_H

#include "control/cluster.h"

enum { PLAN_SYNC_GRACE_MS = 5000 };

void plan_sync(struct cluster *c);

/* Would the primary miss it (it may wait for it, or be told so)? */
bool plan_sync_depends_on(const struct cluster *c, const struct cluster_member *m);

/* Has it left for longer than the grace? */
bool plan_sync_is_lost(const struct cluster *c, const struct cluster_member *m);

#endif
