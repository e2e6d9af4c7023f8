/*
 * The store's sessions with the system database, and what is known of its health.
 *
 * Each is set up so that a COMMIT that came back is durable, whatever the server's defaults. Any
 * thread; a session belongs to one thread at a time. ERR_UNAVAILABLE: the database is away.
 */
#ifndef SLIPWAY_STORE_SESSIONS_H
#define SLIPWAY_STORE_SESSIONS_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/db.h"

struct sessions {
	char *conninfo;
	struct db_pool *pool;
	atomic_bool is_down; /* the last try to reach the database failed */
	pthread_mutex_t lock;
	pthread_cond_t probed;
	bool is_probing; /* somebody is finding out whether it is back */
};

enum { SESSIONS_WAIT_MS = 5000, SESSIONS_VERDICT_MS = 500 };

enum err_code sessions_init(struct sessions *s, const char *conninfo, int max, struct err *e);
void sessions_done(struct sessions *s);

/* One of the pool's, for a statement or two. While the database is away, one caller at a time finds
 * out whether it is back; the others wait SESSIONS_VERDICT_MS for that at most. */
enum err_code sessions_get(struct sessions *s, struct db **ret, struct err *e);
void sessions_put(struct sessions *s, struct db *d);

/* One of one's own, for db_close. */
enum err_code sessions_open(struct sessions *s, struct db **ret, struct err *e);

/* Keeps what the outcome of a statement says about the database's health; returns code. */
enum err_code sessions_note(struct sessions *s, enum err_code code);

/* One statement with text parameters in a session of the pool. What changes nothing (is_read) is
 * tried a second time when the first session turns out to be lost. */
enum err_code sessions_exec(
	struct sessions *s, bool is_read, const char *name, const char *sql,
	const char *const *params, int n, struct db_rows *ret, struct err *e);

#endif
