#include "api/read.h"

#include "api/live.h"
#include "api/reply.h"
#include "api/rotation.h"
#include "api/selection.h"
#include "api/status.h"
#include "api/table.h"
#include "base/secret.h"

json_t *read_revision(struct call *c, int64_t *ret)
{
	const char *text = call_query(c, "resourceVersion", NULL);

	*ret = -1;
	if (!text || (str_to_i64(str_of(text), ret) && *ret >= 0))
		return NULL;
	return status_bad_request(
		"resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": "
		"invalid syntax",
		text, text);
}

json_t *read_get(struct call *c)
{
	const struct kind *k = c->route.kind;
	CLEANUP(jv_drop) json_t *o = NULL;
	struct err e = {0};
	json_t *status = NULL;
	enum err_code code;

	code = store_get(
		c->api->store, (struct store_key){k->name, c->route.ns, c->route.name}, &o, &e);
	if (code)
		return status_of_err(k, c->route.name, code, &e);
	if (c->accept.form == FORM_OBJECT && rotation_is_pending(k, o))
		status = rotation_finish(c, &o);
	if (status)
		return status;
	live_lay(c->api, k, o);
	return reply_object(c, 200, o);
}

/* A continue token: where the list goes on, and the revision that its first page was of. */

static const char *token_make(struct call *c, int64_t revision, const char *after)
{
	const char *text = arena_printf(c->arena, "%lld %s", (long long)revision, after);

	return secret_base64(c->arena, str_of(text));
}

static json_t *token_read(struct call *c, const char *token, int64_t *ret, const char **ret_after)
{
	struct str text = {0}, revision;
	bool is_ok = !secret_unbase64(c->arena, str_of(token), &text, NULL);

	is_ok = is_ok && str_split(&text, ' ', &revision) && str_to_i64(revision, ret) && text.p &&
		memchr(text.p, '/', text.n);
	if (!is_ok)
		return status_bad_request(
			"continue key is not valid: it is not one that this server gave out");
	*ret_after = arena_strndup(c->arena, text.p, text.n);
	return NULL;
}

/* A list while it is read: objects come one by one, as text. */
struct listing {
	struct call *c;
	struct selection selection;
	size_t limit; /* 0: none */
	size_t n;
	int64_t first_revision; /* of the first page; 0: this is it */
	const char *after; /* NULL: from the start */
	const char *last; /* "namespace/name" of the last one taken, when there are more */
	struct buf items;
	json_t *table; /* NULL: no table is wanted */
	enum table_include include;
	char place[KIND_NAME_MAX + KIND_LONG_NAME_MAX + 2];
	bool is_pending; /* a Secret waits to be fetched */
};

static void take_text(struct listing *l, struct str text)
{
	if (l->n > 1)
		buf_putc(&l->items, ',');
	buf_str(&l->items, text);
}

static void take_value(struct listing *l, json_t *o)
{
	const struct kind *k = l->c->route.kind;

	live_lay(l->c->api, k, o);
	if (l->table) {
		table_add(l->table, k, o, l->include);
		return;
	}
	if (l->n > 1)
		buf_putc(&l->items, ',');
	if (l->c->accept.form == FORM_METADATA) {
		CLEANUP(jv_drop) json_t *meta = table_metadata(o);

		jv_print(&l->items, meta, false);
	} else {
		l->is_pending |= rotation_is_pending(k, o);
		jv_print(&l->items, o, false);
	}
}

/* Most lists need no look at their objects: the text that is stored is the text that is sent. */
static bool needs_value(const struct listing *l, struct str text)
{
	return !l->selection.is_exact || l->c->accept.form != FORM_OBJECT ||
		live_may_lay(l->c->route.kind, text) ||
		rotation_may_be_pending(l->c->route.kind, text);
}

static bool on_text(void *arg, const char *ns, const char *name, struct str text)
{
	struct listing *l = arg;
	CLEANUP(jv_drop) json_t *o = NULL;

	if (needs_value(l, text) && jv_parse(text, SIZE_MAX, &o, NULL))
		return true; /* cannot be: it was written as JSON */
	if (o && !selection_takes(&l->selection, o))
		return true;
	if (l->limit && l->n == l->limit) {
		l->last = l->place;
		return false;
	}
	l->n++;
	if (l->limit)
		snprintf(l->place, sizeof(l->place), "%s/%s", ns, name);
	if (o)
		take_value(l, o);
	else
		take_text(l, text);
	return true;
}

static json_t *read_limit(struct listing *l)
{
	const char *token = call_query(l->c, "continue", NULL);
	const char *limit = call_query(l->c, "limit", NULL);
	uint64_t n = 0;

	if (limit && !str_to_u64(str_of(limit), &n))
		return status_bad_request("limit: Invalid value: \"%s\": must be a number", limit);
	l->limit = (size_t)MIN(n, UINT64_C(1000000));
	if (token)
		return token_read(l->c, token, &l->first_revision, &l->after);
	return NULL;
}

static bool is_word(const char *text, const char *word)
{
	return text && !strcmp(text, word);
}

