#include "gateway/gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "gateway/client.h"
#include "gateway/feed.h"
#include "gateway/hold.h"
#include "gateway/relay_server.h"
#include "gateway/tell.h"
#include "net/pair.h"

enum { ROUTES_MAX = 64 << 20, PEM_MAX = 1 << 16, BACKLOG = 4096, LOOK_BYTES = 16 << 20 };

struct gateway {
	struct hub hub;
	struct gateway_conf conf;
	struct listener listener;
	struct watch signals;
	struct timer drain;
	struct feed *feed; /* NULL: there is no control plane */
	char address[128];
};

static const struct server_ops server_ops = {
	.ready = pool_on_ready,
	.lost = pool_on_lost,
	.data = relay_server,
	.drained = relay_server_drained,
};

static const struct hold_ops hold_ops = {
	.ask = client_ask, .detach = client_detach, .attach = client_attach};

static void on_hold(struct database *d)
{
	struct gateway *g = container_of(d->hub, struct gateway, hub);

	if (g->feed)
		feed_touch(g->feed);
}

/* --- certificates */

static const char *
pem(const struct gateway *g, struct arena *a, const char *given, const char *name)
{
	const char *path = given ? given : arena_printf(a, "%s/%s", g->conf.data, name);
	struct str text;
	struct err e = {0};

	if (file_read(a, path, PEM_MAX, &text, &e)) {
		if (given)
			log_warn("certificate cannot be read", "why=%s", log_q(e.text));
		return NULL;
	}
	return arena_strndup(a, text.p, text.n);
}

static enum err_code certificates(struct gateway *g, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *cert = pem(g, &a, g->conf.cert, "gateway.crt");
	const char *key = pem(g, &a, g->conf.key, "gateway.key");
	const char *ca = pem(g, &a, g->conf.ca, "ca.crt");
	struct tlsio_conf clients = {
		.cert_pem = cert, .key_pem = key, .alpn = "postgresql", .is_server = true};
	struct tlsio_conf members = {.cert_pem = cert, .key_pem = key, .ca_pem = ca};
	struct tlsio_conf any = {0};
	struct tlsio_ctx *made[3] = {0};

	if ((cert && key && tlsio_ctx_new(&clients, &made[0], e)) ||
	    (ca && tlsio_ctx_new(&members, &made[1], e)) || tlsio_ctx_new(&any, &made[2], e)) {
		for (size_t i = 0; i < ARRAY_LEN(made); i++)
			tlsio_ctx_free(made[i]);
		return e->code;
	}
	tlsio_ctx_free(g->hub.tls_clients);
	tlsio_ctx_free(g->hub.tls_members);
	tlsio_ctx_free(g->hub.tls_any);
	g->hub.tls_clients = made[0];
	g->hub.tls_members = made[1];
	g->hub.tls_any = made[2];
	return ERR_OK;
}

/* --- routes */

static struct database *database_new(struct hub *h, const char *name)
{
	struct database *d = mem_alloc(sizeof(*d));

	d->hub = h;
	d->name = mem_strdup(name);
	list_init(&d->pools);
	(void)map_put(&h->databases, str_of(name), d);
	return d;
}

static void database_free(struct database *d)
{
	list_for_each_safe (at, &d->pools)
		pool_free(list_entry(at, struct pool, node));
	loop_timer_stop(d->hub->loop, &d->hold_limit);
	loop_timer_stop(d->hub->loop, &d->hold_check);
	route_free(d->route);
	free(d->name);
	free(d);
}

static void put(struct gateway *g, struct route *r)
{
	struct database *d = map_get(&g->hub.databases, str_of(r->name));

	if (!d)
		d = database_new(&g->hub, r->name);
	hold_route(d, r);
}

enum err_code gateway_put(struct gateway *g, const json_t *v, struct err *e)
{
	struct route *r;

	if (route_read(v, &r, e))
		return e->code;
	put(g, r);
	return ERR_OK;
}

void gateway_gone(struct gateway *g, const char *name)
{
	struct database *d = map_get(&g->hub.databases, str_of(name));

	if (d && d->route)
		hold_route(d, NULL);
}

