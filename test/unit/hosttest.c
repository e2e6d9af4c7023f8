#include "hosttest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/postmaster.h"
#include "base/file.h"

static void check(enum err_code code, const struct err *e)
{
	if (!code)
		return;
	fprintf(stderr, "hosttest: %s\n", e->text);
	abort();
}

static void put(const char *data, const char *name, const char *text)
{
	CLEANUP(mem_drop) char *path = mem_printf("%s/%s", data, name);
	struct err e;

	check(file_write(path, 0600, str_of(text), &e), &e);
}

void hosttest_certificates(const char *data, const char *address, const struct ca_cert *ca)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *const hosts[] = {address, NULL};
	const struct ca_name name = {"zone", "slipway:hosts", hosts, 10};
	struct ca_cert cert;
	struct err e;

	check(dir_make(data, 0700, &e), &e);
	check(ca_issue(&a, ca, &name, &cert, &e), &e);
	put(data, "agent.key", cert.key_pem);
	put(data, "agent.crt", cert.cert_pem);
	put(data, "ca.crt", ca->cert_pem);
}

void hosttest_pair(const char *data, const char *name, const char *group, const struct ca_cert *ca)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *const hosts[] = {name, NULL};
	const struct ca_name n = {name, group, hosts, 10};
	struct ca_cert cert;
	struct err e;

	check(ca_issue(&a, ca, &n, &cert, &e), &e);
	put(data, arena_printf(&a, "%s.key", name), cert.key_pem);
	put(data, arena_printf(&a, "%s.crt", name), cert.cert_pem);
}

void hosttest_address(int i, char *ret, size_t size)
{
	unsigned pid = (unsigned)getpid();

	snprintf(ret, size, "127.%u.%u.%d", 64 + (pid >> 8) % 64, pid % 256, i + 1);
}

json_t *hosttest_want(int i, int major, const char *role)
{
	CLEANUP(buf_done) struct buf text = {0};
	json_t *want = NULL;
	struct err e;

	buf_printf(
		&text,
		"{\"uid\":\"%012d-0000-4000-8000-000000000000\",\"namespace\":\"payments-dev\","
		"\"name\":\"orders-%d\",\"deleting\":false,\"spec\":{\"database\":\"orders\","
		"\"version\":\"%d\",\"role\":\"%s\",\"epoch\":1,\"running\":true,\"restart\":0,"
		"\"settings\":{\"max_connections\":\"20\",\"shared_buffers\":\"16MB\","
		"\"wal_level\":\"logical\",\"log_min_messages\":\"warning\"},"
		"\"databases\":[{\"name\":\"orders\",\"owner\":\"app\",\"extensions\":[]}],"
		"\"roles\":[{\"name\":\"app\",\"login\":true,\"inRoles\":[\"readers\"],"
		"\"connectionLimit\":-1,\"verifier\":\"" HOSTTEST_VERIFIER "\"},"
		"{\"name\":\"readers\",\"login\":false}]}}",
		i + 1, i + 1, major, role);
	check(jv_parse(buf_view(&text), 1 << 20, &want, &e), &e);
	return want;
}

void hosttest_end_server(const char *data, int i)
{
	CLEANUP(mem_drop) char *pgdata = mem_printf("%s/m/%012d/data", data, i + 1);
	struct child c;
	int status;

	if (postmaster_adopt(pgdata, &c, NULL))
		return;
	child_signal(&c, SIGQUIT, NULL);
	child_wait(&c, 10000, &status, NULL);
}
