#include "cli/session.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"

#define TABLE_FORM "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

enum { ANSWER_MAX = 64 << 20, IDLE_MS = 300 * 1000, AGAIN_MS = 300 };

enum err_code session_open(const struct cli_values *v, struct session *ret, struct err *e)
{
	struct session s = {.values = v};
	enum err_code code = kinds_init(e);

	if (!code)
		code = kubeconfig_find(&s.arena, v->kubeconfig, &s.config, e);
	if (!code && v->ns && !kind_name_is_ok(v->ns))
		code = err_set(e, ERR_INVALID, "'%s' cannot be the name of a namespace", v->ns);
	if (code) {
		arena_done(&s.arena);
		return code;
	}
	s.ns = v->is_everywhere ? NULL : v->ns ? v->ns : s.config.ns ? s.config.ns : "default";
	*ret = s;
	return ERR_OK;
}

void session_done(struct session *s)
{
	if (s->json)
		http_client_free(s->json);
	if (s->table)
		http_client_free(s->table);
	arena_done(&s->arena);
}

static enum err_code
client_get(struct session *s, bool is_table, struct http_client **ret, struct err *e)
{
	struct http_client **c = is_table ? &s->table : &s->json;
	const struct http_client_conf conf = {
		.base_url = s->config.server,
		.ca_pem = s->config.ca_pem,
		.token = s->config.token,
		.cert_pem = s->config.cert_pem,
		.key_pem = s->config.key_pem,
		.accept = is_table ? TABLE_FORM : NULL,
	};
	enum err_code code = *c ? ERR_OK : http_client_new(&conf, c, e);

	if (!code)
		*ret = *c;
	return code;
}

enum err_code session_kind(const char *word, const struct kind **ret, struct err *e)
{
	const struct kind *k = kind_by_alias(word);

	if (!k)
		return err_set(
			e, ERR_INVALID,
			"there is no kind '%s': 'slipway get' without one lists them", word);
	*ret = k;
	return ERR_OK;
}

/* ---- paths ---- */

static void percent(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			buf_putc(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
	}
}

static const char *keep(struct session *s, const struct buf *b)
{
	return arena_strndup(&s->arena, b->p, b->n);
}

const char *session_path(struct session *s, const struct kind *k, const char *ns, const char *name)
{
	CLEANUP(buf_done) struct buf out = {0};

	buf_puts(&out, k->group[0] ? "/apis/" : "/api/");
	buf_puts(&out, k->api_version);
	if (k->is_namespaced && ns) {
		buf_puts(&out, "/namespaces/");
		percent(&out, ns);
	}
	buf_printf(&out, "/%s", k->plural);
	if (name) {
		buf_putc(&out, '/');
		percent(&out, name);
	}
	return keep(s, &out);
}

const char *session_query(struct session *s, const char *path, const char *const *pairs)
{
	CLEANUP(buf_done) struct buf out = {0};
	char before = strchr(path, '?') ? '&' : '?';

	buf_puts(&out, path);
	for (; pairs && pairs[0]; pairs += 2) {
		if (!pairs[1])
			continue;
		buf_printf(&out, "%c%s=", before, pairs[0]);
		percent(&out, pairs[1]);
		before = '&';
	}
	return keep(s, &out);
}

/* ---- calls ---- */

static enum err_code code_of(int status, const char *reason)
{
	static const struct {
		int status;
		enum err_code code;
	} codes[] = {
		{400, ERR_INVALID},     {401, ERR_UNAUTHORIZED}, {403, ERR_FORBIDDEN},
		{404, ERR_NOT_FOUND},   {409, ERR_CONFLICT},     {410, ERR_GONE},
		{413, ERR_LIMIT},       {422, ERR_INVALID},      {429, ERR_UNAVAILABLE},
		{503, ERR_UNAVAILABLE}, {504, ERR_TIMEOUT},
	};

	if (strcmp(reason, "AlreadyExists") == 0)
		return ERR_EXISTS;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return ERR_INTERNAL;
}

/* The sentence of a Status, or what came instead of one. */
static enum err_code status_err(int status, struct str body, const json_t *doc, struct err *e)
{
	const char *message = jv_str(doc, "message");
	enum err_code code = code_of(status, jv_str_or(doc, "reason", ""));

	if (code == ERR_UNAUTHORIZED)
		return err_set(
			e, code,
			"the platform does not know us (401): does the kubeconfig belong to it?");
	if (message)
		return err_set(e, code, "%s", message);
	body = str_trim(body);
	return err_set(
		e, code, "the API answered %d: %.*s", status, (int)MIN(body.n, (size_t)200),
		body.p);
}

static enum err_code reply_take(const struct http_reply *reply, json_t **ret, struct err *e)
{
	struct str body = buf_view(&reply->body);
	json_t *doc = NULL;
	enum err_code code = jv_parse(body, ANSWER_MAX, &doc, reply->status / 100 == 2 ? e : NULL);

	if (reply->status / 100 != 2)
		code = status_err(reply->status, body, doc, e);
	else if (code)
		return err_wrap(e, "the API's answer");
	if (code || !ret)
		jv_drop(&doc);
	else
		*ret = doc;
	return code;
}

