#include "app/agent_verb.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/agent.h"
#include "app/address.h"
#include "app/folder.h"
#include "app/trim.h"
#include "base/child.h"
#include "base/file.h"
#include "base/log.h"

enum { LOCK_WAIT_MS = 15 * 1000, TOKEN_MAX = 1024 }; /* the lock: an earlier one may be ending */

struct agent_values {
	const char *data, *join, *token, *token_file, *zone, *name, *address, *pg_path;
};

/* What runs on the loop. */
struct host {
	struct arena arena;
	struct folder folder;
	uv_loop_t loop;
	uv_signal_t term, interrupt, hangup;
	struct agent *agent;
	bool is_stopping;
};

static enum err_code
token_get(struct arena *a, const struct agent_values *v, const char **ret, struct err *e)
{
	const char *env = getenv(AGENT_TOKEN_ENV);
	enum err_code code;
	struct str text;

	if (v->token_file) {
		code = file_read(a, v->token_file, TOKEN_MAX, &text, e);
		if (code)
			return code;
		text = str_trim(text);
		*ret = arena_strndup(a, text.p, text.n);
		return ERR_OK;
	}
	*ret = v->token ? v->token : env;
	unsetenv(AGENT_TOKEN_ENV); /* not for the servers that we start */
	if (!*ret)
		return err_set(
			e, ERR_INVALID,
			"--join wants --token too: make one with 'slipway token create --zone "
			"ZONE'");
	return ERR_OK;
}

static const char *host_name(struct arena *a)
{
	char *name = arena_alloc(a, 256);

	if (gethostname(name, 255) < 0)
		return "host";
	name[strcspn(name, ".")] = '\0';
	return name;
}

