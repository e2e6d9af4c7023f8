/* Starts and stops the server: its socket, libmicrohttpd's options, the order of the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "http/exchange.h"
#include "http/server.h"
#include "http/turner.h"

enum {
	BACKLOG = 1024,
	STACK_BYTES = 512 * 1024,
	/* A connection's own buffer holds the head of its request, and pieces of a stream. It is
	 * what an idle connection costs, so it is small. */
	CONNECTION_BYTES = 16 * 1024,
	DRAIN_MS = 1000, /* for answers that are on their way when the server stops */
	HANDSHAKE_MAX_S = 10,
	LOOPS_MAX = 16,
};

struct http_server {
	struct exchange_core core;
	struct turner *loops[LOOPS_MAX];
	unsigned n;
	uint16_t port;
};

static void PRINTF(2, 0) on_log(void *arg, const char *fmt, va_list ap)
{
	char text[256];
	size_t n;

	(void)arg;
	vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	while (n && text[n - 1] == '\n')
		text[--n] = '\0';
	log_debug("libmicrohttpd", "text=%s", log_q(text));
}

struct listen_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	socklen_t n;
};

static enum err_code
address_parse(const char *text, uint16_t port, struct listen_address *ret, struct err *e)
{
	*ret = (struct listen_address){.n = sizeof(ret->at.v4)};
	if (inet_pton(AF_INET, text, &ret->at.v4.sin_addr) == 1) {
		ret->at.v4.sin_family = AF_INET;
		ret->at.v4.sin_port = htons(port);
		return ERR_OK;
	}
	*ret = (struct listen_address){.n = sizeof(ret->at.v6)};
	if (inet_pton(AF_INET6, text, &ret->at.v6.sin6_addr) == 1) {
		ret->at.v6.sin6_family = AF_INET6;
		ret->at.v6.sin6_port = htons(port);
		return ERR_OK;
	}
	return err_set(e, ERR_INVALID, "listen address '%s': want an IP address", text);
}

struct socket_option {
	int level, name, value;
};

/* Connections inherit them. A host that vanished is noticed in half a minute. */
static const struct socket_option socket_options[] = {
	{SOL_SOCKET, SO_REUSEADDR, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
	{IPPROTO_TCP, TCP_KEEPIDLE, 15}, {IPPROTO_TCP, TCP_KEEPINTVL, 5},
	{IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 30000},
};

static void options_set(int fd)
{
	for (size_t i = 0; i < ARRAY_LEN(socket_options); i++) {
		const struct socket_option *o = &socket_options[i];

		if (setsockopt(fd, o->level, o->name, &o->value, sizeof(o->value)) < 0)
			log_warn(
				"socket option", "name=%d reason=%s", o->name,
				log_q(strerror(errno)));
	}
}

static enum err_code listen_error(const struct http_server_conf *c, struct err *e)
{
	if (errno == EADDRINUSE)
		return err_set(
			e, ERR_CONFLICT, "port %u on %s is in use by another program", c->port,
			c->address);
	return err_os(e, "listen on port %u of %s", c->port, c->address);
}

static enum err_code
listen_at(const struct http_server_conf *c, int *ret_fd, uint16_t *ret_port, struct err *e)
{
	struct listen_address to;
	enum err_code code = address_parse(c->address, c->port, &to, e);
	CLEANUP(fd_drop) int fd = -1;

	if (code != ERR_OK)
		return code;
	fd = socket(to.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		options_set(fd);
	if (fd < 0 || bind(fd, &to.at.any, to.n) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, &to.at.any, &to.n) < 0)
		return listen_error(c, e);
	*ret_port = ntohs(to.at.v4.sin_port); /* at the same place in both families */
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

static unsigned flags_of(const struct http_server_conf *c)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	return c->cert_pem ? flags | MHD_USE_TLS : flags;
}

static unsigned idle_of(const struct http_server_conf *c)
{
	return c->idle_s ? c->idle_s : 120;
}

static unsigned loops_of(const struct http_server_conf *c)
{
	return MIN(c->event_threads ? c->event_threads : 2, LOOPS_MAX);
}

/* fd becomes the daemon's, to close. */
static struct MHD_Daemon *
daemon_new(struct http_server *s, const struct http_server_conf *c, int fd)
{
	unsigned connections = c->connections ? c->connections : 4096;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)tls_on_certificate},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
		{c->client_ca_pem ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
		 (void *)(uintptr_t)c->client_ca_pem},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL},
		{MHD_OPTION_LISTEN_SOCKET, fd, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, MAX(connections / loops_of(c), 1u), NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, idle_of(c), NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_on_completed, &s->core},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)exchange_on_connection, &s->core},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_on_target, &s->core},
		{c->cert_pem ? MHD_OPTION_ARRAY : MHD_OPTION_END, 0, tls},
		{MHD_OPTION_END, 0, NULL},
	};

	return MHD_start_daemon(
		flags_of(c), 0, NULL, NULL, exchange_on_data, &s->core, MHD_OPTION_ARRAY, options,
		MHD_OPTION_END);
}

