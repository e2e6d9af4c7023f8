#include "cli/get.h"

#include <stdio.h>

#include "cli/table.h"
#include "codec/yaml.h"

const char *get_name(struct arena *a, const struct kind *k, const char *name)
{
	if (!k->group[0])
		return arena_printf(a, "%s/%s", k->singular, name);
	return arena_printf(a, "%s.%s/%s", k->singular, k->group, name);
}

void get_tidy(json_t *object)
{
	json_object_del(json_object_get(object, "metadata"), "managedFields");
}

int get_print(const char *form, const json_t *value)
{
	CLEANUP(buf_done) struct buf out = {0};

	if (strcmp(form, "yaml") == 0) {
		yaml_print(&out, value);
	} else {
		jv_print(&out, value, true);
		buf_putc(&out, '\n');
	}
	return cli_print(&out);
}

/* What one run of the verb is about. */
struct get {
	struct session *s;
	const struct kind *kind;
	const char *form, *path;
	const char *const *pairs;
	struct table table;
	int exit;
};

static bool is_table(const struct get *g)
{
	return strcmp(g->form, "table") == 0 || strcmp(g->form, "wide") == 0;
}

/* ---- printing ---- */

static int print_table(struct get *g, const json_t *table)
{
	CLEANUP(buf_done) struct buf out = {0};
	bool has_namespace = g->kind->is_namespaced && !g->s->ns;

	table_print(&out, &g->table, table, strcmp(g->form, "wide") == 0, has_namespace);
	return cli_print(&out);
}

static int print_names(struct get *g, const json_t *list)
{
	CLEANUP(buf_done) struct buf out = {0};
	const json_t *object;
	size_t i;

	json_array_foreach (json_object_get(list, "items"), i, object)
		buf_printf(
			&out, "%s\n",
			get_name(&g->s->arena, g->kind, jv_str_or(object, "metadata.name", "")));
	return cli_print(&out);
}

static int print_name(struct get *g, const json_t *object)
{
	CLEANUP(buf_done) struct buf out = {0};

	buf_printf(
		&out, "%s\n",
		get_name(&g->s->arena, g->kind, jv_str_or(object, "metadata.name", "")));
	return cli_print(&out);
}

/* As kubectl does, every list is a List: items of any kind, each saying its own. */
static int print_list(struct get *g, json_t *list)
{
	json_t *object;
	size_t i;

	json_array_foreach (json_object_get(list, "items"), i, object) {
		json_object_set_new(object, "apiVersion", json_string(g->kind->api_version));
		json_object_set_new(object, "kind", json_string(g->kind->name));
		get_tidy(object);
	}
	json_object_set_new(list, "apiVersion", json_string("v1"));
	json_object_set_new(list, "kind", json_string("List"));
	return get_print(g->form, list);
}

static int print_object(struct get *g, json_t *object)
{
	if (strcmp(g->form, "name") == 0)
		return print_name(g, object);
	get_tidy(object);
	return get_print(g->form, object);
}

static void say_none(const struct get *g)
{
	if (g->kind->is_namespaced && g->s->ns)
		fprintf(stderr, "no %s in namespace %s\n", g->kind->plural, g->s->ns);
	else
		fprintf(stderr, "no %s\n", g->kind->plural);
}

/* ---- reading ---- */

static enum err_code get_list(struct get *g, json_t **ret, struct err *e)
{
	const char *path = session_query(g->s, g->path, g->pairs);

	return is_table(g) ? session_get_table(g->s, path, ret, e)
			   : session_get(g->s, path, ret, e);
}

static enum err_code list(struct get *g, char revision[32], struct err *e)
{
	CLEANUP(jv_drop) json_t *all = NULL;
	enum err_code code = get_list(g, &all, e);
	size_t n;

	if (code)
		return code;
	snprintf(revision, 32, "%s", jv_str_or(all, "metadata.resourceVersion", "0"));
	n = json_array_size(json_object_get(all, is_table(g) ? "rows" : "items"));
	if (is_table(g) && n == 0)
		say_none(g);
	else if (is_table(g))
		g->exit = print_table(g, all);
	else if (strcmp(g->form, "name") == 0)
		g->exit = print_names(g, all);
	else if (!g->s->values->is_watch)
		g->exit = print_list(g, all);
	return ERR_OK;
}