static bool names(const json_t *databases, const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach ((json_t *)databases, i, v) {
		const char *s = jv_str(v, "name");

		if (s && !strcmp(s, name))
			return true;
	}
	return false;
}

static enum err_code admins(struct gateway *g, const json_t *roles, struct err *e)
{
	CLEANUP(jv_drop)
	json_t *v = json_pack(
		"{s:s, s:[s], s:O?}", "name", "slipway", "databases", "slipway", "roles", roles);
	struct route *r;

	if (route_read(v, &r, e))
		return e->code;
	route_free(g->hub.admins);
	g->hub.admins = r;
	return ERR_OK;
}

static void free_all(struct route **all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		route_free(all[i]);
}

/* All of them, or none. */
static enum err_code read_all(const json_t *databases, struct route **ret, struct err *e)
{
	for (size_t i = 0; i < json_array_size(databases); i++)
		if (route_read(json_array_get(databases, i), &ret[i], e)) {
			free_all(ret, i);
			return e->code;
		}
	return ERR_OK;
}

enum err_code gateway_routes(struct gateway *g, const json_t *v, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const json_t *databases = json_object_get(v, "databases");
	size_t n = json_array_size(databases);
	struct route **all = arena_array(&a, struct route *, n);

	if (!json_is_array(databases))
		return err_set(e, ERR_INVALID, "routes: no list of databases");
	if (read_all(databases, all, e))
		return e->code;
	if (admins(g, json_object_get(v, "admins"), e)) {
		free_all(all, n);
		return e->code;
	}
	for (size_t i = 0; i < n; i++)
		put(g, all[i]);
	map_for_each (slot, &g->hub.databases) {
		struct database *d = slot->value;

		if (d->route && !names(databases, d->name))
			hold_route(d, NULL);
	}
	return ERR_OK;
}

static enum err_code routes_load(struct gateway *g, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *v = NULL;
	struct str text;

	if (file_read(&a, g->conf.routes, ROUTES_MAX, &text, e))
		return e->code;
	if (jv_parse(text, ROUTES_MAX, &v, e))
		return err_wrap(e, "'%s'", g->conf.routes);
	return gateway_routes(g, v, e);
}

static void reload(struct gateway *g)
{
	struct err e = {0};

	if (certificates(g, &e))
		log_error("the old certificates stay", "why=%s", log_q(e.text));
	if (g->feed && feed_reopen(g->feed, &e))
		log_error("the old certificate stays", "why=%s", log_q(e.text));
	if (!g->conf.routes)
		return;
	if (routes_load(g, &e))
		log_error("the old routes stay", "why=%s", log_q(e.text));
	else
		log_info("routes read", "databases=%zu", g->hub.databases.n);
}

/* --- the control plane */

static void on_route(void *arg, const json_t *route)
{
	struct err e = {0};

	if (gateway_put(arg, route, &e))
		log_error("a route was not taken", "why=%s", log_q(e.text));
}

static void on_gone(void *arg, const char *name)
{
	gateway_gone(arg, name);
}

static void on_admins(void *arg, const json_t *roles)
{
	struct err e = {0};

	if (admins(arg, roles, &e))
		log_error("the admins were not taken", "why=%s", log_q(e.text));
}

/* What of it can be read serves: the control plane may be away for long. */
static void on_kept(void *arg, const json_t *all)
{
	struct gateway *g = arg;
	json_t *each;
	size_t i;

	on_admins(g, json_object_get(all, "admins"));
	json_array_foreach (json_object_get(all, "databases"), i, each)
		on_route(g, each);
	log_info("kept routes read", "databases=%zu", g->hub.databases.n);
}

static json_t *on_report(void *arg)
{
	struct gateway *g = arg;
	CLEANUP(arena_done) struct arena a = {0};
	const char *address = g->address;

	if (g->conf.address)
		address = arena_printf(&a, "%s%s", g->conf.address, strrchr(g->address, ':'));
	return tell_report(&g->hub, address, g->conf.source);
}

