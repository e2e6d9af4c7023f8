/* Tokens: what is kept is their SHA-256, so that a copy of the database opens no door. */
#include <inttypes.h>
#include <stdio.h>

#include "store/state.h"

/* What a token's row says, in this order, in the statements below. */
enum column { SUBJECT, GROUP, DETAIL, IS_OVER, IS_USED };

enum err_code store_token_put(
	struct store *s, const char *kind, struct str token, const struct store_token *t,
	int64_t ttl_s, struct err *e)
{
	struct arena a = {0};
	const char *params[] = {
		kind,       secret_hash(&a, token),
		t->subject, t->group,
		t->detail,  arena_printf(&a, "%" PRId64, ttl_s),
	};
	enum err_code code = sessions_exec(
		&s->sessions, false, "token_put",
		"INSERT INTO slipway.token (kind, hash, subject, \"group\", detail, expires_at)"
		" VALUES ($1, $2, $3, $4, $5, CASE WHEN $6::bigint > 0"
		" THEN now() + $6::bigint * interval '1 second' END)",
		params, ARRAY_LEN(params), NULL, e);

	arena_done(&a);
	return code == ERR_EXISTS ? err_set(e, ERR_EXISTS, "this token exists already") : code;
}

static void copy_text(const struct db_rows *r, int col, char *ret, size_t room)
{
	snprintf(ret, room, STR_FMT, STR_ARG(db_text(r, 0, col)));
}

static void fill(const struct db_rows *r, struct store_token *ret)
{
	copy_text(r, SUBJECT, ret->subject, sizeof(ret->subject));
	copy_text(r, GROUP, ret->group, sizeof(ret->group));
	copy_text(r, DETAIL, ret->detail, sizeof(ret->detail));
}

static enum err_code
find(struct store *s, const char *const *params, struct store_token *ret, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	enum err_code code = sessions_exec(
		&s->sessions, true, "token_find",
		"SELECT subject, \"group\", detail, coalesce(expires_at <= now(), false),"
		" used_at IS NOT NULL FROM slipway.token WHERE kind = $1 AND hash = $2",
		params, 2, &r, e);

	if (code != ERR_OK)
		return code;
	if (r.n == 0)
		return err_set(e, ERR_NOT_FOUND, "this %s token is not known", params[0]);
	if (db_bool(&r, 0, IS_USED))
		return err_set(e, ERR_GONE, "this %s token has been used already", params[0]);
	if (db_bool(&r, 0, IS_OVER))
		return err_set(e, ERR_GONE, "this %s token has expired", params[0]);
	fill(&r, ret);
	return ERR_OK;
}

enum err_code store_token_find(
	struct store *s, const char *kind, struct str token, struct store_token *ret, struct err *e)
{
	struct arena a = {0};
	const char *params[] = {kind, secret_hash(&a, token)};
	enum err_code code = find(s, params, ret, e);

	arena_done(&a);
	return code;
}

enum err_code store_token_use(
	struct store *s, const char *kind, struct str token, struct store_token *ret, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct store_token ignored;
	struct arena a = {0};
	const char *params[] = {kind, secret_hash(&a, token)};
	enum err_code code = sessions_exec(
		&s->sessions, false, "token_use",
		"UPDATE slipway.token SET used_at = now() WHERE kind = $1 AND hash = $2"
		" AND used_at IS NULL AND coalesce(expires_at > now(), true)"
		" RETURNING subject, \"group\", detail",
		params, ARRAY_LEN(params), &r, e);

	if (code == ERR_OK && r.n)
		fill(&r, ret);
	else if (code == ERR_OK) { /* why not? */
		code = find(s, params, &ignored, e);
		if (code == ERR_OK) /* it came in between */
			code = err_set(e, ERR_NOT_FOUND, "this %s token is not known", kind);
	}
	arena_done(&a);
	return code;
}
