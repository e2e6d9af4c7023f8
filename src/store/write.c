/*
 * store_write: read what is there, decide (change.c), commit if it is still so (committer.c), and
 * begin again if it is not.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/state.h"

/* Only writers in other processes can come between: in this one, busy keeps them apart. */
enum { TRIES = 20 };

/* One write on its way. */
struct attempt {
	json_t *base; /* NULL: not there */
	int64_t base_revision;
	struct change change; /* object NULL: not planned yet */
	struct commit_row *row;
};

static void attempt_reset(struct attempt *a)
{
	json_decref(a->base);
	json_decref(a->change.object);
	free(a->row->old_labels);
	free(a->row->labels);
	buf_done(&a->row->body);
	*a->row = (struct commit_row){0};
	*a = (struct attempt){.row = a->row};
}

static enum err_code
read_base(struct store *s, struct store_key key, struct attempt *a, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	const char *params[] = {key.kind, key.ns, key.name};
	enum err_code code = sessions_exec(
		&s->sessions, true, "object_get",
		"SELECT revision, body FROM slipway.object"
		" WHERE kind = $1 AND namespace = $2 AND name = $3",
		params, 3, &r, e);

	if (code != ERR_OK || r.n == 0)
		return code;
	a->base_revision = db_int(&r, 0, 0);
	cache_put(&s->cache, key, db_text(&r, 0, 1), a->base_revision);
	return object_parse(db_text(&r, 0, 1), a->base_revision, key, s->key, &a->base, e);
}

/* What there may be, without a question to the database: nothing where something is created, else
 * what the cache has. Says whether there is a guess. */
static bool guess_base(struct store *s, const struct store_write *w, struct attempt *a)
{
	CLEANUP(buf_done) struct buf body = {0};

	return w->verb == STORE_CREATE ||
		(cache_get(&s->cache, w->key, &body, &a->base_revision) &&
		 object_parse(buf_view(&body), a->base_revision, w->key, s->key, &a->base, NULL) ==
			 ERR_OK);
}

enum err_code store_get(struct store *s, struct store_key key, json_t **ret, struct err *e)
{
	struct attempt a = {0};
	char text[OBJECT_KEY_TEXT];
	enum err_code code = read_base(s, key, &a, e);

	if (code != ERR_OK)
		return code;
	if (!a.base)
		return err_set(e, ERR_NOT_FOUND, "%s not found", object_key_text(key, text));
	*ret = a.base;
	return ERR_OK;
}

static char *labels_text(const json_t *o)
{
	const json_t *labels = json_object_get(json_object_get(o, "metadata"), "labels");
	struct buf b = {0};

	if (!json_object_size(labels))
		return NULL;
	jv_print(&b, labels, false);
	return b.p;
}

static enum err_code
fill_row(struct store *s, const struct store_write *w, struct attempt *a, struct err *e)
{
	struct commit_row *r = a->row;
	const char *uid;

	*r = (struct commit_row){.op = a->change.op, .key = w->key, .base = a->base_revision};
	if (r->op == CHANGE_NONE)
		return ERR_OK;
	uid = json_string_value(
		json_object_get(json_object_get(a->change.object, "metadata"), "uid"));
	memcpy(r->uid, uid, MIN(strlen(uid) + 1, sizeof(r->uid)));
	r->old_labels = labels_text(a->base);
	r->labels = labels_text(a->change.object);
	return object_body(&r->body, a->change.object, w->key, s->key, e);
}

static enum err_code
decide(struct store *s, const struct store_write *w, struct attempt *a, struct err *e)
{
	char now[CLOCK_TEXT], uid[OBJECT_UID];
	enum err_code code;

	object_uid_new(uid);
	code = change_plan(
		w, a->base, a->base_revision, clock_text_s(clock_wall_us(), now), uid, &a->change,
		e);
	return code == ERR_OK ? fill_row(s, w, a, e) : code;
}

/* Decides one write. The first time it does so on a guess, which is good enough for what the commit
 * checks, but not for an answer without a commit. */
static enum err_code
plan(struct store *s, const struct store_write *w, bool is_first, struct attempt *a, struct err *e)
{
	enum err_code code;

	if (is_first && guess_base(s, w, a) && decide(s, w, a, e) == ERR_OK &&
	    a->change.op != CHANGE_NONE)
		return ERR_OK;
	attempt_reset(a);
	code = read_base(s, w->key, a, e);
	return code == ERR_OK ? decide(s, w, a, e) : code;
}

static enum err_code plan_all(
	struct store *s, struct store_write *w, size_t n, bool is_first, struct attempt *a,
	struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		attempt_reset(&a[i]);
		w[i].code = plan(s, &w[i], is_first, &a[i], e);
		if (w[i].code != ERR_OK)
			return w[i].code;
	}
	return ERR_OK;
}

static bool is_all_done(const struct attempt *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].change.op != CHANGE_NONE)
			return false;
	return true;
}

static enum err_code
try_all(struct store *s, struct store_write *w, size_t n, struct attempt *a, struct err *e)
{
	struct commit work = {.rows = a[0].row, .n = n};
	enum err_code code;

	for (int i = 0; i < TRIES; i++) {
		code = plan_all(s, w, n, i == 0, a, e);
		if (code != ERR_OK || is_all_done(a, n))
			return code;
		code = committer_run(s->committer, &work, e);
		if (code != ERR_CONFLICT)
			break;
	}
	w[0].code = code;
	return code;
}

static void keep_result(struct store *s, const struct store_write *w, const struct attempt *a)
{
	if (a->change.op == CHANGE_DELETE)
		cache_drop(&s->cache, w->key);
	else if (a->change.op != CHANGE_NONE)
		cache_put(&s->cache, w->key, buf_view(&a->row->body), a->row->revision);
}

/* What the caller gets must not change when the caller changes what it gave. */
static void give_result(struct store_write *w, const struct attempt *a)
{
	int64_t revision = a->row->revision ? a->row->revision : a->base_revision;

	w->code = ERR_OK;
	w->is_changed = a->change.op != CHANGE_NONE;
	w->ret = json_deep_copy(a->change.object);
	object_set_revision(w->ret, revision);
}

enum err_code store_write(struct store *s, struct store_write *w, size_t n, struct err *e)
{
	struct commit_row *rows = mem_alloc(n * sizeof(*rows));
	struct attempt *a = mem_alloc(n * sizeof(*a));
	enum err_code code = busy_take(&s->busy, w, n, e);
	bool is_taken = code == ERR_OK;

	for (size_t i = 0; i < n; i++) {
		a[i].row = &rows[i];
		w[i].code = ERR_CONFLICT; /* not tried, as long as nobody says otherwise */
		w[i].ret = NULL;
		w[i].is_changed = false;
	}
	if (is_taken && n)
		code = try_all(s, w, n, a, e);
	for (size_t i = 0; i < n; i++) {
		if (code == ERR_OK) {
			keep_result(s, &w[i], &a[i]);
			give_result(&w[i], &a[i]);
		} else if (w[i].code == ERR_OK) {
			w[i].code = ERR_CONFLICT;
		}
		attempt_reset(&a[i]);
	}
	if (is_taken)
		busy_give(&s->busy, w, n);
	free(rows);
	free(a);
	return code;
}
