/*
 * PostgreSQL sessions over libpq: blocking, with deadlines, parameters apart from text.
 *
 * A struct db is one session and belongs to one thread at a time. A struct db_pool hands sessions
 * out; a session that broke is replaced when it is given back. Results live in libpq's memory until
 * db_rows_done. SQLSTATEs map to codes: 23505 ERR_EXISTS, 40001/40P01 ERR_CONFLICT, 57014
 * ERR_TIMEOUT, class 08/57P ERR_UNAVAILABLE, 53 ERR_LIMIT, others ERR_INTERNAL; the message is the
 * server's.
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

/* One statement; params are text (NULL is null), n of them. timeout_ms 0: the session's default, 30
 * s. A session whose deadline passed is broken, and says so at each further call. */
enum err_code
db_exec(struct db *d, const char *sql, const char *const *params, int n, struct db_rows *ret,
	struct err *e);

/* As db_exec, prepared at first use under this name. */
enum err_code db_exec_named(
	struct db *d, const char *name, const char *sql, const char *const *params, int n,
	struct db_rows *ret, struct err *e);

/* Several statements, no parameters, no result. */
enum err_code db_script(struct db *d, const char *sql, struct err *e);

void db_rows_done(struct db_rows *r);
bool db_is_null(const struct db_rows *r, int row, int col);
struct str db_text(const struct db_rows *r, int row, int col); /* empty for null */
int64_t db_int(const struct db_rows *r, int row, int col); /* 0 for null */
bool db_bool(const struct db_rows *r, int row, int col);

/* At most max sessions; db_pool_get waits up to timeout_ms for one (ERR_UNAVAILABLE when the server
 * is away, ERR_LIMIT when all are taken). */
enum err_code db_pool_new(const char *conninfo, int max, struct db_pool **ret, struct err *e);
void db_pool_free(struct db_pool *p);
enum err_code db_pool_get(struct db_pool *p, int timeout_ms, struct db **ret, struct err *e);
void db_pool_put(struct db_pool *p, struct db *d);

/* Brings the schema to the newest of the embedded migrations (sql/NNNN-name.sql), each in a
 * transaction, under an advisory lock. ERR_CONFLICT: the schema is newer than this program knows.
 * ERR_INVALID: PostgreSQL older than 14. */
enum err_code db_migrate(struct db *d, struct err *e);

#endif
