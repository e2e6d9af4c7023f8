/*
 * The committer writes what all callers have queued in one transaction, and so with one fsync.
 *
 * It has no thread of its own: the first caller of the queue leads, that is, writes for all, and
 * passes the lead on. A caller alone so pays for no switch of threads.
 *
 * A commit is one caller's group of rows, done all or none. Whatever happens to the connection, the
 * answer is true: after a COMMIT whose answer is lost, the committer looks (slipway.settle) whether
 * the batch is in, and makes sure that it cannot come in later. Commits of one process must not
 * hold the same object at a time (store/write.c sees to that).
 */
#ifndef SLIPWAY_STORE_COMMITTER_H
#define SLIPWAY_STORE_COMMITTER_H

#include <semaphore.h>

#include "base/list.h"
#include "store/change.h"
#include "store/object.h"
#include "store/sessions.h"

struct committer;

struct commit_row {
	enum change_op op;
	struct store_key key;
	int64_t base; /* the revision that it was decided on; 0: not there */
	char uid[OBJECT_UID];
	char *old_labels, *labels; /* JSON text, NULL: none; for free() */
	struct buf body;
	int64_t revision; /* filled: the one that it got; 0 for CHANGE_NONE */
};

struct commit {
	struct commit_row *rows; /* the caller's */
	size_t n;
	/* the committer's: */
	struct list queued;
	sem_t woken; /* once: it is done, or its caller leads */
	bool is_done;
	enum err_code code;
	struct err err;
};

enum err_code committer_new(struct sessions *s, struct committer **ret, struct err *e);
void committer_free(struct committer *c); /* all calls have returned */

/* Blocks until the rows are durable. ERR_CONFLICT: one of them is no longer at its base, nothing of
 * this group was written. ERR_UNAVAILABLE: it was not written, or (and the message says so) nobody
 * can tell. */
enum err_code committer_run(struct committer *c, struct commit *work, struct err *e);

#endif
