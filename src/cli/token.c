/* The verb `token create`: lets one more machine join. */
#include <stdio.h>

#include "cli/get.h"
#include "cli/session.h"
#include "cli/verbs.h"

enum { TTL_S = 3600, TTL_MAX_S = 30 * 24 * 3600 };

static int answer(struct session *s, const json_t *got)
{
	const struct cli_values *v = s->values;
	CLEANUP(buf_done) struct buf out = {0};
	int ret;

	if (strcmp(s->values->output, "table") != 0)
		return get_print(s->values->output, got);
	buf_printf(&out, "%s\n", jv_str_or(got, "token", ""));
	ret = cli_print(&out);
	fprintf(stderr,
		"it lets one %s join, until %s:\n"
		"  slipway %s --join %s%s%s%s%s --token-file FILE\n",
		v->is_gateway ? "gateway" : "host", jv_str_or(got, "expires", "?"),
		v->is_gateway ? "gateway" : "agent", s->config.server, v->zone ? " --zone " : "",
		v->zone ? v->zone : "", s->values->name ? " --name " : "",
		s->values->name ? s->values->name : "");
	return ret;
}

static void wish(const struct cli_values *v, json_t *want)
{
	json_t *hosts = json_array();

	jv_set_str(want, "zone", v->zone);
	jv_set_str(want, "name", v->name);
	for (size_t i = 0; i < v->hosts.n; i++)
		json_array_append_new(hosts, json_string(v->hosts.v[i]));
	if (v->is_gateway)
		json_object_set_new(want, "gateway", json_true());
	if (v->hosts.n)
		json_object_set(want, "hosts", hosts);
	json_decref(hosts);
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

	if (!v->zone && !v->is_gateway) {
		err_set(&e, ERR_INVALID,
			"which zone will the host be in? Say --zone ZONE, or --gateway for a "
			"gateway");
		return cli_fail(&e);
	}
	if (session_open(v, &s, &e))
		return cli_fail(&e);
	wish(v, want);
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
	{"gateway", 0, OPT_FLAG, CLI_AT(is_gateway), NULL, "A gateway will join, not a host."},
	{"host", 0, OPT_STRS, CLI_AT(hosts), "NAME",
	 "A name or address by which clients call the gateway, beside its own address."},
	{"name", 0, OPT_STR, CLI_AT(name), "NAME",
	 "Only a host or gateway of this name may use it."},
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
		    "slipway token create --zone zone-d --name db7 --ttl 600 -o json\n"
		    "slipway token create --gateway --host db.example.com >token",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
