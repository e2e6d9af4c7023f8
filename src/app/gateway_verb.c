#include "app/gateway_verb.h"

#include <signal.h>
#include <stdio.h>

#include "app/folder.h"
#include "base/log.h"
#include "gateway/gateway.h"

enum { LOCK_WAIT_MS = 15 * 1000 };

struct gateway_values {
	const char *data, *api, *routes, *listen, *source, *address, *cert, *key, *ca, *io;
	int64_t clients, login_s, drain_s, message_mb;
};

static enum loop_io io_of(const char *s)
{
	if (!s)
		return LOOP_ANY;
	return !strcmp(s, "epoll") ? LOOP_EPOLL : LOOP_URING;
}

static void defaults(void *values)
{
	struct gateway_values *v = values;

	v->listen = "127.0.0.1:6432";
	v->clients = 20000;
	v->login_s = 15;
	v->drain_s = 60;
	v->message_mb = 1024;
}

static enum err_code check(const struct gateway_values *v, struct err *e)
{
	if (!v->api == !v->routes)
		return err_set(e, ERR_INVALID, "say --api URL or --routes FILE");
	return ERR_OK;
}

static enum err_code serve(struct arena *a, const struct gateway_values *v, struct err *e)
{
	struct folder folder = {.lock_fd = -1};
	struct gateway_conf c = {
		.routes = v->routes,
		.api = v->api,
		.listen = v->listen,
		.source = v->source,
		.address = v->address,
		.cert = v->cert,
		.key = v->key,
		.ca = v->ca,
		.io = io_of(v->io),
		.clients = v->clients,
		.login_s = v->login_s,
		.drain_s = v->drain_s,
		.message_bytes = (uint32_t)v->message_mb << 20};
	struct gateway *g;
	enum err_code code = folder_open(a, v->data, "gateway.lock", LOCK_WAIT_MS, &folder, e);

	if (code)
		return code;
	c.data = folder.path;
	code = gateway_new(&c, &g, e);
	if (code)
		return code;
	code = gateway_run(g, e);
	gateway_free(g);
	return code;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct err e = {0};
	enum err_code code;

	log_set_role("gateway");
	signal(SIGPIPE, SIG_IGN);
	code = check(values, &e);
	if (!code)
		code = serve(&a, values, &e);
	if (code)
		fprintf(stderr, "slipway gateway: %s\n", e.text);
	return code ? 1 : 0;
}

#define AT(field) offsetof(struct gateway_values, field)

static const struct opt opts[] = {
	{"data", 0, OPT_STR, AT(data), "DIR", "Its folder: certificate, routes, gateway.json."},
	{"api", 0, OPT_STR, AT(api), "URL",
	 "Serve the databases of the platform whose API is there; while it is away, those last "
	 "heard "
	 "of."},
	{"routes", 0, OPT_STR, AT(routes), "FILE",
	 "Serve the databases that this file lists; SIGHUP reads it again."},
	{"listen", 0, OPT_STR, AT(listen), "IP:PORT",
	 "Where clients connect (127.0.0.1:6432); port 0 takes any."},
	{"source", 0, OPT_STR, AT(source), "IP",
	 "Connect to members from this address, which is this gateway's alone."},
	{"address", 0, OPT_STR, AT(address), "HOST",
	 "The host that clients are told to connect to (that of --listen)."},
	{"tls-cert", 0, OPT_STR, AT(cert), "FILE", "Its certificate (gateway.crt in its folder)."},
	{"tls-key", 0, OPT_STR, AT(key), "FILE", "The certificate's key (gateway.key)."},
	{"ca", 0, OPT_STR, AT(ca), "FILE", "Who signs the members' certificates (ca.crt)."},
	{"io", 0, OPT_STR, AT(io), "epoll|uring",
	 "The kernel's interface (io_uring where there is one)."},
	{"max-clients", 0, OPT_INT, AT(clients), "N", "Clients at most (20000).", 1, 1000000},
	{"login-timeout", 0, OPT_INT, AT(login_s), "SECONDS",
	 "From connected to logged in at most (15).", 1, 3600},
	{"drain", 0, OPT_INT, AT(drain_s), "SECONDS",
	 "After SIGTERM, how long transactions may take to end (60).", 0, 86400},
	{"max-message", 0, OPT_INT, AT(message_mb), "MB", "The longest message (1024).", 1, 2047},
	{NULL},
};

const struct opt_verb gateway_verb = {
	.name = "gateway",
	.args = "",
	.help = "Run a gateway: one endpoint for every database, sessions live through a switch.",
	.examples =
		"slipway gateway --data /var/lib/slipway-gateway --api https://api.example:6443\n"
		"slipway gateway --data /var/lib/slipway-gateway --routes routes.json",
	.exits = "0  stopped: by SIGTERM after transactions have ended, by SIGINT at once\n"
		 "1  it could not start",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct gateway_values),
	.defaults = defaults,
};
