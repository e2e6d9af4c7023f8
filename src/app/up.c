#include "app/up.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/agent_verb.h"
#include "app/crew.h"
#include "app/pki.h"
#include "app/serve.h"
#include "app/system.h"
#include "app/trim.h"
#include "app/up_config.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/kubeconfig.h"
#include "codec/jv.h"
#include "http/client.h"
#include "kinds/cond.h"

enum {
	STEP_MS = 20, /* how often a condition is looked at while starting */
	SYSTEM_MS = 120 * 1000, /* a recovery may take its time */
	SERVE_MS = 60 * 1000,
	HOSTS_MS = 60 * 1000,
	STOP_SERVE_MS = 20 * 1000,
	STOP_SERVERS_MS = 300 * 1000, /* a last checkpoint may take its time */
	LOCK_WAIT_MS = 15 * 1000,
	READY_MAX = 4096,
	WORDS = 400,
};

/* Their places in the crew. */
enum { SYSTEM, SERVE, AGENTS };

struct up_values {
	const char *data, *api, *zones, *pg_path;
};

struct up {
	struct arena arena;
	struct folder folder;
	struct up_config config;
	struct system system;
	struct crew crew;
	struct kubeconfig admin;
	struct http_client *client;
	int64_t started_ms;
	int64_t agents_us; /* wall clock, when the agents were started */
};

static void say(const struct up *u, const char *fmt, ...) PRINTF(2, 3);
static void say(const struct up *u, const char *fmt, ...)
{
	CLEANUP(arena_done) struct arena a = {0};
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "slipway: %s\n", arena_vprintf(&a, fmt, ap));
	va_end(ap);
}

static double seconds(const struct up *u)
{
	return (double)(clock_mono_ms() - u->started_ms) / 1000.0;
}

/* ---- waiting ---- */

typedef enum err_code is_ready(struct up *u, struct err *e);

/* A child other than the system database that ends by itself before all is ready never will be. */
static enum err_code check_crew(const struct up *u, struct err *e)
{
	char words[WORDS];

	for (size_t i = 0; i < u->crew.n; i++) {
		const struct proc *p = &u->crew.procs[i];

		if (p->state != PROC_RESTING || (i == SYSTEM && p->failures < 8))
			continue;
		proc_last_words(p, words, sizeof(words));
		return err_set(
			e, ERR_UNAVAILABLE, "%s did not start: %s (see %s)", p->name, words,
			p->conf.log_path);
	}
	return ERR_OK;
}

/* ERR_GONE: a signal asked us to stop. */
static enum err_code
wait_until(struct up *u, is_ready *ready, int timeout_ms, const char *what, struct err *e)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	struct err why = {ERR_OK, ""};

	while (ready(u, &why) != ERR_OK) {
		enum err_code code = check_crew(u, e);

		if (code)
			return code;
		if (clock_mono_ms() > deadline)
			return err_set(
				e, ERR_TIMEOUT, "%s was not ready within %d s: %s", what,
				timeout_ms / 1000, why.text);
		crew_step(&u->crew, STEP_MS);
		if (u->crew.asked_to_stop)
			return err_set(e, ERR_GONE, "asked to stop");
	}
	return ERR_OK;
}

/* ---- up.json ---- */

static json_t *pid_of(const struct proc *p)
{
	return p->state == PROC_UP ? json_integer(p->child.pid) : json_null();
}

static enum err_code ready_write(struct up *u, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t *agents = json_object();
	CLEANUP(jv_drop)
	json_t *doc = json_pack(
		"{s:s, s:s, s:i, s:{s:o, s:o, s:o}}", "api", u->admin.server, "kubeconfig",
		folder_file(&a, &u->folder, "kubeconfig"), "pid", (int)getpid(), "pids", "serve",
		pid_of(&u->crew.procs[SERVE]), "postgres", pid_of(&u->crew.procs[SYSTEM]), "agents",
		agents);

	for (size_t i = 0; i < u->config.n; i++)
		json_object_set_new(
			agents, u->config.zones[i].name, pid_of(&u->crew.procs[AGENTS + i]));
	return file_write(folder_file(&a, &u->folder, "up.json"), 0600, jv_text(&a, doc), e);
}

