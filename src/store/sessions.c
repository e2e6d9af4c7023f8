#include "store/sessions.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/wake.h"

/*
 * Row locks and fresh snapshots are the order of writes: that needs read committed. Every statement
 * of the store reads by key and in the order of a key, so its plan must not depend on what the
 * server happens to know of the tables: without these settings a list of 10,000 is sorted on disk.
 */
static const char setup[] = "SET default_transaction_isolation = 'read committed';"
			    "SET default_transaction_read_only = off;"
			    "SET max_parallel_workers_per_gather = 0;"
			    "SET jit = off;"
			    "SET enable_seqscan = off; SET enable_bitmapscan = off;"
			    "SET enable_sort = off; SET enable_hashjoin = off;"
			    "SET enable_mergejoin = off;"
			    "SET plan_cache_mode = force_generic_plan;"
			    "SELECT set_config('synchronous_commit', 'on', false)"
			    " WHERE current_setting('synchronous_commit') IN ('off', 'local')";

static bool says_target(const char *conninfo)
{
	PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
	bool is_said = false;

	for (PQconninfoOption *o = all; o && o->keyword; o++)
		if (o->val && strcmp(o->keyword, "target_session_attrs") == 0)
			is_said = true;
	PQconninfoFree(all);
	return is_said;
}

/* Of several hosts, take the one that can be written to, unless conninfo says otherwise. */
static char *with_target(const char *conninfo)
{
	struct str s = str_of(conninfo);
	const char *join = " ";

	if (says_target(conninfo))
		return mem_strdup(conninfo);
	if (str_starts(s, "postgresql://") || str_starts(s, "postgres://"))
		join = strchr(conninfo, '?') ? "&" : "?";
	return mem_printf("%s%starget_session_attrs=read-write", conninfo, join);
}

enum err_code sessions_init(struct sessions *s, const char *conninfo, int max, struct err *e)
{
	s->conninfo = with_target(conninfo);
	s->is_down = true;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->probed, NULL);
	return db_pool_new(s->conninfo, setup, max, &s->pool, e);
}

void sessions_done(struct sessions *s)
{
	db_pool_free(s->pool);
	pthread_cond_destroy(&s->probed);
	pthread_mutex_destroy(&s->lock);
	free(s->conninfo);
}

enum err_code sessions_note(struct sessions *s, enum err_code code)
{
	bool is_down = code == ERR_UNAVAILABLE || code == ERR_TIMEOUT;

	if (atomic_load_explicit(&s->is_down, memory_order_relaxed) != is_down)
		atomic_store(&s->is_down, is_down);
	return code;
}

/* False: the database is away, as far as can be told within SESSIONS_VERDICT_MS. True, and
 * s->is_probing if it is for the caller to find out. */
static bool probe_begin(struct sessions *s, bool *ret_is_mine)
{
	int64_t until_ms = clock_mono_ms() + SESSIONS_VERDICT_MS;
	bool is_late = false;

	pthread_mutex_lock(&s->lock);
	while (s->is_probing && !is_late)
		is_late = !wake_wait(&s->probed, &s->lock, until_ms);
	*ret_is_mine = !s->is_probing && atomic_load(&s->is_down);
	if (*ret_is_mine)
		s->is_probing = true;
	is_late = !*ret_is_mine && atomic_load(&s->is_down);
	pthread_mutex_unlock(&s->lock);
	return !is_late;
}

static void probe_end(struct sessions *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_probing = false;
	pthread_cond_broadcast(&s->probed);
	pthread_mutex_unlock(&s->lock);
}

/* A session that was open before may belong to a server that no longer answers. */
static enum err_code probe(struct db *d, struct err *e)
{
	struct db_rows rows;
	enum err_code code;

	db_set_timeout(d, SESSIONS_WAIT_MS);
	code = db_exec(d, "SELECT 1", NULL, 0, &rows, e);
	if (code == ERR_OK)
		db_rows_done(&rows);
	db_set_timeout(d, DB_STATEMENT_MS);
	return code;
}

static enum err_code get_and_probe(struct sessions *s, struct db **ret, struct err *e)
{
	struct db *d;
	enum err_code code = db_pool_get(s->pool, SESSIONS_WAIT_MS, &d, e);

	if (code == ERR_OK && probe(d, e) != ERR_OK) {
		db_pool_put(s->pool, d);
		code = err_set(e, ERR_UNAVAILABLE, "the system database does not answer");
	}
	if (code == ERR_OK)
		*ret = d;
	return sessions_note(s, code);
}

enum err_code sessions_get(struct sessions *s, struct db **ret, struct err *e)
{
	bool is_mine = false;
	enum err_code code;

	if (atomic_load(&s->is_down) && !probe_begin(s, &is_mine))
		return err_set(
			e, ERR_UNAVAILABLE, "the system database is away: try again shortly");
	if (!is_mine) {
		code = db_pool_get(s->pool, SESSIONS_WAIT_MS, ret, e);
		return code == ERR_OK ? code : sessions_note(s, code);
	}
	code = get_and_probe(s, ret, e);
	probe_end(s);
	return code;
}

void sessions_put(struct sessions *s, struct db *d)
{
	db_pool_put(s->pool, d);
}

enum err_code sessions_open(struct sessions *s, struct db **ret, struct err *e)
{
	struct db *d = NULL;
	enum err_code code = db_open(s->conninfo, SESSIONS_WAIT_MS, &d, e);

	if (code == ERR_OK)
		code = db_script(d, setup, e);
	if (code != ERR_OK) {
		db_close(d);
		return sessions_note(s, code);
	}
	*ret = d;
	return sessions_note(s, ERR_OK);
}

static enum err_code exec_once(
	struct sessions *s, const char *name, const char *sql, const char *const *params, int n,
	struct db_rows *ret, bool *ret_is_lost, struct err *e)
{
	struct db *d;
	enum err_code code = sessions_get(s, &d, e);

	if (code != ERR_OK)
		return code;
	code = sessions_note(s, db_exec_named(d, name, sql, params, n, ret, e));
	*ret_is_lost = code == ERR_UNAVAILABLE;
	sessions_put(s, d);
	return code;
}

enum err_code sessions_exec(
	struct sessions *s, bool is_read, const char *name, const char *sql,
	const char *const *params, int n, struct db_rows *ret, struct err *e)
{
	bool is_lost = false;
	enum err_code code = exec_once(s, name, sql, params, n, ret, &is_lost, e);

	if (is_lost && is_read)
		code = exec_once(s, name, sql, params, n, ret, &is_lost, e);
	return code;
}