/* An agent that has servers stops them also when it is asked to while it starts. */
static void signals_hold(bool is_held)
{
	sigset_t set;

	child_stop_signals(&set);
	sigprocmask(is_held ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* A folder that has joined needs nothing of this, and --join does it no harm. */
static enum err_code
join(struct host *h, const struct agent_values *v, const char *token, struct err *e)
{
	struct agent_join j = {
		.data = h->folder.path,
		.url = v->join,
		.token = token,
		.name = v->name ? v->name : host_name(&h->arena),
		.zone = v->zone,
		.address = v->address,
	};
	enum err_code code = ERR_OK;

	if (!file_exists(folder_file(&h->arena, &h->folder, "agent.json")))
		signals_hold(false); /* there is nothing to stop yet, and this may take long */
	if (!j.address)
		code = address_towards(&h->arena, v->join, &j.address, e);
	if (!code)
		code = agent_join(&j, e);
	signals_hold(true);
	return code;
}

static enum err_code check(const struct agent_values *v, struct err *e)
{
	if (v->join && !v->zone)
		return err_set(
			e, ERR_INVALID, "--join wants --zone too: in which zone is this host?");
	if (v->address && !address_is_ip(v->address))
		return err_set(
			e, ERR_INVALID, "--address wants an IP address, not '%s'", v->address);
	return ERR_OK;
}

static enum err_code prepare(struct host *h, const struct agent_values *v, struct err *e)
{
	const char *token = NULL;
	enum err_code code;

	code = check(v, e);
	if (!code && v->join)
		code = token_get(&h->arena, v, &token, e);
	if (!code)
		code = folder_open(&h->arena, v->data, "agent.lock", LOCK_WAIT_MS, &h->folder, e);
	if (!code)
		code = folder_has_room(&h->folder, "m/0123456789ab/run/.s.PGSQL.65535", e);
	if (!code && v->join)
		code = join(h, v, token, e);
	if (!code && !file_exists(folder_file(&h->arena, &h->folder, "agent.json")))
		code = err_set(
			e, ERR_NOT_FOUND,
			"'%s' has not joined a platform: say --join URL --token TOKEN --zone ZONE",
			h->folder.path);
	return code;
}

static void on_stopped(void *arg)
{
	struct host *h = arg;

	agent_free(h->agent);
	h->agent = NULL;
	uv_close((uv_handle_t *)&h->term, NULL);
	uv_close((uv_handle_t *)&h->interrupt, NULL);
	uv_close((uv_handle_t *)&h->hangup, NULL);
}

/* SIGINT: with the servers. SIGTERM (an upgrade): they go on. */
static void on_signal(uv_signal_t *s, int signum)
{
	struct host *h = s->data;

	if (h->is_stopping)
		return;
	h->is_stopping = true;
	log_info("stops", "signal=%d with_servers=%s", signum, signum == SIGINT ? "yes" : "no");
	agent_stop(h->agent, signum == SIGINT, on_stopped, h);
}

static void signals_watch(struct host *h)
{
	const struct {
		uv_signal_t *handle;
		int signum;
	} all[] = {{&h->term, SIGTERM}, {&h->interrupt, SIGINT}, {&h->hangup, SIGHUP}};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		uv_signal_init(&h->loop, all[i].handle);
		all[i].handle->data = h;
		uv_signal_start(all[i].handle, on_signal, all[i].signum);
	}
}

static enum err_code host_run(struct host *h, const struct agent_values *v, struct err *e)
{
	const struct agent_conf conf = {.data = h->folder.path, .pg_path = v->pg_path};
	enum err_code code;

	code = agent_new(&h->loop, &conf, &h->agent, e);
	if (code)
		return code;
	signals_watch(h);
	signals_hold(false);
	trim();
	uv_run(&h->loop, UV_RUN_DEFAULT);
	return ERR_OK;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct host h = {.folder = {.lock_fd = -1}};
	enum err_code code;
	struct err e;

	log_set_role("agent");
	signal(SIGPIPE, SIG_IGN);
	signals_hold(true);
	uv_loop_init(&h.loop);
	code = prepare(&h, values, &e);
	if (!code)
		code = host_run(&h, values, &e);
	uv_run(&h.loop, UV_RUN_DEFAULT); /* what a failed start has left to close */
	uv_loop_close(&h.loop);
	arena_done(&h.arena);
	if (code) /* the last words in the log */
		fprintf(stderr, "slipway agent: %s\n", e.text);
	return code ? 1 : 0;
}

#define AT(field) offsetof(struct agent_values, field)

static const struct opt opts[] = {
	{"data", 0, OPT_STR, AT(data), "DIR",
	 "Its folder: key, certificate, and the servers of this host."},
	{"join", 0, OPT_STR, AT(join), "URL", "Join the platform whose API is there; needed once."},
	{"token", 0, OPT_STR, AT(token), "TOKEN",
	 "The join token ('slipway token create'); or in $" AGENT_TOKEN_ENV "."},
	{"token-file", 0, OPT_STR, AT(token_file), "FILE", "A file that holds the token."},
	{"zone", 0, OPT_STR, AT(zone), "ZONE",
	 "Failure zone of this host: members of one database are in different zones."},
	{"name", 0, OPT_STR, AT(name), "NAME", "Name of the host (its host name)."},
	{"address", 0, OPT_STR, AT(address), "IP",
	 "Where its servers listen (the address that it has on its way to the API)."},
	{"pg-path", 0, OPT_STR, AT(pg_path), "DIRS",
	 "Folders of PostgreSQL programs, with ':' between and '*' for any part."},
	{NULL},
};

const struct opt_verb agent_verb = {
	.name = "agent",
	.args = "",
	.help = "Run the agent of this machine: one a host, it runs the PostgreSQL servers.",
	.examples = "slipway agent --data /var/lib/slipway --join https://api.example:6443 --zone "
		    "zone-d "
		    "--token-file token\n"
		    "slipway agent --data /var/lib/slipway     # once it has joined",
	.exits = "0  stopped: by SIGTERM its servers go on, by SIGINT they stop first\n"
		 "1  it could not start or join",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct agent_values),
};