/* ---- the system database ---- */

static enum err_code system_ready(struct up *u, struct err *e)
{
	return system_is_ready(&u->system, e);
}

static enum err_code system_start(struct up *u, const struct up_values *v, struct err *e)
{
	struct proc *p = crew_add(&u->crew, "the system database");
	const char **argv = arena_array(&u->arena, const char *, 4);
	struct child running;
	enum err_code code;

	code = system_open(&u->arena, &u->folder, v->pg_path, &u->system, e);
	if (code)
		return code;
	argv[0] = arena_printf(&u->arena, "%s/postgres", u->system.bin);
	argv[1] = "-D";
	argv[2] = u->system.data;
	p->conf = (struct child_conf){
		.argv = argv,
		.log_path = u->system.log,
		.is_session = true,
	};
	p->stop_signal = SIGINT;
	p->stop_ms = STOP_SERVERS_MS;
	if (system_adopt(&u->system, &running, NULL) == ERR_OK) {
		proc_adopt(p, &running, clock_mono_ms());
		say(u, "the system database was still running");
	} else {
		proc_step(p, PROC_START, clock_mono_ms());
	}
	code = wait_until(u, system_ready, SYSTEM_MS, "the system database", e);
	if (!code)
		say(u, "system database ready (%.1f s)", seconds(u));
	return code;
}

/* ---- children of our own program ---- */

/* Our own program, also where its folder is not ours to enter. */
static const char *self(struct arena *a)
{
	char *path = arena_alloc(a, 4096);
	ssize_t n = readlink("/proc/self/exe", path, 4095);

	return n > 0 && access(path, X_OK) == 0 ? path : "/proc/self/exe";
}

static struct proc *part_add(
	struct up *u, const char *name, const char *log, const char *const *argv, size_t n,
	const char *const *env)
{
	struct proc *p = crew_add(&u->crew, name);
	const char **copy = arena_array(&u->arena, const char *, n + 1);

	memcpy(copy, argv, n * sizeof(*argv));
	p->conf = (struct child_conf){
		.argv = copy,
		.env = env,
		.log_path = folder_file(&u->arena, &u->folder, log),
		.is_session = true, /* Ctrl-C is ours to pass on, in order */
		.dies_with_us = true,
	};
	return p;
}

static enum err_code serve_ready(struct up *u, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *doc = NULL;
	enum err_code code;
	struct str text;

	code = file_read(&a, folder_file(&a, &u->folder, SERVE_READY), READY_MAX, &text, e);
	if (!code)
		code = jv_parse(text, READY_MAX, &doc, e);
	if (!code && jv_int(doc, "pid", 0) != u->crew.procs[SERVE].child.pid)
		code = err_set(e, ERR_UNAVAILABLE, "it is another one's");
	return code;
}

static enum err_code client_open(struct up *u, struct err *e)
{
	const char *path = folder_file(&u->arena, &u->folder, "kubeconfig");
	enum err_code code = kubeconfig_read(&u->arena, path, &u->admin, e);
	const struct http_client_conf conf = {
		.base_url = u->admin.server,
		.ca_pem = u->admin.ca_pem,
		.token = u->admin.token,
		.timeout_ms = 5000,
	};

	return code ? code : http_client_new(&conf, &u->client, e);
}

/* An earlier one may be ending: it holds the port until it has. */
static enum err_code serve_gone(struct up *u, struct err *e)
{
	CLEANUP(fd_drop) int fd = -1;

	return file_lock(folder_file(&u->arena, &u->folder, "serve.lock"), &fd, e);
}

