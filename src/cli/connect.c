/* The verb `connect`: psql on a Database, with the credentials of one of its roles. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "cli/credentials.h"
#include "cli/verbs.h"

/* A file in memory that psql, which is to take our place, finds as /dev/fd/N. */
static enum err_code
memory_file(struct arena *a, const char *name, struct str bytes, const char **ret, struct err *e)
{
	int fd = memfd_create(name, 0); /* not O_CLOEXEC: it is for psql */

	if (fd < 0 || fd_write_all(fd, bytes.p, bytes.n) < 0)
		return err_os(e, "hand the credentials over");
	*ret = arena_printf(a, "/dev/fd/%d", fd);
	return ERR_OK;
}

/* libpq's connection service file: the password is in no argument and no environment. */
static enum err_code
service_file(struct arena *a, const struct credentials *c, const char **ret, struct err *e)
{
	CLEANUP(buf_done) struct buf out = {0};
	enum err_code code = ERR_OK;
	const char *ca = NULL;

	buf_printf(
		&out, "[slipway]\nhost=%s\nport=%s\ndbname=%s\nuser=%s\npassword=%s\n", c->host,
		c->port, c->dbname, c->user, c->password);
	if (c->ca_pem)
		code = memory_file(a, "slipway-ca", str_of(c->ca_pem), &ca, e);
	if (ca)
		buf_printf(&out, "sslmode=verify-full\nsslrootcert=%s\n", ca);
	else
		buf_puts(&out, "sslmode=require\n");
	if (!code)
		code = memory_file(a, "slipway-service", buf_view(&out), ret, e);
	explicit_bzero(out.p, out.n);
	return code;
}

static enum err_code
psql_exec(struct session *s, const char *service, char **args, size_t n, struct err *e)
{
	char **argv = arena_array(&s->arena, char *, n + 2);

	argv[0] = arena_strdup(&s->arena, "psql");
	for (size_t i = 0; i < n; i++)
		argv[i + 1] = args[i];
	setenv("PGSERVICEFILE", service, 1);
	setenv("PGSERVICE", "slipway", 1);
	setenv("PGAPPNAME", "slipway connect", 0);
	execvp("psql", argv);
	if (errno == ENOENT)
		return err_set(
			e, ERR_NOT_FOUND,
			"psql is not installed: install postgresql-client, or take the uri from "
			"'slipway credentials show'");
	return err_os(e, "start psql");
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct credentials c;
	const char *service = NULL;
	enum err_code code;
	struct session s;
	struct err e;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	code = credentials_get(&s, args[0], s.values->role, &c, &e);
	if (!code)
		code = service_file(&s.arena, &c, &service, &e);
	if (!code)
		code = psql_exec(&s, service, args + 1, n - 1, &e);
	session_done(&s);
	return cli_fail(&e);
}

static void defaults(void *values)
{
	((struct cli_values *)values)->role = "app";
}

static const struct opt opts[] = {
	CLI_NAMESPACE,
	{"role", 'r', OPT_STR, CLI_AT(role), "ROLE", "The role to be (app)."},
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb connect_verb = {
	.name = "connect",
	.args = "DATABASE [-- PSQL-ARGUMENT...]",
	.help = "Open psql on a Database's primary, with the credentials of one of its roles.",
	.examples = "slipway connect orders -n payments-dev\n"
		    "slipway connect orders -n payments-dev -- -c 'select count(*) from orders'\n"
		    "slipway connect orders -n payments-dev --role report",
	.exits = "psql's own; 1  error before it was started",
	.opts = opts,
	.args_min = 1,
	.args_max = OPT_ARGS_MAX,
	.run = run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