/* resourceVersion and resourceVersionMatch, before the list is read. */
static json_t *check_match(struct call *c, bool goes_on, int64_t asked)
{
	const char *match = call_query(c, "resourceVersionMatch", NULL);
	const char *field = "resourceVersionMatch";

	if (goes_on && asked > 0)
		return status_bad_request(
			"specifying resource version is not allowed when using continue");
	if (!match)
		return NULL;
	if (asked < 0)
		return status_bad_option(
			"ListOptions", field, "FieldValueForbidden",
			"Forbidden: resourceVersionMatch is forbidden unless resourceVersion is "
			"provided");
	if (goes_on)
		return status_bad_option(
			"ListOptions", field, "FieldValueForbidden",
			"Forbidden: resourceVersionMatch is forbidden when continue is provided");
	if (!is_word(match, "Exact") && !is_word(match, "NotOlderThan"))
		return status_bad_option(
			"ListOptions", field, "FieldValueNotSupported",
			arena_printf(
				c->arena,
				"Unsupported value: \"%s\": supported values: \"Exact\", "
				"\"NotOlderThan\", \"\"",
				match));
	if (is_word(match, "Exact") && asked == 0)
		return status_bad_option(
			"ListOptions", field, "FieldValueForbidden",
			"Forbidden: resourceVersionMatch \"Exact\" is forbidden for "
			"resourceVersion \"0\"");
	return NULL;
}

/* We always list what is now: right for all that ask for "not older", and for an exact revision
 * only as long as it is the last one. */
static json_t *check_revision(struct call *c, int64_t asked, int64_t current)
{
	if (asked > current)
		return status_too_new(asked, current);
	if (asked > 0 && asked < current &&
	    is_word(call_query(c, "resourceVersionMatch", NULL), "Exact"))
		return status_expired(
			"The resourceVersion for the provided list is too old (%lld, current: "
			"%lld).",
			(long long)asked, (long long)current);
	return NULL;
}

static json_t *list_metadata(struct listing *l, int64_t revision)
{
	int64_t first = l->first_revision ? l->first_revision : revision;
	json_t *meta =
		json_pack("{s:o}", "resourceVersion", json_sprintf("%lld", (long long)first));

	if (l->last)
		json_object_set_new(
			meta, "continue", json_string(token_make(l->c, first, l->last)));
	return meta;
}

static void list_print(struct listing *l, struct buf *out, int64_t revision)
{
	const struct kind *k = l->c->route.kind;
	bool is_metadata = l->c->accept.form == FORM_METADATA;
	CLEANUP(jv_drop) json_t *meta = list_metadata(l, revision);

	buf_reserve(out, l->items.n + 300);
	buf_printf(
		out, "{\"kind\":\"%s%s\",\"apiVersion\":\"%s\",\"metadata\":",
		is_metadata ? "PartialObjectMetadata" : k->name, "List",
		is_metadata ? "meta.k8s.io/v1" : k->api_version);
	jv_print(out, meta, false);
	buf_puts(out, ",\"items\":[");
	buf_str(out, buf_view(&l->items));
	buf_puts(out, "]}\n");
}

static void list_reply(struct listing *l, int64_t revision)
{
	struct call *c = l->c;
	CLEANUP(jv_drop) json_t *value = NULL;
	struct buf text = {0};

	if (l->table) {
		json_object_set_new(l->table, "metadata", list_metadata(l, revision));
		reply_value(c, 200, l->table);
		return;
	}
	if (!c->accept.is_yaml) {
		c->rs->content_type = "application/json";
		list_print(l, &c->rs->body, revision);
		return;
	}
	list_print(l, &text, revision);
	if (!jv_parse(buf_view(&text), SIZE_MAX, &value, NULL))
		reply_value(c, 200, value);
	buf_done(&text);
}

static json_t *list_read(struct listing *l, int64_t asked)
{
	struct call *c = l->c;
	size_t limit = l->limit && l->selection.is_exact ? l->limit + 1 : 0;
	struct err e = {0};
	int64_t revision = 0;
	json_t *status;
	enum err_code code;

	code = store_list(
		c->api->store, c->route.kind->name, &l->selection.store, limit, l->after, on_text,
		l, &revision, &e);
	if (code)
		return status_of_err(c->route.kind, NULL, code, &e);
	status = check_revision(c, asked, revision);
	if (!status && !l->is_pending)
		list_reply(l, revision);
	return status;
}

static json_t *listing_begin(struct listing *l, int64_t *ret_asked)
{
	struct call *c = l->c;
	json_t *status = selection_read(c, &l->selection);

	if (!status)
		status = read_limit(l);
	if (!status)
		status = read_revision(c, ret_asked);
	if (!status)
		status = check_match(c, l->after != NULL, *ret_asked);
	if (!status && !table_include_parse(http_query(c->rq, "includeObject"), &l->include))
		status = status_bad_request("includeObject must be None, Metadata or Object");
	if (!status && c->accept.form == FORM_TABLE)
		l->table = table_new(c->route.kind, true);
	return status;
}

static void listing_done(struct listing *l)
{
	selection_done(&l->selection);
	buf_done(&l->items);
	json_decref(l->table);
}

json_t *read_list(struct call *c)
{
	json_t *status = NULL;

	/* a list with new passwords in it is read again once the servers take them */
	for (bool is_pending = true; !status && is_pending;) {
		struct listing l = {.c = c};
		int64_t asked;

		status = listing_begin(&l, &asked);
		if (!status)
			status = list_read(&l, asked);
		is_pending = !status && l.is_pending;
		listing_done(&l);
		if (is_pending)
			status = rotation_finish_all(c);
	}
	return status;
}