static enum err_code
call(struct session *s, bool is_table, const char *method, const char *path,
     const char *content_type, struct str body, int *ret_status, json_t **ret, struct err *e)
{
	struct http_reply reply = {0};
	struct http_client *c;
	enum err_code code;

	code = client_get(s, is_table, &c, e);
	if (!code)
		code = http_client_call(c, method, path, content_type, body, &reply, e);
	if (code == ERR_UNAVAILABLE)
		return err_wrap(e, "the platform does not answer");
	if (code)
		return code;
	code = reply_take(&reply, ret, e);
	if (!code && ret_status)
		*ret_status = reply.status;
	buf_done(&reply.body);
	return code;
}

enum err_code session_call(
	struct session *s, const char *method, const char *path, const char *content_type,
	const json_t *body, int *ret_status, json_t **ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str text = body ? jv_text(&a, body) : STR("");
	const char *type = content_type ? content_type : "application/json";

	return call(s, false, method, path, body ? type : NULL, text, ret_status, ret, e);
}

enum err_code session_get(struct session *s, const char *path, json_t **ret, struct err *e)
{
	return call(s, false, "GET", path, NULL, STR(""), NULL, ret, e);
}

enum err_code session_get_table(struct session *s, const char *path, json_t **ret, struct err *e)
{
	return call(s, true, "GET", path, NULL, STR(""), NULL, ret, e);
}

/* ---- watches ---- */

struct watch {
	struct session *s;
	const char *path;
	const char *const *pairs;
	char revision[32];
	bool is_table;
	int64_t deadline; /* -1: none */
	session_event *on_event;
	void *arg;
	bool is_over; /* on_event said so */
	bool is_gone; /* rows were compacted away */
	struct err err; /* what an ERROR event said */
};

static void revision_take(struct watch *w, const json_t *object)
{
	const char *revision = jv_str(object, "metadata.resourceVersion");

	if (revision)
		snprintf(w->revision, sizeof(w->revision), "%s", revision);
}

static bool on_line(void *arg, struct str line)
{
	struct watch *w = arg;
	CLEANUP(jv_drop) json_t *event = NULL;
	const char *type;
	json_t *object;

	if (jv_parse(line, ANSWER_MAX, &event, NULL) != ERR_OK)
		return true;
	type = jv_str_or(event, "type", "");
	object = json_object_get(event, "object");
	if (strcmp(type, "ERROR") == 0) {
		w->is_gone = jv_int(object, "code", 0) == 410;
		status_err((int)jv_int(object, "code", 500), line, object, &w->err);
		return false;
	}
	revision_take(w, object);
	if (strcmp(type, "BOOKMARK") != 0 && !w->on_event(w->arg, type, object))
		w->is_over = true;
	return !w->is_over;
}

static int left_ms(const struct watch *w)
{
	if (w->deadline < 0)
		return IDLE_MS;
	return (int)MIN(MAX(w->deadline - clock_mono_ms(), (int64_t)1), (int64_t)IDLE_MS);
}

/* One connection's life. ERR_OK: it is to be asked whether to go on. */
static enum err_code stream(struct watch *w, struct err *e)
{
	const char *const more[] = {
		"watch",     "true", "allowWatchBookmarks", "true", "resourceVersion",
		w->revision, NULL,
	};
	const char *path = session_query(w->s, session_query(w->s, w->path, w->pairs), more);
	struct http_client *c;
	enum err_code code;
	int status = 200;

	code = client_get(w->s, w->is_table, &c, e);
	if (!code)
		code = http_client_stream(c, path, left_ms(w), on_line, w, &status, e);
	if (status == 410)
		w->is_gone = true;
	else if (!code && status != 200)
		return err_set(e, code_of(status, ""), "%s", str_trim(str_of(e->text)).p);
	if (code == ERR_TIMEOUT || code == ERR_UNAVAILABLE || w->is_gone)
		return ERR_OK; /* come again */
	return code;
}

/* Lists anew, and hands each object over as if it had come now. */
static enum err_code relist(struct watch *w, struct err *e)
{
	CLEANUP(jv_drop) json_t *list = NULL;
	enum err_code code;
	json_t *object;
	size_t i;

	code =
		call(w->s, w->is_table, "GET", session_query(w->s, w->path, w->pairs), NULL,
		     STR(""), NULL, &list, e);
	if (code)
		return code;
	revision_take(w, list);
	w->is_gone = false;
	if (w->is_table) {
		w->is_over = !w->on_event(w->arg, "ADDED", list);
		return ERR_OK;
	}
	json_array_foreach (json_object_get(list, "items"), i, object)
		if (!w->is_over)
			w->is_over = !w->on_event(w->arg, "ADDED", object);
	return ERR_OK;
}

enum err_code session_watch(
	struct session *s, const char *path, const char *const *pairs, const char *revision,
	bool is_table, int timeout_ms, session_event *on_event, void *arg, struct err *e)
{
	struct watch w = {
		.s = s,
		.path = path,
		.pairs = pairs,
		.is_table = is_table,
		.deadline = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms,
		.on_event = on_event,
		.arg = arg,
	};
	enum err_code code;

	snprintf(w.revision, sizeof(w.revision), "%s", revision);
	for (;;) {
		code = w.is_gone ? relist(&w, e) : stream(&w, e);
		if (w.is_over)
			return ERR_OK;
		if (code && code != ERR_UNAVAILABLE)
			return code;
		if (w.err.code && !w.is_gone) {
			*e = w.err;
			return e->code;
		}
		if (w.deadline >= 0 && clock_mono_ms() >= w.deadline)
			return err_set(e, ERR_TIMEOUT, "it took longer than the time given");
		poll(NULL, 0, AGAIN_MS); /* a server that restarts is not hammered */
	}
}
