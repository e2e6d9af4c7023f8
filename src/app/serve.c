#include "app/serve.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "app/address.h"
#include "app/pki.h"
#include "base/child.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/kubeconfig.h"
#include "control/control.h"
#include "kinds/kinds.h"
#include "store/store.h"

enum {
	LOCK_WAIT_MS = 15 * 1000, /* for an earlier one that is ending */
	RETRY_MS = 500, /* while the system database is away */
	TRIM_S = 15, /* how often pages that a busy time has left are given back */
	LOOK_S = 3600, /* how often the certificate's age is looked at */
	CONNINFO_MAX = 4096,
	HOSTS_MAX = OPT_STRS_MAX + 4,
	TOKEN_CHARS = 40,
	ARENAS = 4, /* of malloc: with fewer, threads wait; with more, each keeps what it had */
};

struct serve_values {
	const char *data, *listen, *database, *database_file;
	struct opt_strs advertise;
};

/* What runs, in the order in which it was started. */
struct serve {
	struct arena arena;
	struct folder folder;
	struct address listen;
	const char *conninfo;
	const char *hosts[HOSTS_MAX + 1]; /* of the certificate */
	const char *host; /* by which clients are told to come */
	struct pki pki;
	struct secret_key *key;
	struct store *store;
	struct api *api;
	struct http_server *http;
	struct control *control;
	sigset_t signals;
};

static enum err_code conninfo_get(struct serve *s, const struct serve_values *v, struct err *e)
{
	enum err_code code;
	struct str text;

	if (!v->database == !v->database_file)
		return err_set(
			e, ERR_INVALID,
			"serve wants either --database URL or --database-file FILE");
	if (v->database) {
		s->conninfo = v->database;
		return ERR_OK;
	}
	code = file_read(&s->arena, v->database_file, CONNINFO_MAX, &text, e);
	if (code)
		return code;
	text = str_trim(text);
	s->conninfo = arena_strndup(&s->arena, text.p, text.n);
	return ERR_OK;
}

static void hosts_set(struct serve *s, const struct serve_values *v)
{
	char *name = arena_alloc(&s->arena, 256);
	size_t n = 0;

	for (size_t i = 0; i < v->advertise.n; i++)
		s->hosts[n++] = v->advertise.v[i];
	if (!address_is_any(s->listen.host))
		s->hosts[n++] = s->listen.host;
	s->hosts[n++] = "localhost";
	s->hosts[n++] = "127.0.0.1";
	if (gethostname(name, 255) == 0)
		s->hosts[n++] = name;
	s->host = address_is_any(s->listen.host) && !v->advertise.n ? "127.0.0.1" : s->hosts[0];
}

static enum err_code prepare(struct serve *s, const struct serve_values *v, struct err *e)
{
	enum err_code code;
	bool is_new;

	/* what cannot be right is refused before anything is made */
	code = address_parse(&s->arena, v->listen, &s->listen, e);
	if (!code)
		code = conninfo_get(s, v, e);
	if (!code)
		code = kinds_init(e);
	if (!code)
		code = folder_open(&s->arena, v->data, "serve.lock", LOCK_WAIT_MS, &s->folder, e);
	if (!code)
		code = file_remove(folder_file(&s->arena, &s->folder, SERVE_READY), e);
	if (code)
		return code;
	hosts_set(s, v);
	code = pki_open(&s->arena, &s->folder, s->hosts, &s->pki, &is_new, e);
	if (!code)
		code = secret_key_open(folder_file(&s->arena, &s->folder, "key"), &s->key, e);
	return code;
}

/* The signal that came within the time; 0: none. */
static int signal_wait(const struct serve *s, int64_t ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int got;

	do
		got = sigtimedwait(&s->signals, NULL, &t);
	while (got < 0 && errno == EINTR);
	return MAX(got, 0);
}

/* Until the system database answers; *ret_is_asked_to_stop: a signal came first. */
static enum err_code store_wait(struct serve *s, bool *ret_is_asked_to_stop, struct err *e)
{
	const struct store_conf conf = {.conninfo = s->conninfo, .key = s->key};
	enum err_code code;

	*ret_is_asked_to_stop = false;
	while ((code = store_open(&conf, &s->store, e)) == ERR_UNAVAILABLE) {
		log_warn("system database is away", "why=%s", log_q(e->text));
		*ret_is_asked_to_stop = signal_wait(s, RETRY_MS) != 0;
		if (*ret_is_asked_to_stop)
			return ERR_OK;
	}
	return code;
}

static enum err_code http_start(struct serve *s, struct err *e)
{
	const struct http_server_conf conf = {
		.address = s->listen.host,
		.port = s->listen.port,
		.cert_pem = s->pki.server.cert_pem,
		.key_pem = s->pki.server.key_pem,
		.client_ca_pem = s->pki.ca.cert_pem,
		.handler = api_handle,
		.is_quick = api_is_quick,
		.ctx = s->api,
	};

	return http_server_start(&conf, &s->http, e);
}

/* The token that the kubeconfig holds is known to the store; a new one where it has none. */
static enum err_code
token_ensure(struct serve *s, const char *path, const char **token, struct err *e)
{
	const struct store_token admin = {.subject = "admin", .group = "slipway:admins"};
	struct kubeconfig old;
	struct store_token found;
	struct secret fresh = {0};
	enum err_code code;

	if (kubeconfig_read(&s->arena, path, &old, NULL) == ERR_OK && old.token) {
		*token = old.token;
		code = store_token_find(s->store, "user", str_of(old.token), &found, e);
		if (code != ERR_NOT_FOUND)
			return code;
	} else {
		secret_random(&fresh, TOKEN_CHARS);
		*token = arena_strndup(&s->arena, (const char *)fresh.p, fresh.n);
		secret_done(&fresh);
	}
	return store_token_put(s->store, "user", str_of(*token), &admin, 0, e);
}