static enum err_code one(struct get *g, const char *name, struct err *e)
{
	const char *path = session_path(g->s, g->kind, g->s->ns, name);
	CLEANUP(jv_drop) json_t *object = NULL;
	enum err_code code;

	code = is_table(g) ? session_get_table(g->s, path, &object, e)
			   : session_get(g->s, path, &object, e);
	if (!code)
		g->exit = is_table(g) ? print_table(g, object) : print_object(g, object);
	return code;
}

static bool on_event(void *arg, const char *type, json_t *object)
{
	struct get *g = arg;

	if (is_table(g))
		g->exit = print_table(g, object);
	else
		g->exit = print_object(g, object);
	return g->exit == 0;
}

static enum err_code get(struct get *g, const char *name, struct err *e)
{
	char revision[32];
	enum err_code code;

	if (name && !g->s->values->is_watch)
		return one(g, name, e);
	code = list(g, revision, e);
	if (code || g->exit || !g->s->values->is_watch)
		return code;
	return session_watch(g->s, g->path, g->pairs, revision, is_table(g), -1, on_event, g, e);
}

/* Without a kind: which kinds there are. */
static int kinds_print(const char *form)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(buf_done) struct buf out = {0};
	struct rows rows = {.arena = &a};
	const struct kind *all;
	struct err e;
	size_t n;

	if (kinds_init(&e))
		return cli_fail(&e);
	all = kinds_all(&n);
	rows_add(&rows, (const char *const[]){"KIND", "SHORT", "NAMESPACED", NULL});
	for (size_t i = 0; i < n; i++) {
		const char *abbr = json_string_value(json_array_get(all[i].short_names, 0));

		if (strcmp(form, "name") == 0)
			buf_printf(&out, "%s\n", all[i].plural);
		else
			rows_add(
				&rows,
				(const char *const[]){
					all[i].plural, abbr ? abbr : "",
					all[i].is_namespaced ? "yes" : "no", NULL});
	}
	if (strcmp(form, "name") != 0)
		rows_print(&out, &rows, "");
	return cli_print(&out);
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	const struct cli_values *v = values;
	const char *name = n > 1 ? args[1] : NULL;
	CLEANUP(mem_drop) char *field = name ? mem_printf("metadata.name=%s", name) : NULL;
	const char *const pairs[] = {
		"labelSelector", v->selector, "fieldSelector", field, NULL,
	};
	struct get g = {.form = v->output, .pairs = pairs};
	struct session s;
	enum err_code code;
	struct err e;

	if (n == 0)
		return kinds_print(v->output);
	if (session_open(v, &s, &e))
		return cli_fail(&e);
	g.s = &s;
	code = session_kind(args[0], &g.kind, &e);
	if (!code && name && v->is_everywhere && g.kind->is_namespaced)
		code =
			err_set(&e, ERR_INVALID,
				"a name is of one namespace: say -n, not --all-namespaces");
	if (!code) {
		g.path = session_path(&s, g.kind, s.ns, NULL);
		code = get(&g, name, &e);
	}
	session_done(&s);
	return code ? cli_fail(&e) : g.exit;
}

static void defaults(void *values)
{
	((struct cli_values *)values)->output = "table";
}

static const struct opt opts[] = {
	CLI_NAMESPACE,
	{"all-namespaces", 'A', OPT_FLAG, CLI_AT(is_everywhere), NULL, "In all namespaces."},
	CLI_OUTPUT("table|wide|json|yaml|name", "The form (table)."),
	{"selector", 'l', OPT_STR, CLI_AT(selector), "LABELS",
	 "Only those with these labels, as kubectl writes them: team=payments,tier!=single."},
	{"watch", 'w', OPT_FLAG, CLI_AT(is_watch), NULL, "Go on with each change, until Ctrl-C."},
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb get_verb = {
	.name = "get",
	.args = "[KIND] [NAME]",
	.help = "List objects of a kind, or show one; without a kind, list the kinds.",
	.examples =
		"slipway get databases -n payments-dev\n"
		"slipway get database orders -n payments-dev -o yaml\n"
		"slipway get databases -A -w                 # all, and each change from now on\n"
		"slipway get members -n payments-dev -o wide # with WAL positions\n"
		"slipway get databases -A -l slipway.dev/team=payments",
	.opts = opts,
	.args_max = 2,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
