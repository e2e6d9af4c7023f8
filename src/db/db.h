/*
 * PostgreSQL sessions over libpq: blocking, with deadlines, parameters apart from text.
 *
 * A struct db is one session and belongs to one thread at a time. A struct db_pool hands sessions
 * out; a session that broke is replaced when it is given back. Results live in libpq's memory until
 * db_rows_done. SQLSTATEs map to codes: 23505 ERR_EXISTS, 40001/40P01 ERR_CONFLICT, 57014
 * ERR_TIMEOUT, class 08/57P ERR_UNAVAILABLE, 53 ERR_LIMIT, 25006 (the server is a standby)
 * ERR_UNAVAILABLE, others ERR_INTERNAL; the message is the server's.
 */
#ifndef SLIPWAY_DB_DB_H
#define SLIPWAY_DB_DB_H

#include <libpq-fe.h>

#include "base/err.h"
#include "base/str.h"

struct db;
struct db_pool;

struct db_rows {
	PGresult *r;
	int n;
};

/* conninfo is a URI or keywords; connect_timeout and application_name are added. */
enum err_code db_open(const char *conninfo, int timeout_ms, struct db **ret, struct err *e);
void db_close(struct db *d);
PGconn *db_conn(struct db *d);

/* The deadline of each further statement; 30 s at first. */
void db_set_timeout(struct db *d, int timeout_ms);
enum { DB_STATEMENT_MS = 30000 }; /* what it is in a new session */

/* True once the connection is lost or a deadline has passed: only db_close is left. */
bool db_is_broken(const struct db *d);

/* Looks, without a question to the server, whether an idle session still has one. */
bool db_is_alive(const struct db *d);

/* True when the last statement made the server warn (logged): after a COMMIT this can mean that
 * the wait for a synchronous standby was cancelled. */
bool db_has_warned(const struct db *d);

/* One statement; params are text (NULL is null), n of them. ret may be NULL. A session whose
 * deadline passed is broken, and says so at each further call; the server may still finish what it
 * was asked. */
enum err_code
db_exec(struct db *d, const char *sql, const char *const *params, int n, struct db_rows *ret,
	struct err *e);

/* As db_exec, prepared at first use under this name. */
enum err_code db_exec_named(
	struct db *d, const char *name, const char *sql, const char *const *params, int n,
	struct db_rows *ret, struct err *e);

/* As db_exec_named with values in PostgreSQL's binary format: bytes as they are for text and bytea,
 * what db_array made for arrays. p NULL is null. Results are text. */
enum err_code db_exec_binary(
	struct db *d, const char *name, const char *sql, const struct str *params, int n,
	struct db_rows *ret, struct err *e);

/* As db_exec_named, handing over one row (row 0 of its argument) at a time, so that a long result
 * takes no memory. After on_row has said false the rest is read and dropped. */
typedef bool db_on_row(void *arg, const struct db_rows *row);
enum err_code db_stream(
	struct db *d, const char *name, const char *sql, const char *const *params, int n,
	db_on_row *on_row, void *arg, struct err *e);

/* Several statements, no parameters, no result. */
enum err_code db_script(struct db *d, const char *sql, struct err *e);

/* Waits until the session has a NOTIFY, the descriptor wake_fd (-1: none) is readable or the time
 * is over, and drops all notifications that have come. ERR_UNAVAILABLE: the session is lost. */
enum err_code db_listen_wait(struct db *d, int wake_fd, int timeout_ms, struct err *e);

void db_rows_done(struct db_rows *r);
bool db_is_null(const struct db_rows *r, int row, int col);
struct str db_text(const struct db_rows *r, int row, int col); /* empty for null */
int64_t db_int(const struct db_rows *r, int row, int col); /* 0 for null */
bool db_bool(const struct db_rows *r, int row, int col);

/* An array parameter in binary format, built up value by value: db_array_init, then db_array_text
 * or db_array_i64 for each, then db_array_view. */
struct db_array {
	struct buf bytes;
	uint32_t n;
};
enum db_type { DB_INT8 = 20, DB_TEXT = 25 };
void db_array_init(struct db_array *a, enum db_type type); /* keeps the memory it has */
void db_array_text(struct db_array *a, struct str s); /* p NULL: null */
void db_array_i64(struct db_array *a, int64_t v);
struct str db_array_view(struct db_array *a);
void db_array_done(struct db_array *a);

/* At most max sessions; db_pool_get waits up to timeout_ms for one (ERR_UNAVAILABLE when the server
 * is away, ERR_LIMIT when all are taken). setup (NULL: none) is a script that each new session runs
 * first. */
enum err_code
db_pool_new(const char *conninfo, const char *setup, int max, struct db_pool **ret, struct err *e);
void db_pool_free(struct db_pool *p);
enum err_code db_pool_get(struct db_pool *p, int timeout_ms, struct db **ret, struct err *e);
void db_pool_put(struct db_pool *p, struct db *d);

/* Closes sessions that idled for 30 s, all but two. To be called now and then. */
void db_pool_trim(struct db_pool *p);

/* Brings the schema to the newest of the embedded migrations (sql/NNNN-name.sql), each in a
 * transaction, under an advisory lock. ERR_CONFLICT: the schema is newer than this program knows.
 * ERR_INVALID: PostgreSQL older than 14. */
enum err_code db_migrate(struct db *d, struct err *e);

/* sql/system.conf: what to put into the postgresql.conf of a system database that we create. */
struct str db_system_conf(void);

#endif
