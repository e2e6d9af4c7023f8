#include "cli/credentials.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/secret.h"
#include "cli/get.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "kinds/credential.h"

/* In the order in which they are shown. */
static const struct {
	const char *key;
	size_t offset;
	bool is_needed, is_shown;
} keys[] = {
	{"host", offsetof(struct credentials, host), true, true},
	{"port", offsetof(struct credentials, port), true, true},
	{"dbname", offsetof(struct credentials, dbname), true, true},
	{"user", offsetof(struct credentials, user), true, true},
	{"password", offsetof(struct credentials, password), true, true},
	{"uri", offsetof(struct credentials, uri), true, true},
	{"jdbc-uri", offsetof(struct credentials, jdbc_uri), false, true},
	{"ro-uri", offsetof(struct credentials, ro_uri), false, true},
	{"ca.crt", offsetof(struct credentials, ca_pem), false, false},
};

static const char **field(struct credentials *c, size_t i)
{
	return (const char **)((char *)c + keys[i].offset);
}

static enum err_code
take(struct session *s, const char *name, const json_t *data, struct credentials *c, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *text = json_string_value(json_object_get(data, keys[i].key));
		struct str value = {NULL, 0};
		enum err_code code = ERR_OK;

		if (text)
			code = secret_unbase64(&s->arena, str_of(text), &value, e);
		if (code)
			return err_wrap(e, "secret %s: %s", name, keys[i].key);
		if (keys[i].is_needed && !value.n)
			return err_set(
				e, ERR_UNAVAILABLE,
				"secret %s has no %s yet: the database is being made", name,
				keys[i].key);
		*field(c, i) = value.n ? arena_strndup(&s->arena, value.p, value.n) : NULL;
	}
	return ERR_OK;
}

static bool has_role(const json_t *database, const char *role)
{
	const json_t *one;
	size_t i;

	json_array_foreach (jv_at(database, "spec.roles"), i, one)
		if (strcmp(jv_str_or(one, "name", ""), role) == 0)
			return jv_bool(one, "login", true);
	return false;
}

/* The Database first: its absence, or the role's, is what people want to hear of. */
static enum err_code
check_role(struct session *s, const char *database, const char *role, struct err *e)
{
	CLEANUP(jv_drop) json_t *d = NULL;
	enum err_code code;

	if (!s->ns)
		return err_set(e, ERR_INVALID, "which namespace? Say -n NAMESPACE");
	code = session_get(s, session_path(s, kind_by_name("Database"), s->ns, database), &d, e);
	if (!code && !has_role(d, role))
		code =
			err_set(e, ERR_NOT_FOUND, "database %s/%s has no role %s that may log in",
				s->ns, database, role);
	return code;
}

enum err_code credentials_get(
	struct session *s, const char *database, const char *role, struct credentials *ret,
	struct err *e)
{
	const char *name = credential_name(&s->arena, database, role);
	CLEANUP(jv_drop) json_t *secret = NULL;
	struct credentials c = {0};
	enum err_code code;

	code = check_role(s, database, role, e);
	if (!code)
		code = session_get(
			s, session_path(s, kind_by_name("Secret"), s->ns, name), &secret, e);
	if (!code)
		code = take(s, name, json_object_get(secret, "data"), &c, e);
	if (!code)
		*ret = c;
	return code;
}

static int show(const char *form, struct credentials *c)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(buf_done) struct buf out = {0};
	CLEANUP(jv_drop) json_t *doc = json_object();
	struct rows rows = {.arena = &a};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *value = *field(c, i);

		if (value)
			json_object_set_new(doc, keys[i].key, json_string(value));
		if (value && keys[i].is_shown)
			rows_add(&rows, (const char *const[]){keys[i].key, value, NULL});
	}
	if (strcmp(form, "table") != 0)
		return get_print(form, doc);
	rows_print(&out, &rows, "");
	return cli_print(&out);
}

static int show_run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct credentials c;
	enum err_code code;
	struct session s;
	struct err e;
	int ret;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	code = credentials_get(&s, args[0], s.values->role, &c, &e);
	ret = code ? cli_fail(&e) : show(s.values->output, &c);
	session_done(&s);
	return ret;
}

static enum err_code rotate(struct session *s, const char *database, struct err *e)
{
	const char *path = session_path(s, kind_by_name("Database"), s->ns, database);
	char now[CLOCK_TEXT];
	CLEANUP(jv_drop)
	json_t *patch = json_pack(
		"{s:{s:{s:s}}}", "metadata", "annotations", CREDENTIAL_ROTATE,
		clock_text(clock_wall_us(), now));

	return session_call(s, "PATCH", path, "application/merge-patch+json", patch, NULL, NULL, e);
}

static int rotate_run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	enum err_code code;
	struct session s;
	struct err e;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	code = rotate(&s, args[0], &e);
	if (!code)
		fprintf(stderr,
			"new passwords are made for the roles of %s/%s; the old ones work until "
			"the "
			"new have been fetched ('slipway credentials show %s -n %s'), or for an "
			"hour\n",
			s.ns, args[0], args[0], s.ns);
	session_done(&s);
	return code ? cli_fail(&e) : 0;
}

static void defaults(void *values)
{
	((struct cli_values *)values)->role = "app";
	((struct cli_values *)values)->output = "table";
}

static const struct opt show_opts[] = {
	CLI_NAMESPACE,
	{"role", 'r', OPT_STR, CLI_AT(role), "ROLE", "Whose (app)."},
	CLI_OUTPUT("table|json|yaml", "The form (table)."),
	CLI_KUBECONFIG,
	{NULL},
};

static const struct opt rotate_opts[] = {
	CLI_NAMESPACE,
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb credentials_show_verb = {
	.name = "credentials show",
	.args = "DATABASE",
	.help = "Show where a Database is and the password of one of its roles.",
	.examples = "slipway credentials show orders -n payments-dev\n"
		    "slipway credentials show orders -n payments-dev -o json | jq -r .uri",
	.opts = show_opts,
	.args_min = 1,
	.args_max = 1,
	.run = show_run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};

const struct opt_verb credentials_rotate_verb = {
	.name = "credentials rotate",
	.args = "DATABASE",
	.help = "Make new passwords for the roles of a Database, without a restart.",
	.examples = "slipway credentials rotate orders -n payments-dev",
	.opts = rotate_opts,
	.args_min = 1,
	.args_max = 1,
	.run = rotate_run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
