/*
 * store_list: one snapshot gives the revision and the rows. They are streamed: a list of any length
 * takes the memory of one object.
 */
#include <inttypes.h>
#include <stdio.h>

#include "store/filter.h"
#include "store/state.h"

enum column { NAMESPACE, NAME, REVISION, BODY, LABELS };

struct listing {
	struct store *store;
	const char *kind;
	const json_t *labels; /* NULL: SQL has filtered all */
	size_t left; /* SIZE_MAX: no limit */
	store_text *on_text;
	void *arg;
	struct buf text;
	enum err_code code;
	struct err *err;
};

static bool on_row(void *arg, const struct db_rows *row)
{
	struct listing *l = arg;
	struct store_key key = {l->kind, db_text(row, 0, NAMESPACE).p, db_text(row, 0, NAME).p};
	struct str labels = {0};

	if (l->labels && !db_is_null(row, 0, LABELS))
		labels = db_text(row, 0, LABELS);
	if (!filter_takes_labels(l->labels, labels))
		return true;
	buf_clear(&l->text);
	l->code = object_text(
		&l->text, db_text(row, 0, BODY), db_int(row, 0, REVISION), key, l->store->key,
		l->err);
	if (l->code != ERR_OK || !l->on_text(l->arg, key.ns, key.name, buf_view(&l->text)))
		return false;
	return --l->left > 0;
}

struct query {
	struct buf sql;
	char name[32];
	const char *params[8];
	int n;
};

/* Adds a condition of which %d is the number of its parameter. */
static void add_condition(struct query *q, const char *before, const char *after, const char *value)
{
	q->params[q->n++] = value;
	buf_printf(&q->sql, "%s$%d%s", before, q->n, after);
}

static void query_build(
	struct query *q, const char *kind, const struct store_filter *f, const char *limit,
	const char *after_ns, const char *after_name)
{
	bool has_ns = f && f->ns && f->ns[0];
	bool has_name = f && f->name;
	bool has_labels = f && json_array_size(f->labels);

	snprintf(
		q->name, sizeof(q->name), "list%s%s%s%s%s", has_ns ? "_ns" : "",
		has_name ? "_name" : "", has_labels ? "_labels" : "", after_name ? "_after" : "",
		limit ? "_limit" : "");
	buf_puts(&q->sql, "SELECT namespace, name, revision, body");
	if (has_labels)
		buf_puts(&q->sql, ", labels");
	add_condition(q, " FROM slipway.object WHERE kind = ", "", kind);
	if (has_ns)
		add_condition(q, " AND namespace = ", "", f->ns);
	if (has_name)
		add_condition(q, " AND name = ", "", f->name);
	if (after_name) {
		add_condition(q, " AND (namespace, name) > (", "", after_ns);
		add_condition(q, ", ", ")", after_name);
	}
	buf_puts(&q->sql, " ORDER BY namespace, name");
	if (limit)
		add_condition(q, " LIMIT ", "::text::bigint", limit);
}

static enum err_code begin(struct db *d, int64_t *ret_revision, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	enum err_code code = db_script(d, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", e);

	if (code == ERR_OK)
		code = db_exec_named(
			d, "revision", "SELECT n FROM slipway.revision", NULL, 0, &r, e);
	if (code == ERR_OK)
		*ret_revision = db_int(&r, 0, 0);
	return code;
}

/* A session that breaks before a row has come may have been lost while it idled: is_again. */
static enum err_code
run(struct listing *l, struct query *q, int64_t *ret_revision, bool *is_again, struct err *e)
{
	int64_t revision = 0;
	struct db *d;
	enum err_code code = sessions_get(&l->store->sessions, &d, e);

	*is_again = false;
	if (code != ERR_OK)
		return code;
	code = begin(d, &revision, e);
	*is_again = code == ERR_UNAVAILABLE;
	if (code == ERR_OK)
		code = db_stream(d, q->name, buf_view(&q->sql).p, q->params, q->n, on_row, l, e);
	if (code == ERR_OK)
		code = db_script(d, "COMMIT", e);
	sessions_note(&l->store->sessions, code);
	sessions_put(&l->store->sessions, d);
	if (code == ERR_OK && l->code == ERR_OK)
		*ret_revision = revision;
	return code == ERR_OK ? l->code : code;
}

enum err_code store_list(
	struct store *s, const char *kind, const struct store_filter *f, size_t limit,
	const char *after, store_text *on_text, void *arg, int64_t *ret_revision, struct err *e)
{
	struct listing l = {
		.store = s,
		.kind = kind,
		.labels = f && json_array_size(f->labels) ? f->labels : NULL,
		.left = limit ? limit : SIZE_MAX,
		.on_text = on_text,
		.arg = arg,
		.err = e,
	};
	CLEANUP(mem_drop) char *after_ns = after ? mem_strdup(after) : NULL;
	char *slash = after_ns ? strchr(after_ns, '/') : NULL;
	struct query q = {0};
	char limit_text[24];
	bool is_again;
	enum err_code code = filter_check(f, e);

	if (code == ERR_OK && after && !slash)
		code = err_set(e, ERR_INVALID, "'%s' is no place in a list", after);
	if (code != ERR_OK)
		return code;
	if (slash)
		*slash = '\0';
	snprintf(limit_text, sizeof(limit_text), "%zu", limit);
	query_build(
		&q, kind, f, limit && !l.labels ? limit_text : NULL, after_ns,
		slash ? slash + 1 : NULL);
	code = run(&l, &q, ret_revision, &is_again, e);
	if (is_again)
		code = run(&l, &q, ret_revision, &is_again, e);
	buf_done(&q.sql);
	buf_done(&l.text);
	return code;
}

struct parsed {
	json_t *array;
	enum err_code code;
	struct err *err;
};

static bool on_parse(void *arg, const char *ns, const char *name, struct str text)
{
	struct parsed *p = arg;
	json_t *v;

	(void)ns;
	(void)name;
	p->code = jv_parse(text, SIZE_MAX, &v, p->err);
	if (p->code == ERR_OK)
		json_array_append_new(p->array, v);
	return p->code == ERR_OK;
}

enum err_code store_list_json(
	struct store *s, const char *kind, const struct store_filter *f, json_t **ret,
	int64_t *ret_revision, struct err *e)
{
	struct parsed p = {json_array(), ERR_OK, e};
	enum err_code code = store_list(s, kind, f, 0, NULL, on_parse, &p, ret_revision, e);

	if (code == ERR_OK)
		code = p.code;
	if (code != ERR_OK) {
		json_decref(p.array);
		return code;
	}
	*ret = p.array;
	return ERR_OK;
}
