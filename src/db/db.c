#include "db/db.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

struct db {
	PGconn *conn;
	struct map prepared; /* the names of prepared statements */
	int timeout_ms;
	bool is_broken;
	bool has_warned;
};

static const struct {
	const char *prefix; /* of the SQLSTATE; the first that fits counts */
	enum err_code code;
} sqlstates[] = {
	{"23505", ERR_EXISTS},      {"40001", ERR_CONFLICT},  {"40P01", ERR_CONFLICT},
	{"57014", ERR_TIMEOUT},     {"57P", ERR_UNAVAILABLE}, {"08", ERR_UNAVAILABLE},
	{"25006", ERR_UNAVAILABLE}, {"53", ERR_LIMIT},
};

static enum err_code code_of_state(const char *state)
{
	for (size_t i = 0; state && i < ARRAY_LEN(sqlstates); i++)
		if (str_starts(str_of(state), sqlstates[i].prefix))
			return sqlstates[i].code;
	return ERR_INTERNAL;
}

/* libpq's messages end in a line feed and start with their severity. */
static enum err_code say(enum err_code code, const char *text, struct err *e)
{
	struct str s = str_trim(str_of(text));

	str_cut_prefix(&s, "ERROR:  ");
	str_cut_prefix(&s, "FATAL:  ");
	return err_set(e, code, "database: " STR_FMT, STR_ARG(s));
}

static enum err_code lost(struct db *d, struct err *e)
{
	d->is_broken = true;
	return say(ERR_UNAVAILABLE, PQerrorMessage(d->conn), e);
}

static enum err_code too_late(struct db *d, struct err *e)
{
	d->is_broken = true;
	return err_set(
		e, ERR_TIMEOUT, "database: no answer within %d ms; the session is given up",
		d->timeout_ms);
}

static void on_notice(void *arg, const PGresult *r)
{
	struct db *d = arg;
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (!severity || strcmp(severity, "WARNING") != 0)
		return;
	d->has_warned = true;
	log_warn(
		"database warns", "text=%s", log_q(PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY)));
}

