/*
 * Replication: what a primary does for its standbys, over a session with it.
 *
 * Blocking: runs in a job.
 */
#ifndef SLIPWAY_AGENT_REPLICATION_H
#define SLIPWAY_AGENT_REPLICATION_H

#include "agent/job.h"
#include "agent/want.h"
#include "db/db.h"

/* The role that standbys connect as, and their slots: makes those that are missing, and drops those
 * of ours that nobody wants any more, also from under a standby that still streams. */
enum err_code
replication_apply(struct db *d, const struct job *j, const struct want *w, struct err *e);

/* Has the server load its files of configuration, and waits until this session has. ERR_INVALID
 * names the setting that it does not take. */
enum err_code replication_reload(struct db *d, const struct job *j, struct err *e);

/*
 * The middle step of rule 3 of high availability: from the WAL position in ret_lsn on, a commit was
 * acknowledged only when synchronous_standby_names allowed it. Proven, not timed:
 * 1. a reload, until this session sees the names: the postmaster has begun to signal its children;
 * 2. another, until this session sees that one: it has finished signalling them for the first;
 * 3. a checkpoint: the checkpointer handles the signal that waits for it before a request, and it
 *    is the checkpointer that tells all backends (in shared memory) to wait for standbys;
 * 4. until no sender counts a standby that the names do not have: each judges by the names that it
 *    has loaded itself;
 * 5. the position of the WAL then: what was acknowledged without waiting lies before it.
 */
enum err_code replication_prove(
	struct db *d, const struct job *j, const char *names, uint64_t *ret_lsn, struct err *e);

enum err_code replication_promote(struct db *d, struct err *e);

#endif
