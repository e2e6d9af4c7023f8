#include "cli/apply.h"

#include <stdio.h>

#include "cli/get.h"
#include "cli/progress.h"

enum { WAIT_S = 600 };

enum err_code apply_object(
	struct session *s, const struct manifest *m, bool is_dry, json_t **ret, bool *ret_is_new,
	struct err *e)
{
	const char *const pairs[] = {
		"fieldManager",
		SESSION_MANAGER,
		"force",
		s->values->is_forced ? "true" : "false",
		"fieldValidation",
		"Strict",
		"dryRun",
		is_dry ? "All" : NULL,
		NULL,
	};
	const char *path = session_query(s, session_path(s, m->kind, m->ns, m->name), pairs);
	enum err_code code;
	int status = 0;

	code = session_call(
		s, "PATCH", path, "application/apply-patch+yaml", m->object, &status, ret, e);
	if (code)
		return err_wrap(e, "%s: %s", m->origin, manifest_title(&s->arena, m));
	*ret_is_new = status == 201;
	return ERR_OK;
}

/* The revision that it has now; "" where there is none. */
static enum err_code
revision_get(struct session *s, const struct manifest *m, const char **ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *now = NULL;
	enum err_code code;

	code = session_get(s, session_path(s, m->kind, m->ns, m->name), &now, e);
	if (code && code != ERR_NOT_FOUND)
		return code;
	*ret = arena_strdup(&s->arena, jv_str_or(now, "metadata.resourceVersion", ""));
	return ERR_OK;
}

static enum err_code apply_one(struct session *s, const struct manifest *m, struct err *e)
{
	CLEANUP(jv_drop) json_t *now = NULL;
	const char *before, *done;
	enum err_code code;
	bool is_new;

	code = revision_get(s, m, &before, e);
	if (!code)
		code = apply_object(s, m, false, &now, &is_new, e);
	if (code)
		return code;
	if (is_new)
		done = "created";
	else if (strcmp(before, jv_str_or(now, "metadata.resourceVersion", "")) == 0)
		done = "unchanged";
	else
		done = "configured";
	printf("%s %s\n", get_name(&s->arena, m->kind, m->name), done);
	fflush(stdout);
	return ERR_OK;
}

static bool has_progress(const struct manifest *m)
{
	return strcmp(m->kind->name, "Database") == 0;
}

static enum err_code apply_all(struct session *s, const struct manifests *m, struct err *e)
{
	enum err_code code = ERR_OK;

	for (size_t i = 0; !code && i < m->n; i++)
		code = apply_one(s, &m->v[i], e);
	for (size_t i = 0; !code && s->values->is_wait && i < m->n; i++)
		if (has_progress(&m->v[i]))
			code = progress_follow(
				s, m->v[i].kind, m->v[i].ns, m->v[i].name, s->values->timeout_s, e);
	return code;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct manifests m = {0};
	enum err_code code;
	struct session s;
	struct err e;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	code = manifests_read(&s.values->files, s.ns, &m, &e);
	if (!code)
		code = apply_all(&s, &m, &e);
	manifests_done(&m);
	session_done(&s);
	return code ? cli_fail(&e) : 0;
}

static void defaults(void *values)
{
	((struct cli_values *)values)->timeout_s = WAIT_S;
}

static const struct opt opts[] = {
	CLI_FILES("A file, a folder of them, or - for standard input; may be given many times."),
	CLI_NAMESPACE,
	{"wait", 'w', OPT_FLAG, CLI_AT(is_wait), NULL,
	 "Wait until each Database is Ready, with a line a step."},
	CLI_TIMEOUT("How long to wait (600)."),
	{"force", 0, OPT_FLAG, CLI_AT(is_forced), NULL,
	 "Take over fields that others manage, instead of failing with a conflict."},
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb apply_verb = {
	.name = "apply",
	.args = "",
	.help = "Make objects what the manifests say: create them, or change them.",
	.examples = "slipway apply -f orders.yaml --wait\n"
		    "slipway apply -f team/            # all manifests of a folder\n"
		    "kustomize build . | slipway apply -f -",
	.exits = "0  all applied (with --wait: and Ready)\n1  error, or not Ready in time",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
