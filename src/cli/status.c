/* The verb `status`: the whole platform at a glance, and what is not fine. */
#include <stdio.h>

#include "cli/get.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "kinds/cond.h"

/* What is found; as JSON too. */
struct status {
	struct session *s;
	json_t *doc; /* {"api", "systemDatabase", "hosts": [], "databases": [], "troubles": []} */
};

static void trouble(struct status *st, const char *what, const char *sentence)
{
	json_array_append_new(
		json_object_get(st->doc, "troubles"),
		json_sprintf("%s: %s", what, sentence[0] ? sentence : "nothing is known yet"));
}

static bool is_ready(const json_t *object)
{
	const char *ready = cond_status(object, "Ready");

	return ready && strcmp(ready, "True") == 0;
}

static json_t *entry_of(const json_t *object)
{
	json_t *one = json_pack(
		"{s:s, s:b, s:s}", "name", jv_str_or(object, "metadata.name", ""), "ready",
		is_ready(object), "message", progress_sentence(object));

	jv_set_str(one, "namespace", jv_str(object, "metadata.namespace"));
	return one;
}

static void host_take(struct status *st, const json_t *host)
{
	json_t *one = entry_of(host);

	jv_set_str(one, "zone", jv_str_or(host, "spec.zone", "?"));
	jv_set_str(one, "address", jv_str(host, "status.address"));
	jv_set_str(one, "majors", jv_str(host, "status.majors"));
	json_object_set_new(one, "members", json_integer(jv_int(host, "status.memberCount", 0)));
	json_object_set_new(
		one, "takesMembers", json_boolean(!jv_bool(host, "spec.unschedulable", false)));
	json_array_append_new(json_object_get(st->doc, "hosts"), one);
	if (!is_ready(host))
		trouble(st,
			arena_printf(
				&st->s->arena, "host %s", jv_str_or(host, "metadata.name", "?")),
			progress_sentence(host));
}

static void database_take(struct status *st, const json_t *d)
{
	const char *title = arena_printf(
		&st->s->arena, "database %s/%s", jv_str_or(d, "metadata.namespace", "?"),
		jv_str_or(d, "metadata.name", "?"));
	const char *replicated = cond_status(d, "Replicated");
	json_t *one = entry_of(d);

	jv_set_str(one, "tier", jv_str_or(d, "spec.tier", "single"));
	jv_set_str(one, "version", jv_str_or(d, "spec.version", "?"));
	json_array_append_new(json_object_get(st->doc, "databases"), one);
	if (!is_ready(d))
		trouble(st, title, progress_sentence(d));
	else if (replicated && strcmp(replicated, "True") != 0)
		trouble(st, title, jv_str_or(cond_get(d, "Replicated"), "message", ""));
}

static enum err_code
each(struct status *st, const char *kind, void (*take)(struct status *st, const json_t *object),
     struct err *e)
{
	CLEANUP(jv_drop) json_t *list = NULL;
	enum err_code code;
	json_t *object;
	size_t i;

	code = session_get(st->s, session_path(st->s, kind_by_name(kind), NULL, NULL), &list, e);
	if (code)
		return code;
	json_array_foreach (json_object_get(list, "items"), i, object)
		take(st, object);
	return ERR_OK;
}

/* The API answers without its database too, and says so. */
static enum err_code look(struct status *st, struct err *e)
{
	enum err_code code = each(st, "Host", host_take, e);

	if (!code)
		code = each(st, "Database", database_take, e);
	jv_set_str(st->doc, "systemDatabase", code == ERR_UNAVAILABLE ? "away" : "fine");
	if (!code && !json_array_size(json_object_get(st->doc, "hosts")))
		trouble(st, "hosts", "no host has joined yet");
	return code;
}

static const char *host_text(const json_t *h)
{
	if (!jv_bool(h, "ready", false))
		return jv_str_or(h, "message", "");
	return jv_bool(h, "takesMembers", true) ? "ready" : "ready, takes no new members";
}

