/* The verb `delete`: objects by name or by manifest; waits until they are gone. */
#include <stdio.h>

#include "cli/get.h"
#include "cli/manifest.h"
#include "cli/progress.h"
#include "cli/verbs.h"

enum { WAIT_S = 300 };

struct gone {
	const char *name, *uid;
	json_t *last;
};

static bool on_event(void *arg, const char *type, json_t *object)
{
	struct gone *g = arg;

	/* another one of its name means that it has gone, too */
	if (strcmp(type, "DELETED") == 0 ||
	    strcmp(jv_str_or(object, "metadata.uid", ""), g->uid) != 0)
		return false;
	json_decref(g->last);
	g->last = json_deep_copy(object);
	return true;
}

static enum err_code
wait_gone(struct session *s, const struct manifest *m, const char *uid, struct err *e)
{
	const char *const pairs[] = {
		"fieldSelector", arena_printf(&s->arena, "metadata.name=%s", m->name), NULL};
	int64_t timeout_s = s->values->timeout_s;
	struct gone g = {.name = m->name, .uid = uid};
	CLEANUP(jv_drop) json_t *now = NULL;
	enum err_code code;

	code = session_get(s, session_path(s, m->kind, m->ns, m->name), &now, e);
	if (code == ERR_NOT_FOUND)
		return ERR_OK;
	if (!code && on_event(&g, "ADDED", now))
		code = session_watch(
			s, session_path(s, m->kind, m->ns, NULL), pairs,
			jv_str_or(now, "metadata.resourceVersion", "0"), false,
			(int)(timeout_s * 1000), on_event, &g, e);
	if (code == ERR_TIMEOUT)
		err_set(e, ERR_TIMEOUT, "%s is not gone after %lld s: %s",
			manifest_title(&s->arena, m), (long long)timeout_s,
			progress_sentence(g.last));
	json_decref(g.last);
	return code;
}

static enum err_code delete_one(struct session *s, const struct manifest *m, struct err *e)
{
	CLEANUP(jv_drop) json_t *answer = NULL;
	enum err_code code;
	const char *uid;

	code = session_call(
		s, "DELETE", session_path(s, m->kind, m->ns, m->name), NULL, NULL, NULL, &answer,
		e);
	if (code)
		return code;
	/* the object where finalizers keep it, else a Status with details */
	uid = jv_str_or(answer, "metadata.uid", jv_str_or(answer, "details.uid", ""));
	if (s->values->is_wait)
		code = wait_gone(s, m, uid, e);
	if (!code)
		printf("%s %s\n", get_name(&s->arena, m->kind, m->name),
		       s->values->is_wait ? "deleted" : "is being deleted");
	fflush(stdout);
	return code;
}

/* KIND NAME... as manifests. */
static enum err_code
by_name(struct session *s, char **args, size_t n, struct manifests *m, struct err *e)
{
	const struct kind *k;
	enum err_code code;

	if (n < 2)
		return err_set(e, ERR_INVALID, "delete wants KIND NAME, or -f FILE");
	code = session_kind(args[0], &k, e);
	if (code)
		return code;
	m->v = arena_array(&m->arena, struct manifest, n);
	for (size_t i = 1; i < n; i++)
		m->v[m->n++] = (struct manifest){
			.kind = k, .ns = k->is_namespaced ? s->ns : NULL, .name = args[i]};
	return ERR_OK;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct manifests m = {0};
	enum err_code code;
	struct session s;
	struct err e;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	if (n && s.values->files.n)
		code = err_set(&e, ERR_INVALID, "delete wants either KIND NAME or -f FILE");
	else if (s.values->files.n)
		code = manifests_read(&s.values->files, s.ns, &m, &e);
	else
		code = by_name(&s, args, n, &m, &e);
	/* what lives in a namespace goes before it: the order of apply, backwards */
	for (size_t i = m.n; !code && i-- > 0;)
		code = delete_one(&s, &m.v[i], &e);
	manifests_done(&m);
	session_done(&s);
	return code ? cli_fail(&e) : 0;
}

static void defaults(void *values)
{
	((struct cli_values *)values)->timeout_s = WAIT_S;
}

static const struct opt opts[] = {
	CLI_NAMESPACE,
	CLI_FILES("Delete what these manifests name: a file, a folder, or -."),
	{"wait", 'w', OPT_FLAG, CLI_AT(is_wait), NULL, "Wait until they are gone."},
	CLI_TIMEOUT("How long to wait (300)."),
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb delete_verb = {
	.name = "delete",
	.args = "[KIND] [NAME...]",
	.help = "Delete objects, and with a Database its servers and their data.",
	.examples = "slipway delete database orders -n payments-dev --wait\n"
		    "slipway delete -f orders.yaml",
	.exits = "0  deleted, or asked to go (with --wait: gone)\n1  error, or still there in the "
		 "end",
	.opts = opts,
	.args_max = OPT_ARGS_MAX,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
