/*
 * Reign: which member may be writable, and which ones hold every acknowledged commit.
 *
 * The only way that status.primary, status.epoch and status.syncSet of a Database change. What
 * comes of it is written guarded by the revision at which the old reign was read, so that of two
 * verdicts on the same epoch one fails. Pure.
 */
#ifndef SLIPWAY_CONTROL_REIGN_H
#define SLIPWAY_CONTROL_REIGN_H

#include "codec/jv.h"

struct reign {
	const char *primary; /* "": none yet */
	int64_t epoch; /* 0: none yet */
	const json_t *sync_set; /* array of names; borrowed */
};

struct reign reign_of(const json_t *database);

/* Allowed from the reign that the database has:
 *   the first one: epoch 1, an empty set;
 *   the same primary and epoch with another set (rule 3 is the caller's to keep: plan_sync);
 *   a verdict: epoch + 1, a primary out of the set that there was (rule 2).
 * Anything else is our own bug. Changes the database's status. */
void reign_change(json_t *database, const struct reign *to);

/* Has somebody changed it other than by reign_change? For asserting. */
bool reign_is_allowed(const struct reign *from, const struct reign *to);

#endif
