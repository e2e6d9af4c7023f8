/*
 * Basebackup: takes a base backup over the replication protocol, from PostgreSQL 13 to 18, with
 * libpq alone (PostgreSQL's documentation, "Streaming Replication Protocol", BASE_BACKUP).
 *
 * The backup holds no WAL: the standby's slot keeps it on the primary from before the backup's
 * start, and the walreceiver fetches it. So basebackup_open first rehearses what the walreceiver
 * will do: it streams with that slot for a moment.
 * Blocking, with the job's cancellation looked at in every wait: runs in a job.
 */
#ifndef SLIPWAY_AGENT_BASEBACKUP_H
#define SLIPWAY_AGENT_BASEBACKUP_H

#include <libpq-fe.h>

#include "agent/job.h"
#include "base/str.h"

struct basebackup {
	const struct job *job;
	PGconn *conn;
	int version; /* 150018 */
	char system_identifier[24];
	char wal_at[24]; /* where the primary's WAL was */
};

/* Connects and rehearses. ERR_UNAVAILABLE: it is not there yet, or does not have the slot yet:
 * trying again soon makes sense. */
enum err_code basebackup_open(
	struct basebackup *b, const struct job *job, const char *conninfo, const char *slot,
	int timeout_ms, struct err *e);

/* Writes the backup into dir (which is empty) and checks it against its manifest. progress is
 * called now and then. */
typedef void basebackup_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes);
enum err_code basebackup_take(
	struct basebackup *b, const char *dir, basebackup_progress *progress, void *arg,
	struct err *e);

void basebackup_close(struct basebackup *b);

#endif
