/* Opens and closes a store: puts its parts together. */
#include <stdlib.h>

#include "store/keeper.h"
#include "store/state.h"

enum { SESSIONS = 16, CACHE_BYTES = 8 << 20, RETRY_S = 2 };

/* Sealed once with the key that the store was made with: another key file is noticed at start, and
 * not when the first Secret does not open. */
#define KEY_CONTEXT "slipway.setting/key"
#define KEY_CLEAR "slipway"

static enum err_code migrate(struct store *s, struct err *e)
{
	struct db *d;
	enum err_code code = sessions_open(&s->sessions, &d, e);

	if (code != ERR_OK)
		return code;
	code = db_migrate(d, e);
	db_close(d);
	return code;
}

static enum err_code check_key(struct store *s, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	CLEANUP(secret_done) struct secret clear = {0};
	struct arena a = {0};
	const char *sealed;
	enum err_code code;

	if (!s->key)
		return ERR_OK;
	sealed = secret_seal(&a, s->key, KEY_CONTEXT, STR(KEY_CLEAR));
	code = sessions_exec(
		&s->sessions, false, "key_check",
		"INSERT INTO slipway.setting AS s (key, value) VALUES ('key', $1)"
		" ON CONFLICT (key) DO UPDATE SET value = s.value RETURNING value",
		&sealed, 1, &r, e);
	if (code == ERR_OK &&
	    secret_open(s->key, KEY_CONTEXT, db_text(&r, 0, 0).p, &clear, NULL) != ERR_OK)
		code = err_set(
			e, ERR_INVALID,
			"the system database was sealed with another key file: restore the one "
			"that it was made with");
	arena_done(&a);
	return code;
}

enum err_code store_open(const struct store_conf *c, struct store **ret, struct err *e)
{
	struct store *s = mem_alloc(sizeof(*s));
	enum err_code code;

	s->key = c->key;
	busy_init(&s->busy);
	cache_init(&s->cache, CACHE_BYTES);
	pulses_init(&s->pulses, &s->sessions);
	code = sessions_init(&s->sessions, c->conninfo, c->sessions ? c->sessions : SESSIONS, e);
	if (code == ERR_OK)
		code = migrate(s, e);
	if (code == ERR_OK)
		code = check_key(s, e);
	if (code == ERR_OK)
		code = committer_new(&s->sessions, &s->committer, e);
	if (code != ERR_OK) {
		store_close(s);
		return code;
	}
	s->watcher = watcher_new(&s->sessions, s->key);
	s->leader = leader_new(&s->sessions);
	s->keeper = keeper_new(s);
	*ret = s;
	return ERR_OK;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	leader_free(s->leader);
	keeper_free(s->keeper);
	watcher_free(s->watcher);
	committer_free(s->committer);
	sessions_done(&s->sessions);
	pulses_done(&s->pulses);
	cache_done(&s->cache);
	busy_done(&s->busy);
	free(s);
}

enum err_code store_watch_start(
	struct store *s, const char *kind, const struct store_filter *f, int64_t revision,
	store_on_event *on_event, void *arg, struct store_watch **ret, struct err *e)
{
	return watcher_start(s->watcher, kind, f, revision, on_event, arg, ret, e);
}

void store_pulse_put(struct store *s, const char *host, struct str body)
{
	pulses_put(&s->pulses, host, body);
}

enum err_code store_pulse_get(
	struct store *s, const char *host, json_t **ret_body, int64_t *ret_age_ms, struct err *e)
{
	return pulses_get(&s->pulses, host, ret_body, ret_age_ms, e);
}

bool store_is_leader(struct store *s)
{
	return leader_is(s->leader);
}

bool store_is_up(struct store *s, int *ret_retry_s)
{
	*ret_retry_s = RETRY_S;
	return !atomic_load(&s->sessions.is_down);
}