static void on_renewed(void *arg)
{
	struct err e = {0};

	if (certificates(arg, &e))
		log_error("the old certificates stay", "why=%s", log_q(e.text));
}

static const struct feed_ops feed_ops = {
	.routes = on_kept,
	.database = on_route,
	.gone = on_gone,
	.admins = on_admins,
	.report = on_report,
	.renewed = on_renewed,
};

static enum err_code source_set(struct gateway *g, struct err *e)
{
	if (!g->conf.source)
		return ERR_OK;
	if (inet_pton(AF_INET, g->conf.source, &g->hub.source.sin_addr) != 1)
		return err_set(e, ERR_INVALID, "--source: '%s' is no IPv4 address", g->conf.source);
	g->hub.source.sin_family = AF_INET;
	return ERR_OK;
}

/* --- the end */

static void end_sessions(struct gateway *g, bool are_all)
{
	list_for_each_safe (at, &g->hub.sessions) {
		struct session *c = list_entry(at, struct session, node);

		if (are_all || c->state != SESSION_READY || c->is_admin || session_is_at_rest(c))
			session_fail(c, "57P01", "the gateway is being stopped: connect again");
	}
}

static void on_drain(struct timer *t)
{
	struct gateway *g = container_of(t, struct gateway, drain);
	bool is_over = loop_now_us(g->hub.loop) >= g->hub.drain_until_us;

	if (g->hub.clients == 0) {
		loop_end(g->hub.loop);
		return;
	}
	end_sessions(g, is_over);
	if (is_over && loop_now_us(g->hub.loop) >= g->hub.drain_until_us + 2500000)
		loop_end(g->hub.loop);
	else
		loop_timer(g->hub.loop, t, 20000, on_drain);
}

static void drain(struct gateway *g, int64_t patience_us)
{
	if (!g->hub.is_draining)
		loop_listen_stop(&g->listener);
	g->hub.is_draining = true;
	g->hub.drain_until_us = loop_now_us(g->hub.loop) + patience_us;
	log_info("stopping", "clients=%u", g->hub.clients);
	loop_timer(g->hub.loop, &g->drain, 0, on_drain);
}

static void on_signal(struct watch *w)
{
	struct gateway *g = container_of(w, struct gateway, signals);
	struct signalfd_siginfo s;

	while (read(w->fd, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGHUP)
			reload(g);
		else
			drain(g, s.ssi_signo == SIGTERM ? g->conf.drain_s * 1000000 : 0);
	}
}

/* --- start */

static void on_taken(struct listener *n, int fd)
{
	struct gateway *g = container_of(n, struct gateway, listener);

	client_new(&g->hub, fd);
}

static enum err_code listen_on(struct gateway *g, struct err *e)
{
	const char *colon = strrchr(g->conf.listen, ':');
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof(a);
	CLEANUP(arena_done) struct arena t = {0};
	const char *host;
	uint64_t port;
	int on = 1, fd;

	if (!colon || !str_to_u64(str_of(colon + 1), &port) || port > 65535)
		return err_set(e, ERR_INVALID, "--listen wants ADDRESS:PORT");
	host = arena_strndup(&t, g->conf.listen, (size_t)(colon - g->conf.listen));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		return err_set(e, ERR_INVALID, "--listen: '%s' is no IPv4 address", host);
	a.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&a, &n)) {
		err_os(e, "listen on %s", g->conf.listen);
		if (fd >= 0)
			close(fd);
		return e->code;
	}
	snprintf(g->address, sizeof(g->address), "%s:%d", host, ntohs(a.sin_port));
	g->listener = (struct listener){.fd = fd, .taken = on_taken};
	loop_listen(g->hub.loop, &g->listener);
	return ERR_OK;
}

static enum err_code say_ready(struct gateway *g, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *text = arena_printf(
		&a, "{\"address\":\"%s\",\"pid\":%d,\"io\":\"%s\"}\n", g->address, (int)getpid(),
		loop_io_name(g->hub.loop));

	return file_write(arena_printf(&a, "%s/gateway.json", g->conf.data), 0644, str_of(text), e);
}