static enum err_code serve_start(struct up *u, const struct up_values *v, struct err *e)
{
	enum err_code code;
	struct proc *p;

	code = wait_until(u, serve_gone, LOCK_WAIT_MS, "an earlier control plane to end", e);
	if (!code)
		code = address_is_free(&u->config.api, &u->config.api.port, e);
	if (!code)
		code = up_config_save(&u->folder, &u->config, e);
	if (!code)
		code = file_remove(folder_file(&u->arena, &u->folder, SERVE_READY), e);
	if (code)
		return code;

	const char *listen = arena_printf(
		&u->arena, strchr(u->config.api.host, ':') ? "[%s]:%u" : "%s:%u",
		u->config.api.host, u->config.api.port);
	const char *const argv[] = {
		self(&u->arena),    "serve",    "--data", u->folder.path, "--database",
		u->system.conninfo, "--listen", listen,
	};

	p = part_add(u, "the control plane", "log/serve.log", argv, ARRAY_LEN(argv), NULL);
	p->stop_signal = SIGTERM;
	p->stop_ms = STOP_SERVE_MS;
	proc_step(p, PROC_START, clock_mono_ms());
	code = wait_until(u, serve_ready, SERVE_MS, "the control plane", e);
	if (!code)
		code = client_open(u, e);
	if (!code)
		say(u, "control plane ready at %s (%.1f s)", u->admin.server, seconds(u));
	return code;
}

/* ---- the gateway ---- */

/* What it needs before it starts: a certificate, in its folder. */
static enum err_code gateway_prepare(struct up *u, struct err *e)
{
	const char *hosts[] = {"gateway", u->config.api.host, "localhost", "127.0.0.1", NULL};

	if (address_is_any(u->config.api.host))
		hosts[1] = "::1";
	return pki_gateway(
		&u->arena, &u->folder, folder_file(&u->arena, &u->folder, "gateway"), hosts, e);
}

/* ---- agents ---- */

/* GET or POST with a JSON answer; any status but 2xx is an error with the API's sentence. */
static enum err_code
ask(struct up *u, const char *method, const char *path, struct str body, json_t **ret,
    struct err *e)
{
	struct http_reply reply = {0};
	json_t *doc = NULL;
	enum err_code code;

	code = http_client_call(
		u->client, method, path, body.n ? "application/json" : NULL, body, &reply, e);
	if (!code)
		code = jv_parse(buf_view(&reply.body), READY_MAX << 8, &doc, e);
	if (!code && reply.status / 100 != 2)
		code =
			err_set(e, ERR_UNAVAILABLE, "the API says %d: %s", reply.status,
				jv_str_or(doc, "message", "no reason"));
	buf_done(&reply.body);
	if (code)
		jv_drop(&doc);
	else
		*ret = doc;
	return code;
}

static enum err_code
token_make(struct up *u, const struct up_zone *z, const char **ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *want = json_pack("{s:s, s:s}", "zone", z->name, "name", z->name);
	CLEANUP(jv_drop) json_t *got = NULL;
	enum err_code code;

	code = ask(u, "POST", "/agent/v1/tokens", jv_text(&u->arena, want), &got, e);
	if (!code)
		*ret = arena_strdup(&u->arena, jv_str_or(got, "token", ""));
	return code;
}