/* Waits for events on the session's socket; false when the deadline has passed. */
static bool wait_socket(struct db *d, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = {.fd = PQsocket(d->conn), .events = events};
		int64_t left = deadline_ms - clock_mono_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static bool connect_all(struct db *d, int64_t deadline_ms)
{
	PostgresPollingStatusType step = PGRES_POLLING_WRITING;

	while (step != PGRES_POLLING_OK) {
		short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;

		if (step == PGRES_POLLING_FAILED || !wait_socket(d, events, deadline_ms))
			return false;
		step = PQconnectPoll(d->conn);
	}
	return true;
}

enum err_code db_open(const char *conninfo, int timeout_ms, struct db **ret, struct err *e)
{
	/* what conninfo says itself wins, since it comes later; a dead peer is noticed in 11 s */
	const char *const keys[] = {
		"application_name", "client_encoding",  "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "dbname",          NULL};
	const char *const values[] = {"slipway", "UTF8", "5", "2", "3", "11000", conninfo, NULL};
	struct db *d = mem_alloc(sizeof(*d));
	bool is_in_time;

	d->timeout_ms = DB_STATEMENT_MS;
	d->conn = PQconnectStartParams(keys, values, 1);
	if (!d->conn)
		abort(); /* out of memory */
	is_in_time =
		PQstatus(d->conn) == CONNECTION_BAD || connect_all(d, clock_mono_ms() + timeout_ms);
	if (PQstatus(d->conn) != CONNECTION_OK) {
		if (is_in_time || PQstatus(d->conn) == CONNECTION_BAD)
			say(ERR_UNAVAILABLE, PQerrorMessage(d->conn), e);
		else
			err_set(e, ERR_UNAVAILABLE,
				"database: no connection to %s within %d ms; is it up, and "
				"reachable?",
				PQhost(d->conn), timeout_ms);
		db_close(d);
		return ERR_UNAVAILABLE;
	}
	PQsetNoticeReceiver(d->conn, on_notice, d);
	PQsetnonblocking(d->conn, 1);
	*ret = d;
	return ERR_OK;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	PQfinish(d->conn);
	map_done(&d->prepared);
	free(d);
}

PGconn *db_conn(struct db *d)
{
	return d->conn;
}

void db_set_timeout(struct db *d, int timeout_ms)
{
	d->timeout_ms = timeout_ms;
}

bool db_is_broken(const struct db *d)
{
	return d->is_broken;
}

/* Nothing is to be read from a session that idles, except that the server is going or has gone. */
bool db_is_alive(const struct db *d)
{
	struct pollfd p = {.fd = PQsocket(d->conn), .events = POLLIN};

	return !d->is_broken && poll(&p, 1, 0) == 0;
}

bool db_has_warned(const struct db *d)
{
	return d->has_warned;
}

/* The next result of what was sent; *ret NULL at the end of them. */
static enum err_code next_result(struct db *d, int64_t deadline_ms, PGresult **ret, struct err *e)
{
	for (;;) {
		int unsent = PQflush(d->conn);

		if (unsent < 0)
			return lost(d, e);
		if (!unsent && !PQisBusy(d->conn))
			break;
		if (!wait_socket(d, (short)(POLLIN | (unsent ? POLLOUT : 0)), deadline_ms))
			return too_late(d, e);
		if (!PQconsumeInput(d->conn))
			return lost(d, e);
	}
	*ret = PQgetResult(d->conn);
	return ERR_OK;
}

static enum err_code result_code(struct db *d, const PGresult *r, struct err *e)
{
	const char *state;
	enum err_code code;

	switch (PQresultStatus(r)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_SINGLE_TUPLE:
	case PGRES_EMPTY_QUERY:
		return ERR_OK;
	default:
		break;
	}
	if (PQstatus(d->conn) == CONNECTION_BAD)
		return lost(d, e);
	state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	code = state ? code_of_state(state) : ERR_UNAVAILABLE;
	if (code == ERR_UNAVAILABLE)
		d->is_broken = true; /* a new session may find a better server */
	return say(code, PQresultErrorMessage(r), e);
}

static enum err_code begin(struct db *d, struct err *e)
{
	d->has_warned = false;
	if (d->is_broken)
		return err_set(e, ERR_UNAVAILABLE, "database: the session is broken");
	return ERR_OK;
}

/* Reads all results; gives the last, or the first error. */
static enum err_code finish(struct db *d, struct db_rows *ret, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + d->timeout_ms;
	struct db_rows last = {0};
	enum err_code code = ERR_OK;
	PGresult *r;

	for (;;) {
		enum err_code got = next_result(d, deadline_ms, &r, e);

		if (got != ERR_OK || !r) {
			code = code == ERR_OK ? got : code;
			break;
		}
		if (code == ERR_OK)
			code = result_code(d, r, e);
		db_rows_done(&last);
		last = (struct db_rows){r, PQntuples(r)};
	}
	if (code != ERR_OK || !ret) {
		db_rows_done(&last);
		return code;
	}
	*ret = last;
	return ERR_OK;
}

enum err_code
db_exec(struct db *d, const char *sql, const char *const *params, int n, struct db_rows *ret,
	struct err *e)
{
	enum err_code code = begin(d, e);

	if (code != ERR_OK)
		return code;
	if (!PQsendQueryParams(d->conn, sql, n, NULL, params, NULL, NULL, 0))
		return lost(d, e);
	return finish(d, ret, e);
}

static enum err_code prepare(struct db *d, const char *name, const char *sql, struct err *e)
{
	enum err_code code = begin(d, e);

	if (code != ERR_OK || map_get(&d->prepared, str_of(name)))
		return code;
	if (!PQsendPrepare(d->conn, name, sql, 0, NULL))
		return lost(d, e);
	code = finish(d, NULL, e);
	if (code == ERR_OK)
		map_put(&d->prepared, str_of(name), d);
	return code;
}

enum err_code db_exec_named(
	struct db *d, const char *name, const char *sql, const char *const *params, int n,
	struct db_rows *ret, struct err *e)
{
	enum err_code code = prepare(d, name, sql, e);

	if (code != ERR_OK)
		return code;
	if (!PQsendQueryPrepared(d->conn, name, n, params, NULL, NULL, 0))
		return lost(d, e);
	return finish(d, ret, e);
}

enum { BINARY_MAX = 16 };

enum err_code db_exec_binary(
	struct db *d, const char *name, const char *sql, const struct str *params, int n,
	struct db_rows *ret, struct err *e)
{
	const char *values[BINARY_MAX];
	int lengths[BINARY_MAX], formats[BINARY_MAX];
	enum err_code code = prepare(d, name, sql, e);

	assert(n <= BINARY_MAX);
	if (code != ERR_OK)
		return code;
	for (int i = 0; i < n; i++) {
		if (params[i].n > INT32_MAX)
			return err_set(e, ERR_LIMIT, "database: a value of more than 2 GB");
		values[i] = params[i].p;
		lengths[i] = (int)params[i].n;
		formats[i] = 1;
	}
	if (!PQsendQueryPrepared(d->conn, name, n, values, lengths, formats, 0))
		return lost(d, e);
	return finish(d, ret, e);
}

enum err_code db_stream(
	struct db *d, const char *name, const char *sql, const char *const *params, int n,
	db_on_row *on_row, void *arg, struct err *e)
{
	enum err_code code = prepare(d, name, sql, e);
	bool is_wanted = true;
	PGresult *r;

	if (code != ERR_OK)
		return code;
	if (!PQsendQueryPrepared(d->conn, name, n, params, NULL, NULL, 0))
		return lost(d, e);
	PQsetSingleRowMode(d->conn);
	for (;;) {
		/* the deadline is one of silence: a long result may take long */
		enum err_code got = next_result(d, clock_mono_ms() + d->timeout_ms, &r, e);
		struct db_rows row = {r, 1};

		if (got != ERR_OK || !r)
			return code == ERR_OK ? got : code;
		if (code == ERR_OK)
			code = result_code(d, r, e);
		if (code == ERR_OK && is_wanted && PQresultStatus(r) == PGRES_SINGLE_TUPLE)
			is_wanted = on_row(arg, &row);
		PQclear(r);
	}
}

enum err_code db_script(struct db *d, const char *sql, struct err *e)
{
	enum err_code code = begin(d, e);

	if (code != ERR_OK)
		return code;
	if (!PQsendQuery(d->conn, sql))
		return lost(d, e);
	return finish(d, NULL, e);
}

enum err_code db_listen_wait(struct db *d, int wake_fd, int timeout_ms, struct err *e)
{
	struct pollfd p[] = {
		{.fd = PQsocket(d->conn), .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
	PGnotify *n;

	if (d->is_broken)
		return begin(d, e);
	/* a notification that came with the last answer must not wait for the next one */
	n = PQnotifies(d->conn);
	if (!n && poll(p, 2, timeout_ms) > 0 && p[0].revents && !PQconsumeInput(d->conn))
		return lost(d, e);
	do
		PQfreemem(n);
	while ((n = PQnotifies(d->conn)));
	return PQstatus(d->conn) == CONNECTION_OK ? ERR_OK : lost(d, e);
}

void db_rows_done(struct db_rows *r)
{
	PQclear(r->r);
	*r = (struct db_rows){0};
}

bool db_is_null(const struct db_rows *r, int row, int col)
{
	return PQgetisnull(r->r, row, col);
}

struct str db_text(const struct db_rows *r, int row, int col)
{
	return (struct str){PQgetvalue(r->r, row, col), (size_t)PQgetlength(r->r, row, col)};
}

int64_t db_int(const struct db_rows *r, int row, int col)
{
	int64_t v = 0;

	str_to_i64(db_text(r, row, col), &v);
	return v;
}

bool db_bool(const struct db_rows *r, int row, int col)
{
	return str_is(db_text(r, row, col), "t");
}