static void more_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r); /* what there is must do, then */
}

static enum err_code signals_open(struct gateway *g, struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_os(e, "signalfd");
	g->signals = (struct watch){.fd = fd, .ready = on_signal};
	loop_watch(g->hub.loop, &g->signals);
	return ERR_OK;
}

static enum err_code open_all(struct gateway *g, struct err *e)
{
	if (source_set(g, e))
		return e->code;
	if (!g->conf.cert && pair_repair(g->conf.data, "gateway", e))
		return e->code;
	if (certificates(g, e))
		return e->code;
	if (signals_open(g, e))
		return e->code;
	if (g->conf.routes && routes_load(g, e))
		return e->code;
	if (g->conf.api &&
	    feed_open(g->hub.loop, g->conf.api, g->conf.data, &feed_ops, g, &g->feed, e))
		return e->code;
	return listen_on(g, e);
}

enum err_code gateway_new(const struct gateway_conf *c, struct gateway **ret, struct err *e)
{
	struct gateway *g = mem_alloc(sizeof(*g));

	g->conf = *c;
	g->signals.fd = g->listener.fd = -1;
	list_init(&g->hub.sessions);
	g->hub.limits = (struct hub_limits){
		.message_bytes = c->message_bytes,
		.look_bytes = LOOK_BYTES,
		.login_us = c->login_s * 1000000,
		.connect_us = 15000000,
		.clients = (unsigned)c->clients,
		.statements = 500};
	g->hub.server_ops = &server_ops;
	g->hub.session_ops = &client_session_ops;
	hold_init(&hold_ops, on_hold);
	more_descriptors();
	if (getrandom(g->hub.secret, sizeof(g->hub.secret), 0) != sizeof(g->hub.secret))
		abort();
	if (loop_new(c->io, &g->hub.loop, e)) {
		free(g);
		return e->code;
	}
	if (open_all(g, e)) {
		gateway_free(g);
		return e->code;
	}
	*ret = g;
	return ERR_OK;
}

enum err_code gateway_run(struct gateway *g, struct err *e)
{
	if (say_ready(g, e))
		return e->code;
	log_info(
		"ready", "address=%s io=%s databases=%zu", g->address, loop_io_name(g->hub.loop),
		g->hub.databases.n);
	loop_run(g->hub.loop);
	return ERR_OK;
}

static void storms_done(struct map *m)
{
	map_for_each (slot, m)
		free(slot->value);
	map_done(m);
}

static void on_last(struct timer *t)
{
	struct gateway *g = container_of(t, struct gateway, drain);

	loop_end(g->hub.loop);
}

void gateway_free(struct gateway *g)
{
	struct hub *h = &g->hub;
	struct feed *feed = g->feed;

	g->feed = NULL;
	feed_close(feed);
	end_sessions(g, true);
	list_for_each_safe (at, &h->sessions)
		stream_close(&list_entry(at, struct session, node)->stream);
	map_for_each (slot, &h->databases)
		list_for_each (at, &((struct database *)slot->value)->pools)
			pool_drop_idle(list_entry(at, struct pool, node));
	loop_listen_stop(&g->listener);
	loop_unwatch(&g->signals);
	/* what was closed is buried by the loop: a few rounds more */
	loop_timer(h->loop, &g->drain, 50000, on_last);
	loop_run(h->loop);
	feed_free(feed);
	map_for_each (slot, &h->databases)
		database_free(slot->value);
	map_done(&h->databases);
	storms_done(&h->storms);
	map_done(&h->vars.sets);
	map_done(&h->stmts.texts);
	route_free(h->admins);
	tlsio_ctx_free(h->tls_clients);
	tlsio_ctx_free(h->tls_members);
	tlsio_ctx_free(h->tls_any);
	free(h->ids);
	if (g->listener.fd >= 0)
		close(g->listener.fd);
	if (g->signals.fd >= 0)
		close(g->signals.fd);
	loop_free(h->loop);
	free(g);
}
