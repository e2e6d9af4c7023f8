/* The verb `token create`: lets one more machine join. */
#include <stdio.h>

#include "cli/get.h"
#include "cli/session.h"
#include "cli/verbs.h"

enum { TTL_S = 3600, TTL_MAX_S = 30 * 24 * 3600 };

static int answer(struct session *s, const json_t *got)
{
	CLEANUP(buf_done) struct buf out = {0};
	int ret;

	if (strcmp(s->values->output, "table") != 0)
		return get_print(s->values->output, got);
	buf_printf(&out, "%s\n", jv_str_or(got, "token", ""));
	ret = cli_print(&out);
	fprintf(stderr,
		"it lets one host join, until %s:\n"
		"  slipway agent --join %s --zone %s%s%s --token-file FILE\n",
		jv_str_or(got, "expires", "?"), s->config.server, s->values->zone,
		s->values->name ? " --name " : "", s->values->name ? s->values->name : "");
	return ret;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	const struct cli_values *v = values;
	CLEANUP(jv_drop) json_t *want = json_object();
	CLEANUP(jv_drop) json_t *got = NULL;
	enum err_code code;
	struct session s;
	struct err e;
	int ret;

	if (!v->zone) {
		err_set(&e, ERR_INVALID, "which zone will the host be in? Say --zone ZONE");
		return cli_fail(&e);
	}
	if (session_open(v, &s, &e))
		return cli_fail(&e);
	jv_set_str(want, "zone", v->zone);
	jv_set_str(want, "name", v->name);
	json_object_set_new(want, "ttlSeconds", json_integer(v->ttl_s));
	code = session_call(&s, "POST", "/agent/v1/tokens", NULL, want, NULL, &got, &e);
	ret = code ? cli_fail(&e) : answer(&s, got);
	session_done(&s);
	return ret;
}

static void defaults(void *values)
{
	((struct cli_values *)values)->ttl_s = TTL_S;
	((struct cli_values *)values)->output = "table";
}

static const struct opt opts[] = {
	{"zone", 0, OPT_STR, CLI_AT(zone), "ZONE", "The failure zone of the host that will join."},
	{"name", 0, OPT_STR, CLI_AT(name), "NAME", "Only a host of this name may use it."},
	{"ttl", 0, OPT_INT, CLI_AT(ttl_s), "SECONDS", "How long it can be used (3600).", 1,
	 TTL_MAX_S},
	CLI_OUTPUT("table|json|yaml", "The form (table: the token alone)."),
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb token_create_verb = {
	.name = "token create",
	.args = "",
	.help = "Make a token with which one more machine can join: once, and not for long.",
	.examples = "slipway token create --zone zone-d >token\n"
		    "slipway token create --zone zone-d --name db7 --ttl 600 -o json",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