/* The token is durable in the store before the file that names it is. */
static enum err_code kubeconfig_ensure(struct serve *s, const char *url, struct err *e)
{
	const char *path = folder_file(&s->arena, &s->folder, "kubeconfig");
	struct kubeconfig k = {.server = url, .ca_pem = s->pki.ca.cert_pem};
	enum err_code code = token_ensure(s, path, &k.token, e);

	return code ? code : kubeconfig_write(path, &k, e);
}

static enum err_code announce(struct serve *s, struct err *e)
{
	const char *url = address_url(&s->arena, s->host, http_server_port(s->http));
	CLEANUP(jv_drop) json_t *ready = json_pack("{s:s, s:i}", "api", url, "pid", (int)getpid());
	enum err_code code = kubeconfig_ensure(s, url, e);

	if (!code)
		code = file_write(
			folder_file(&s->arena, &s->folder, SERVE_READY), 0600,
			jv_text(&s->arena, ready), e);
	if (!code)
		log_info("ready", "api=%s", url);
	return code;
}

static enum err_code start(struct serve *s, struct err *e)
{
	const struct api_conf api = {.store = s->store, .ca = &s->pki.ca};
	const struct control_conf control = {.store = s->store, .ca_pem = s->pki.ca.cert_pem};
	enum err_code code;

	code = api_new(&api, &s->api, e);
	if (!code)
		code = http_start(s, e);
	if (!code)
		code = control_start(&control, &s->control, e);
	if (!code)
		code = announce(s, e);
	return code;
}

static void renew(struct serve *s)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code;
	struct pki pki;
	struct err e;
	bool is_new;

	code = pki_open(&a, &s->folder, s->hosts, &pki, &is_new, &e);
	if (!code && is_new)
		code = http_server_reload_cert(
			s->http, pki.server.cert_pem, pki.server.key_pem, &e);
	if (code)
		log_error("certificate not renewed", "why=%s", log_q(e.text));
}

static void stop(struct serve *s)
{
	if (s->folder.path)
		file_remove(folder_file(&s->arena, &s->folder, SERVE_READY), NULL);
	if (s->control)
		control_stop(s->control);
	if (s->http)
		http_server_stop(s->http);
	if (s->api)
		api_free(s->api);
	if (s->store)
		store_close(s->store);
	if (s->key)
		secret_key_free(s->key);
	arena_done(&s->arena);
}

static enum err_code serve(struct serve *s, const struct serve_values *v, struct err *e)
{
	bool is_asked_to_stop = false;
	enum err_code code;

	code = prepare(s, v, e);
	if (!code)
		code = store_wait(s, &is_asked_to_stop, e);
	if (!code && !is_asked_to_stop)
		code = start(s, e);
	if (code || is_asked_to_stop)
		return code;
	for (unsigned i = 1; !signal_wait(s, TRIM_S * 1000); i++) {
		malloc_trim(0);
		if (i % (LOOK_S / TRIM_S) == 0)
			renew(s);
	}
	log_info("stops", "why=signal");
	return ERR_OK;
}

static int run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	struct serve s = {.folder = {.lock_fd = -1}};
	enum err_code code;
	struct err e;

	log_set_role("serve");
	mallopt(M_ARENA_MAX, ARENAS);
	/* blocked before any thread starts, so that they come to signal_wait alone */
	child_stop_signals(&s.signals);
	sigprocmask(SIG_BLOCK, &s.signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	code = serve(&s, values, &e);
	stop(&s);
	if (code) /* the last words in the log */
		fprintf(stderr, "slipway serve: %s\n", e.text);
	return code ? 1 : 0;
}

static void defaults(void *values)
{
	((struct serve_values *)values)->listen = "127.0.0.1:6443";
}

#define AT(field) offsetof(struct serve_values, field)

static const struct opt opts[] = {
	{"database", 0, OPT_STR, AT(database), "URL",
	 "System database: any PostgreSQL 14 or newer, as postgresql://… or keywords."},
	{"database-file", 0, OPT_STR, AT(database_file), "FILE",
	 "A file that holds the URL, so that its password is in no process list."},
	{"listen", 0, OPT_STR, AT(listen), "ADDRESS:PORT",
	 "Where the API listens (127.0.0.1:6443); port 0 takes a free one."},
	{"advertise", 0, OPT_STRS, AT(advertise), "HOST",
	 "A name or address that clients and agents use for it; the first goes into the "
	 "kubeconfig."},
	{"data", 0, OPT_STR, AT(data), "DIR",
	 "Folder of its key, certificates and kubeconfig; replicas need the same key and ca.*."},
	{NULL},
};

const struct opt_verb serve_verb = {
	.name = "serve",
	.args = "",
	.help = "Run the control plane: the API and the controllers, over a PostgreSQL of yours.",
	.examples = "slipway serve --database postgresql://slipway@db.example/slipway --listen "
		    "0.0.0.0:6443 --advertise api.example\n"
		    "slipway serve --database-file /etc/slipway/database   # the URL with its "
		    "password",
	.exits = "0  stopped by SIGTERM, SIGINT or SIGHUP\n1  it could not start",
	.opts = opts,
	.run = run,
	.values_bytes = sizeof(struct serve_values),
	.defaults = defaults,
};