static enum err_code
loop_add(struct http_server *s, const struct http_server_conf *c, int listen_fd, struct err *e)
{
	int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);
	struct MHD_Daemon *mhd;
	enum err_code code;

	if (fd < 0)
		return err_os(e, "share the socket of port %u", s->port);
	mhd = daemon_new(s, c, fd);
	if (!mhd) /* it may or may not have closed the socket: not ours to close */
		return err_set(
			e, ERR_INTERNAL, "the HTTP server on %s did not start; see the debug log",
			c->address);
	code = turner_start(mhd, STACK_BYTES, &s->loops[s->n], e);
	if (code == ERR_OK)
		s->n++;
	else
		MHD_stop_daemon(mhd);
	return code;
}

static enum err_code
loops_start(struct http_server *s, const struct http_server_conf *c, struct err *e)
{
	CLEANUP(fd_drop) int fd = -1;
	enum err_code code = listen_at(c, &fd, &s->port, e);

	for (unsigned i = 0; i < loops_of(c) && code == ERR_OK; i++)
		code = loop_add(s, c, fd, e);
	return code;
}

static void core_fill(struct exchange_core *core, const struct http_server_conf *c)
{
	core->handler = c->handler;
	core->is_quick = c->is_quick;
	core->ctx = c->ctx;
	core->handshake_ms = (int)MIN(idle_of(c), HANDSHAKE_MAX_S) * 1000;
	core->max_body = c->max_body ? c->max_body : 1536 * 1024 + 64 * 1024;
}

/* What libmicrohttpd's threads use; undone by parts_free. */
static enum err_code
parts_start(struct http_server *s, const struct http_server_conf *c, struct err *e)
{
	enum err_code code = ERR_OK;

	core_fill(&s->core, c);
	exchange_core_init(&s->core);
	s->core.workers = workers_new(c->workers ? c->workers : 32);
	if (c->cert_pem)
		code = tls_new(c->cert_pem, c->key_pem, &s->core.tls, e);
	if (code == ERR_OK)
		code = streams_start(&s->core.streams, e);
	return code;
}

static void parts_free(struct http_server *s)
{
	workers_free(s->core.workers);
	if (s->core.streams)
		streams_stop(s->core.streams);
	if (s->core.tls)
		tls_free(s->core.tls);
	exchange_core_done(&s->core);
	free(s);
}

enum err_code
http_server_start(const struct http_server_conf *c, struct http_server **ret, struct err *e)
{
	struct http_server *s = mem_alloc(sizeof(*s));
	enum err_code code = parts_start(s, c, e);

	if (code == ERR_OK)
		code = loops_start(s, c, e);
	if (code != ERR_OK)
		http_server_stop(s);
	else
		*ret = s;
	return code;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

enum err_code http_server_reload_cert(
	struct http_server *s, const char *cert_pem, const char *key_pem, struct err *e)
{
	if (!s->core.tls)
		return err_set(e, ERR_INVALID, "a plain HTTP server has no certificate");
	return tls_reload(s->core.tls, cert_pem, key_pem, e);
}

/*
 * libmicrohttpd must not be stopped while a connection is suspended. So: from here on nothing new
 * suspends (is_stopping, streams_end), the workers finish and resume what they have, and then
 * answers that are on their way get a moment.
 */
void http_server_stop(struct http_server *s)
{
	s->core.is_stopping = true;
	if (s->core.streams)
		streams_end(s->core.streams);
	workers_stop(s->core.workers);
	exchange_core_drain(&s->core, DRAIN_MS);
	for (unsigned i = 0; i < s->n; i++)
		turner_stop(s->loops[i]);
	parts_free(s);
}
