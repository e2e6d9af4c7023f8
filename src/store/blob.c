/* Small documents by key, each with a lock that its holder names by an ID (terraform's state).
 * Values are sealed, since terraform's states are full of passwords; locks are not. */
#include "store/state.h"

static void add_text(struct buf *b, struct str s)
{
	buf_clear(b);
	buf_str(b, s);
}

/* The holder's lock into *ret_lock, and the error that goes with it. */
static enum err_code held(struct store *s, const char *key, struct buf *ret_lock, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	enum err_code code = sessions_exec(
		&s->sessions, true, "blob_lock_get", "SELECT lock FROM slipway.blob WHERE key = $1",
		&key, 1, &r, e);

	if (code != ERR_OK)
		return code;
	buf_clear(ret_lock);
	if (r.n && !db_is_null(&r, 0, 0)) {
		buf_str(ret_lock, db_text(&r, 0, 0));
		return err_set(e, ERR_CONFLICT, "'%s' is locked by somebody else", key);
	}
	return err_set(e, ERR_CONFLICT, "'%s' is not locked by this lock", key);
}

static const char *context_of(struct arena *a, const char *key)
{
	return arena_printf(a, "blob/%s", key);
}

static enum err_code
unseal(struct store *s, const char *key, struct str sealed, struct buf *ret, struct err *e)
{
	CLEANUP(secret_done) struct secret clear = {0};
	struct arena a = {0};
	enum err_code code = ERR_INTERNAL;

	if (s->key)
		code = secret_open(
			s->key, context_of(&a, key), arena_strndup(&a, sealed.p, sealed.n), &clear,
			e);
	if (code == ERR_OK)
		add_text(ret, (struct str){(const char *)clear.p, clear.n});
	else
		code =
			err_set(e, ERR_INTERNAL,
				"'%s' cannot be opened: it was sealed with another key", key);
	arena_done(&a);
	return code;
}

enum err_code store_blob_get(struct store *s, const char *key, struct buf *ret, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	enum err_code code = sessions_exec(
		&s->sessions, true, "blob_get",
		"SELECT value FROM slipway.blob WHERE key = $1 AND value IS NOT NULL", &key, 1, &r,
		e);
	unsigned char *bytes;
	size_t n;

	if (code != ERR_OK)
		return code;
	if (r.n == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no '%s'", key);
	bytes = PQunescapeBytea((const unsigned char *)db_text(&r, 0, 0).p, &n);
	if (!bytes)
		return err_set(e, ERR_INTERNAL, "'%s' is damaged in slipway.blob", key);
	code = unseal(s, key, (struct str){(const char *)bytes, n}, ret, e);
	PQfreemem(bytes);
	return code;
}

/* By what is to be done (value or delete) and by whom (a holder or nobody). */
static const struct {
	const char *name, *sql;
} writes[2][2] = {
	{
		{"blob_delete",
		 "WITH gone AS (DELETE FROM slipway.blob WHERE key = $1"
		 " AND lock_id IS NULL AND $2::bytea IS NULL AND $3::text IS NULL)"
		 " SELECT 1 WHERE NOT EXISTS (SELECT FROM slipway.blob"
		 " WHERE key = $1 AND lock_id IS NOT NULL)"},
		{"blob_delete_held",
		 "UPDATE slipway.blob SET value = $2, changed_at = now()"
		 " WHERE key = $1 AND lock_id = $3 RETURNING 1"},
	},
	{
		{"blob_put",
		 "INSERT INTO slipway.blob AS b (key, value)"
		 " SELECT $1, $2::bytea WHERE $3::text IS NULL"
		 " ON CONFLICT (key) DO UPDATE"
		 " SET value = excluded.value, changed_at = now()"
		 " WHERE b.lock_id IS NULL RETURNING 1"},
		{"blob_put_held",
		 "UPDATE slipway.blob SET value = $2, changed_at = now()"
		 " WHERE key = $1 AND lock_id = $3 RETURNING 1"},
	},
};

static enum err_code
put(struct store *s, const char *key, struct str sealed, const char *lock_id, struct buf *ret_lock,
    struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	const struct str params[] = {str_of(key), sealed, str_of(lock_id)};
	const char *name = writes[sealed.p != NULL][lock_id != NULL].name;
	const char *sql = writes[sealed.p != NULL][lock_id != NULL].sql;
	struct db *d;
	enum err_code code = sessions_get(&s->sessions, &d, e);

	if (code != ERR_OK)
		return code;
	code = sessions_note(&s->sessions, db_exec_binary(d, name, sql, params, 3, &r, e));
	sessions_put(&s->sessions, d);
	if (code == ERR_OK && r.n == 0)
		code = held(s, key, ret_lock, e);
	return code;
}

enum err_code store_blob_put(
	struct store *s, const char *key, const struct str *value, const char *lock_id,
	struct buf *ret_lock, struct err *e)
{
	struct arena a = {0};
	struct str sealed = {0};
	enum err_code code = ERR_OK;

	if (value && !s->key)
		code = err_set(e, ERR_INVALID, "there is no key to seal '%s' with", key);
	else if (value)
		sealed = str_of(secret_seal(&a, s->key, context_of(&a, key), *value));
	if (code == ERR_OK)
		code = put(s, key, sealed, lock_id, ret_lock, e);
	arena_done(&a);
	return code;
}

enum err_code store_blob_lock(
	struct store *s, const char *key, struct str lock_json, struct buf *ret_lock, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	CLEANUP(jv_drop) json_t *lock = NULL;
	enum err_code code = jv_parse(lock_json, 1 << 20, &lock, e);
	struct arena a = {0};
	const char *params[] = {key, jv_str(lock, "ID"), NULL};

	if (code != ERR_OK)
		return code;
	if (!params[1] || !params[1][0])
		return err_set(e, ERR_INVALID, "a lock needs an ID");
	params[2] = arena_strndup(&a, lock_json.p, lock_json.n);
	code = sessions_exec(
		&s->sessions, false, "blob_lock",
		"INSERT INTO slipway.blob AS b (key, lock_id, lock) VALUES ($1, $2, $3)"
		" ON CONFLICT (key) DO UPDATE SET lock_id = excluded.lock_id, lock = excluded.lock"
		" WHERE b.lock_id IS NULL OR b.lock_id = excluded.lock_id RETURNING 1",
		params, 3, &r, e);
	arena_done(&a);
	if (code == ERR_OK && r.n == 0)
		code = held(s, key, ret_lock, e);
	return code;
}

enum err_code store_blob_unlock(
	struct store *s, const char *key, const char *lock_id, struct buf *ret_lock, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	const char *params[] = {key, lock_id};
	enum err_code code = sessions_exec(
		&s->sessions, false, "blob_unlock",
		"WITH freed AS (UPDATE slipway.blob SET lock_id = NULL, lock = NULL"
		" WHERE key = $1 AND ($2::text IS NULL OR lock_id = $2))"
		" SELECT 1 WHERE NOT EXISTS (SELECT FROM slipway.blob"
		" WHERE key = $1 AND $2::text IS NOT NULL AND lock_id <> $2)",
		params, 2, &r, e);

	if (code == ERR_OK && r.n == 0)
		code = held(s, key, ret_lock, e);
	return code;
}
