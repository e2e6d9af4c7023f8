/* The verb `plan`: says what apply would do, and does nothing. */
#include "cli/plan.h"

#include "cli/apply.h"
#include "cli/get.h"
#include "cli/plan_diff.h"

enum { EXIT_CHANGES = 2 };

/* Is this its namespace, which the same plan creates? Then the API cannot check it yet. */
static bool is_in_new_namespace(const struct manifests *all, const struct manifest *m)
{
	for (size_t i = 0; m->ns && i < all->n; i++)
		if (strcmp(all->v[i].kind->name, "Namespace") == 0 &&
		    strcmp(all->v[i].name, m->ns) == 0)
			return true;
	return false;
}

/* What the API would make of it, by the same rules. */
static enum err_code
check_here(struct session *s, const struct manifest *m, json_t **ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct schema_causes causes = {.arena = &a};
	json_t *object = json_deep_copy(m->object);

	schema_prune(m->kind->schema, object, &causes);
	if (!causes.n)
		schema_check(m->kind->schema, object, &causes);
	schema_default(m->kind->schema, object);
	if (!causes.n && m->kind->prepare)
		m->kind->prepare(object, NULL);
	if (!causes.n && m->kind->check)
		m->kind->check(object, NULL, &causes);
	if (!causes.n) {
		*ret = object;
		return ERR_OK;
	}
	json_decref(object);
	return err_set(
		e, ERR_INVALID, "%s: %s: %s: %s", m->origin, manifest_title(&s->arena, m),
		causes.v[0].field, causes.v[0].message);
}

static enum err_code plan_one(
	struct session *s, const struct manifests *all, const struct manifest *m, json_t *changes,
	struct err *e)
{
	CLEANUP(jv_drop) json_t *live = NULL;
	CLEANUP(jv_drop) json_t *wanted = NULL;
	enum err_code code;
	bool is_new;

	code = session_get(s, session_path(s, m->kind, m->ns, m->name), &live, e);
	if (code && code != ERR_NOT_FOUND)
		return code;
	code = apply_object(s, m, true, &wanted, &is_new, e);
	if (code == ERR_NOT_FOUND && !live && is_in_new_namespace(all, m))
		code = check_here(s, m, &wanted, e);
	if (!code)
		json_array_append_new(changes, plan_change(live, wanted));
	return code;
}

static enum err_code
plan_all(struct session *s, const struct manifests *m, json_t **ret, struct err *e)
{
	json_t *changes = json_array();
	enum err_code code = ERR_OK;

	for (size_t i = 0; !code && i < m->n; i++)
		code = plan_one(s, m, &m->v[i], changes, e);
	if (code)
		json_decref(changes);
	else
		*ret = plan_document(changes);
	return code;
}

static int answer(const char *form, const json_t *document)
{
	CLEANUP(buf_done) struct buf out = {0};
	json_int_t same = jv_int(document, "summary.nothing", 0);
	bool has_changes = json_array_size(json_object_get(document, "changes")) != (size_t)same;
	int code;

	if (strcmp(form, "table") == 0) {
		plan_print(&out, document);
		code = cli_print(&out);
	} else {
		code = get_print(form, document);
	}
	return code ? code : has_changes ? EXIT_CHANGES : 0;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	CLEANUP(jv_drop) json_t *document = NULL;
	struct manifests m = {0};
	enum err_code code;
	struct session s;
	struct err e;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	code = manifests_read(&s.values->files, s.ns, &m, &e);
	if (!code)
		code = plan_all(&s, &m, &document, &e);
	manifests_done(&m);
	session_done(&s);
	return code ? cli_fail(&e) : answer(((const struct cli_values *)values)->output, document);
}

static void defaults(void *values)
{
	((struct cli_values *)values)->output = "table";
}

static const struct opt opts[] = {
	CLI_FILES("A file, a folder of them, or - for standard input; may be given many times."),
	CLI_NAMESPACE,
	CLI_OUTPUT("table|json|yaml", "The form (table, which is text)."),
	{"force", 0, OPT_FLAG, CLI_AT(is_forced), NULL,
	 "Plan as apply --force would do it, taking over fields that others manage."},
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb plan_verb = {
	.name = "plan",
	.args = "",
	.help = "Say what apply would create, change in place, restart or destroy; change nothing.",
	.examples = "slipway plan -f orders.yaml\n"
		    "slipway plan -f team/ -o json\n"
		    "slipway plan -f orders.yaml; test $? -eq 2 && slipway apply -f orders.yaml",
	.exits = "0  nothing to do\n1  error\n2  there are changes",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