static void print_hosts(struct status *st, struct buf *out)
{
	struct rows rows = {.arena = &st->s->arena};
	const json_t *h;
	size_t i;

	rows_add(
		&rows,
		(const char *const[]){
			"ZONE", "HOST", "ADDRESS", "MEMBERS", "POSTGRESQL", "", NULL});
	json_array_foreach (json_object_get(st->doc, "hosts"), i, h)
		rows_add(
			&rows,
			(const char *const[]){
				jv_str_or(h, "zone", "?"), jv_str_or(h, "name", "?"),
				jv_str_or(h, "address", "-"),
				arena_printf(
					&st->s->arena, "%lld", (long long)jv_int(h, "members", 0)),
				jv_str_or(h, "majors", "-"), host_text(h), NULL});
	if (i)
		rows_print(out, &rows, "  ");
}

static void print_databases(struct status *st, struct buf *out)
{
	struct rows rows = {.arena = &st->s->arena};
	const json_t *d;
	size_t i;

	rows_add(
		&rows,
		(const char *const[]){
			"NAMESPACE", "DATABASE", "TIER", "VERSION", "READY", "", NULL});
	json_array_foreach (json_object_get(st->doc, "databases"), i, d)
		rows_add(
			&rows,
			(const char *const[]){
				jv_str_or(d, "namespace", "?"), jv_str_or(d, "name", "?"),
				jv_str_or(d, "tier", "?"), jv_str_or(d, "version", "?"),
				jv_bool(d, "ready", false) ? "yes" : "no",
				jv_str_or(d, "message", ""), NULL});
	if (i)
		rows_print(out, &rows, "  ");
}

static size_t count_ready(const json_t *list)
{
	const json_t *one;
	size_t n = 0, i;

	json_array_foreach (list, i, one)
		n += jv_bool(one, "ready", false);
	return n;
}

static void print_all(struct status *st, struct buf *out)
{
	const json_t *hosts = json_object_get(st->doc, "hosts");
	const json_t *databases = json_object_get(st->doc, "databases");
	const json_t *troubles = json_object_get(st->doc, "troubles"), *text;
	size_t i;

	buf_printf(out, "API and system database at %s: fine\n", jv_str_or(st->doc, "api", "?"));
	buf_printf(out, "\nHosts: %zu of %zu ready\n", count_ready(hosts), json_array_size(hosts));
	print_hosts(st, out);
	buf_printf(
		out, "\nDatabases: %zu of %zu ready\n", count_ready(databases),
		json_array_size(databases));
	print_databases(st, out);
	if (!json_array_size(troubles)) {
		buf_puts(out, "\nAll is fine.\n");
		return;
	}
	buf_puts(out, "\nNot fine:\n");
	json_array_foreach (troubles, i, text)
		buf_printf(out, "  %s\n", json_string_value(text));
}

static int answer(struct status *st)
{
	CLEANUP(buf_done) struct buf out = {0};
	const char *form = st->s->values->output;
	int ret;

	if (strcmp(form, "table") == 0) {
		print_all(st, &out);
		ret = cli_print(&out);
	} else {
		ret = get_print(form, st->doc);
	}
	return ret || json_array_size(json_object_get(st->doc, "troubles")) ? 1 : 0;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct status st = {0};
	enum err_code code;
	struct session s;
	struct err e;
	int ret;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	st.s = &s;
	st.doc = json_pack(
		"{s:s, s:s, s:[], s:[], s:[]}", "api", s.config.server, "systemDatabase", "",
		"hosts", "databases", "troubles");
	code = look(&st, &e);
	ret = code ? cli_fail(&e) : answer(&st);
	json_decref(st.doc);
	session_done(&s);
	return ret;
}

static void defaults(void *values)
{
	((struct cli_values *)values)->output = "table";
}

static const struct opt opts[] = {
	CLI_OUTPUT("table|json|yaml", "The form (table, which is text)."),
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb status_verb = {
	.name = "status",
	.args = "",
	.help = "Show the whole platform at a glance: hosts by zone, databases, what is not fine.",
	.examples = "slipway status\nslipway status -o json | jq -r '.troubles[]'",
	.exits = "0  all is fine\n1  something is not, or the platform does not answer",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
