/* The verb `describe`: one object in the words that a person wants to read. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "codec/yaml.h"
#include "kinds/cond.h"

struct describe {
	struct session *s;
	const struct kind *kind;
	json_t *object, *events; /* events: an array */
	struct rows head;
	struct buf out;
};

/* "3m12s", of an RFC 3339 time; "" for none. */
static const char *age(struct arena *a, const char *time)
{
	char text[CLOCK_TEXT];
	int64_t us;

	if (!time || clock_parse(str_of(time), &us, NULL) != ERR_OK)
		return "";
	return arena_strdup(a, clock_age(clock_wall_us() - us, text));
}

static void head_line(struct rows *rows, const char *name, const char *value)
{
	if (value && value[0])
		rows_add(rows, (const char *const[]){name, value, NULL});
}

/* "a=1, b=2" */
static const char *pairs_text(struct arena *a, const json_t *pairs)
{
	const char *text = "", *key;
	json_t *v;

	json_object_foreach ((json_t *)(uintptr_t)pairs, key, v)
		text = arena_printf(
			a, "%s%s%s=%s", text, text[0] ? ", " : "", key,
			json_is_string(v) ? json_string_value(v) : "...");
	return text;
}

static const char *names_text(struct arena *a, const json_t *list)
{
	const char *text = "";
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		text = arena_printf(
			a, "%s%s%s", text, text[0] ? ", " : "",
			json_is_string(one) ? json_string_value(one) : jv_str_or(one, "name", "?"));
	return text;
}

static void head_make(struct describe *d)
{
	struct arena *a = &d->s->arena;
	struct rows *rows = &d->head;

	rows->arena = a;
	head_line(rows, d->kind->name, jv_str(d->object, "metadata.name"));
	head_line(rows, "Namespace", jv_str(d->object, "metadata.namespace"));
	head_line(rows, "Labels", pairs_text(a, jv_at(d->object, "metadata.labels")));
	head_line(rows, "Age", age(a, jv_str(d->object, "metadata.creationTimestamp")));
	if (jv_str(d->object, "metadata.deletionTimestamp"))
		head_line(
			rows, "Deleted",
			arena_printf(
				a, "%s ago",
				age(a, jv_str(d->object, "metadata.deletionTimestamp"))));
}

static void condition_add(struct rows *rows, const json_t *c)
{
	rows_add(
		rows,
		(const char *const[]){
			jv_str_or(c, "type", ""), jv_str_or(c, "status", ""),
			age(rows->arena, jv_str(c, "lastTransitionTime")),
			jv_str_or(c, "message", ""), NULL});
}

static void print_conditions(struct describe *d)
{
	struct rows rows = {.arena = &d->s->arena};
	const json_t *ready = cond_get(d->object, "Ready"), *c;
	size_t i;

	if (ready) /* it says most */
		condition_add(&rows, ready);
	json_array_foreach (jv_at(d->object, "status.conditions"), i, c)
		if (c != ready)
			condition_add(&rows, c);
	if (!rows.n)
		return;
	buf_puts(&d->out, "\nHow it is:\n");
	rows_print(&d->out, &rows, "  ");
}

static const char *event_time(const json_t *ev)
{
	return jv_str_or(
		ev, "lastTimestamp",
		jv_str_or(ev, "eventTime", jv_str_or(ev, "metadata.creationTimestamp", "")));
}

static int by_time(const void *a, const void *b)
{
	return strcmp(event_time(*(const json_t *const *)a), event_time(*(const json_t *const *)b));
}

static void print_events(struct describe *d)
{
	struct arena *a = &d->s->arena;
	struct rows rows = {.arena = a};
	size_t n = json_array_size(d->events);
	const json_t **all = arena_array(a, const json_t *, n + 1);

	for (size_t i = 0; i < n; i++)
		all[i] = json_array_get(d->events, i);
	qsort(all, n, sizeof(*all), by_time);
	for (size_t i = 0; i < n; i++)
		rows_add(
			&rows,
			(const char *const[]){
				age(a, event_time(all[i])), jv_str_or(all[i], "type", ""),
				jv_str_or(all[i], "reason", ""), jv_str_or(all[i], "message", ""),
				NULL});
	if (!rows.n)
		return;
	buf_puts(&d->out, "\nWhat happened (the time since):\n");
	rows_print(&d->out, &rows, "  ");
}

static const char *lag_text(struct arena *a, const json_t *m)
{
	int64_t lag = jv_int(m, "lagBytes", -1);

	if (strcmp(jv_str_or(m, "role", ""), "primary") == 0 || lag < 0)
		return "";
	return lag ? arena_printf(a, "%lld bytes behind", (long long)lag) : "no lag";
}