static enum err_code
agent_start(struct up *u, const struct up_values *v, const struct up_zone *z, struct err *e)
{
	const char *data = arena_printf(&u->arena, "%s/hosts/%s", u->folder.path, z->name);
	bool has_joined = file_exists(arena_printf(&u->arena, "%s/agent.json", data));
	const char **env = arena_array(&u->arena, const char *, 2);
	const char *argv[20] = {self(&u->arena), "agent", "--data", data}, *token = "";
	enum err_code code = dir_make(data, 0700, e);
	size_t n = 4;
	struct proc *p;

	if (!code && !has_joined)
		code = token_make(u, z, &token, e);
	if (code)
		return code;
	if (v->pg_path) {
		argv[n++] = "--pg-path";
		argv[n++] = v->pg_path;
	}
	if (!has_joined) {
		const char *const join[] = {
			"--join", u->admin.server, "--zone",    z->name,
			"--name", z->name,         "--address", z->address,
		};

		memcpy(argv + n, join, sizeof(join));
		n += ARRAY_LEN(join);
		env[0] = arena_printf(&u->arena, "%s=%s", AGENT_TOKEN_ENV, token);
	}
	p = part_add(
		u, arena_printf(&u->arena, "the agent of %s", z->name),
		arena_printf(&u->arena, "log/%s.log", z->name), argv, n, env);
	p->conf.holds_signals = true;
	p->stop_signal = SIGINT;
	p->stop_ms = STOP_SERVERS_MS;
	proc_step(p, PROC_START, clock_mono_ms());
	return ERR_OK;
}

/* By the agent that was started now: what the host's conditions say may be older. */
static bool is_heard(const struct up *u, const json_t *host)
{
	const char *text = jv_str_or(host, "status.lastHeard", "");
	int64_t heard_us;

	return clock_parse(str_of(text), &heard_us, NULL) == ERR_OK && heard_us > u->agents_us;
}

static enum err_code host_ready(struct up *u, const char *name, struct err *e)
{
	CLEANUP(jv_drop) json_t *host = NULL;
	enum err_code code;
	const char *status;

	code =
		ask(u, "GET", arena_printf(&u->arena, "/apis/slipway.dev/v1/hosts/%s", name),
		    STR(""), &host, e);
	if (code)
		return code;
	status = cond_status(host, "Ready");
	if (!is_heard(u, host) || !status || strcmp(status, "True") != 0)
		return err_set(e, ERR_UNAVAILABLE, "host %s is not ready", name);
	return ERR_OK;
}

static enum err_code hosts_ready(struct up *u, struct err *e)
{
	for (size_t i = 0; i < u->config.n; i++) {
		enum err_code code = host_ready(u, u->config.zones[i].name, e);

		if (code)
			return code;
	}
	return ERR_OK;
}

static enum err_code agents_start(struct up *u, const struct up_values *v, struct err *e)
{
	enum err_code code;

	u->agents_us = clock_wall_us();
	for (size_t i = 0; i < u->config.n; i++) {
		code = agent_start(u, v, &u->config.zones[i], e);
		if (code)
			return code;
	}
	code = wait_until(u, hosts_ready, HOSTS_MS, "the hosts", e);
	if (!code)
		say(u, "%zu hosts ready (%.1f s)", u->config.n, seconds(u));
	return code;
}

/* ---- the verb ---- */

/* The longest path below this folder that a server's socket will have. */
static enum err_code check_room(struct up *u, const struct up_values *v, struct err *e)
{
	enum err_code code = ERR_OK;

	for (size_t i = 0; !code && i < u->config.n; i++)
		code = folder_has_room(
			&u->folder,
			arena_printf(
				&u->arena, "hosts/%s/m/0123456789ab/run/.s.PGSQL.65535",
				u->config.zones[i].name),
			e);
	return code;
}

static enum err_code prepare(struct up *u, const struct up_values *v, struct err *e)
{
	enum err_code code;

	code = folder_open(&u->arena, v->data, "up.lock", 0, &u->folder, e);
	if (!code)
		code = crew_open(&u->crew, e);
	if (!code)
		code = file_remove(folder_file(&u->arena, &u->folder, "up.json"), e);
	if (!code)
		code = up_config_load(&u->arena, &u->folder, v->api, v->zones, &u->config, e);
	if (!code)
		code = check_room(u, v, e);
	if (!code)
		code = dir_make(folder_file(&u->arena, &u->folder, "log"), 0700, e);
	return code;
}

