/*
 * Plays many hosts in one process: the agent's own code, with the driver that fakes postgres.
 *
 *	fleet DIR URL ZONES HOST...     a join token a host, one a line, on standard input
 *
 * Says "running" on standard output once all have joined and run; ends with standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "agent/agent.h"
#include "agent/driver.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"

enum { TOKEN_MAX = 200 };

static NORETURN void die(const char *what, const struct err *e)
{
	fprintf(stderr, "fleet: %s: %s\n", what, e->text);
	exit(1);
}

static void files_allow(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void
host_join(struct arena *a, const char *dir, const char *url, long zones, int n, const char *name)
{
	char token[TOKEN_MAX];
	const struct agent_join j = {
		.data = arena_printf(a, "%s/%s", dir, name),
		.url = url,
		.token = token,
		.name = name,
		.zone = arena_printf(a, "zone-%ld", n % zones),
		.address = arena_printf(a, "127.%d.%d.1", 10 + n / 250, 1 + n % 250),
	};
	struct err e;

	if (!fgets(token, sizeof(token), stdin)) {
		fprintf(stderr, "fleet: no token for %s\n", name);
		exit(1);
	}
	token[strcspn(token, "\n")] = '\0';
	if (agent_join(&j, &e))
		die(name, &e);
}

static void on_input(uv_poll_t *p, int status, int events)
{
	if (getchar() == EOF)
		exit(0); /* nothing of it is worth keeping */
}

int main(int argc, char **argv)
{
	CLEANUP(arena_done) struct arena a = {0};
	uv_loop_t *loop = uv_default_loop();
	struct agent *agent;
	uv_poll_t input;
	struct err e;

	if (argc < 5)
		return 1;
	log_set_level(LOG_ERROR);
	files_allow();
	for (int i = 4; i < argc; i++)
		host_join(&a, argv[1], argv[2], strtol(argv[3], NULL, 10), i - 4, argv[i]);
	for (int i = 4; i < argc; i++) {
		const struct agent_conf conf = {
			.data = arena_printf(&a, "%s/%s", argv[1], argv[i]),
			.pg_path = "/nonexistent",
			.driver = &agent_driver_fake,
		};

		if (agent_new(loop, &conf, &agent, &e))
			die(argv[i], &e);
	}
	uv_poll_init(loop, &input, 0);
	uv_poll_start(&input, UV_READABLE, on_input);
	puts("running");
	fflush(stdout);
	return uv_run(loop, UV_RUN_DEFAULT);
}