static void print_members(struct describe *d)
{
	struct arena *a = &d->s->arena;
	struct rows rows = {.arena = a};
	const json_t *m;
	size_t i;

	json_array_foreach (jv_at(d->object, "status.members"), i, m)
		rows_add(
			&rows,
			(const char *const[]){
				jv_str_or(m, "zone", "?"), jv_str_or(m, "name", "?"),
				jv_str_or(m, "role", ""), jv_str_or(m, "state", ""),
				jv_str_or(m, "endpoint", "-"), jv_str_or(m, "lsn", "-"),
				lag_text(a, m),
				jv_bool(m, "sync", false) ? "holds every write" : "", NULL});
	if (!rows.n)
		return;
	buf_puts(&d->out, "\nServers, by zone:\n");
	rows_print(&d->out, &rows, "  ");
}

static void print_database(struct describe *d)
{
	struct arena *a = &d->s->arena;
	struct rows *rows = &d->head;
	const json_t *o = d->object;

	head_line(
		rows, "PostgreSQL",
		arena_printf(
			a, "%s, tier %s, size %s, storage %s", jv_str_or(o, "spec.version", "?"),
			jv_str_or(o, "spec.tier", "?"), jv_str_or(o, "spec.size", "?"),
			jv_str_or(o, "spec.storage", "?")));
	head_line(rows, "Databases", names_text(a, jv_at(o, "spec.databases")));
	head_line(rows, "Roles", names_text(a, jv_at(o, "spec.roles")));
	head_line(rows, "Parameters", pairs_text(a, jv_at(o, "spec.parameters")));
	head_line(rows, "Endpoint", jv_str(o, "status.endpoint"));
	head_line(
		rows, "Deletion",
		jv_bool(o, "spec.deletionProtection", false) ? "protected" : NULL);
	rows_print(&d->out, rows, "");
	print_conditions(d);
	print_members(d);
}

/* Any other kind: what the API says, without what has been said above. */
static void print_generic(struct describe *d)
{
	static const char *const said[] = {"apiVersion", "kind", "metadata", NULL};
	CLEANUP(jv_drop) json_t *rest = json_copy(d->object);
	json_t *data = jv_at(rest, "data"), *v;
	const char *key;

	for (size_t i = 0; said[i]; i++)
		json_object_del(rest, said[i]);
	if (strcmp(d->kind->name, "Secret") == 0 && data) {
		json_object_set_new(rest, "data", json_object());
		json_object_foreach (data, key, v)
			json_object_set_new(
				json_object_get(rest, "data"), key, json_string("(hidden)"));
	}
	rows_print(&d->out, &d->head, "");
	if (json_object_size(rest)) {
		buf_putc(&d->out, '\n');
		yaml_print(&d->out, rest);
	}
	print_conditions(d);
}

static enum err_code read_all(struct describe *d, const char *name, struct err *e)
{
	struct session *s = d->s;
	const char *ns = d->kind->is_namespaced ? s->ns : "default";
	const char *const pairs[] = {
		"fieldSelector",
		arena_printf(
			&s->arena, "involvedObject.name=%s,involvedObject.kind=%s", name,
			d->kind->name),
		NULL,
	};
	CLEANUP(jv_drop) json_t *list = NULL;
	enum err_code code;

	code = session_get(s, session_path(s, d->kind, s->ns, name), &d->object, e);
	if (code)
		return code;
	code = session_get(
		s, session_query(s, session_path(s, kind_by_name("Event"), ns, NULL), pairs), &list,
		e);
	if (!code)
		d->events = json_incref(json_object_get(list, "items"));
	return code;
}

static enum err_code describe(struct describe *d, char **args, struct err *e)
{
	enum err_code code = session_kind(args[0], &d->kind, e);

	if (!code)
		code = read_all(d, args[1], e);
	if (code)
		return code;
	head_make(d);
	if (strcmp(d->kind->name, "Database") == 0)
		print_database(d);
	else
		print_generic(d);
	print_events(d);
	return ERR_OK;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct describe d = {0};
	enum err_code code;
	struct session s;
	struct err e;
	int ret;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	d.s = &s;
	code = describe(&d, args, &e);
	ret = code ? cli_fail(&e) : cli_print(&d.out);
	json_decref(d.object);
	json_decref(d.events);
	buf_done(&d.out);
	session_done(&s);
	return ret;
}

static const struct opt opts[] = {
	CLI_NAMESPACE,
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb describe_verb = {
	.name = "describe",
	.args = "KIND NAME",
	.help = "Say how one object is, what it waits for, and what happened to it.",
	.examples = "slipway describe database orders -n payments-dev\n"
		    "slipway describe host zone-a",
	.opts = opts,
	.args_min = 2,
	.args_max = 2,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
};