static void stop(struct up *u)
{
	size_t n = u->crew.n;

	if (u->folder.path)
		file_remove(folder_file(&u->arena, &u->folder, "up.json"), NULL);
	if (n > AGENTS) {
		say(u, "stopping the agents and their PostgreSQL servers ...");
		crew_stop(&u->crew, AGENTS, n);
	}
	if (n > SERVE) {
		say(u, "stopping the control plane ...");
		crew_stop(&u->crew, SERVE, SERVE + 1);
	}
	if (n > SYSTEM) {
		say(u, "stopping the system database ...");
		crew_stop(&u->crew, SYSTEM, SYSTEM + 1);
		say(u, "stopped");
	}
	if (u->client)
		http_client_free(u->client);
	arena_done(&u->arena);
}

static void greet(const struct up *u)
{
	say(u, "the platform is up (%.1f s): %s", seconds(u), u->admin.server);
	say(u, "  export KUBECONFIG=%s/kubeconfig", u->folder.path);
	say(u, "  slipway status");
	say(u, "Ctrl-C stops it; 'slipway up' on the same folder brings it all back.");
}

/* Until a signal asks to stop. up.json always says which processes run. */
static enum err_code watch(struct up *u, struct err *e)
{
	while (!u->crew.asked_to_stop) {
		unsigned changes = u->crew.changes;
		enum err_code code = ready_write(u, e);

		if (code)
			return code;
		while (u->crew.changes == changes && !u->crew.asked_to_stop)
			crew_step(&u->crew, -1);
	}
	return ERR_OK;
}

static enum err_code up(struct up *u, const struct up_values *v, struct err *e)
{
	enum err_code code;

	code = prepare(u, v, e);
	if (!code)
		code = system_start(u, v, e);
	if (!code)
		code = serve_start(u, v, e);
	if (!code)
		code = gateway_prepare(u, e);
	if (!code)
		code = agents_start(u, v, e);
	if (code)
		return code == ERR_GONE && u->crew.asked_to_stop ? ERR_OK : code;
	greet(u);
	trim();
	return watch(u, e);
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct up u = {.folder = {.lock_fd = -1}, .started_ms = clock_mono_ms()};
	enum err_code code;
	struct err e;

	log_set_role("up");
	signal(SIGPIPE, SIG_IGN);
	code = up(&u, values, &e);
	if (code)
		fprintf(stderr, "slipway up: %s\n", e.text);
	stop(&u);
	return code ? 1 : 0;
}

#define AT(field) offsetof(struct up_values, field)

static const struct opt opts[] = {
	{"data", 0, OPT_STR, AT(data), "DIR",
	 "Folder of everything (/var/lib/slipway for root, else ~/.local/share/slipway)."},
	{"api", 0, OPT_STR, AT(api), "ADDRESS:PORT",
	 "Where the API listens (127.0.0.1:6443); port 0 takes a free one and keeps it."},
	{"zones", 0, OPT_STR, AT(zones), "ZONES",
	 "Zones and their addresses (zone-a@127.0.1.1,zone-b@127.0.2.1,zone-c@127.0.3.1)."},
	{"pg-path", 0, OPT_STR, AT(pg_path), "DIRS",
	 "Folders of PostgreSQL programs, with ':' between and '*' for any part."},
	{NULL},
};

const struct opt_verb up_verb = {
	.name = "up",
	.args = "",
	.help = "Run a whole platform on this machine: system database, control plane, three "
		"zones.",
	.examples = "slipway up\n"
		    "slipway up --data ~/try --api 127.0.0.1:0    # beside another one\n"
		    "slipway up --zones berlin@10.0.0.1,paris@10.0.1.1",
	.exits = "0  stopped by Ctrl-C (SIGINT), SIGTERM or SIGHUP: all of it has ended, and comes "
		 "back at the next start\n"
		 "1  it could not start",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct up_values),
};
