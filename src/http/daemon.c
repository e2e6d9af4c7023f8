/* Starts and stops the server: its socket, libmicrohttpd's options, the order of the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "http/exchange.h"
#include "http/server.h"

enum {
	BACKLOG = 1024,
	STACK_BYTES = 512 * 1024,
	/* A connection's own buffer holds the head of its request, and pieces of a stream. It is
	 * what an idle connection costs, so it is small. */
	CONNECTION_BYTES = 16 * 1024,
	DRAIN_MS = 1000, /* for answers that are on their way when the server stops */
};

struct http_server {
	struct exchange_core core;
	struct MHD_Daemon *mhd;
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
	int one = 1;

	if (code != ERR_OK)
		return code;
	fd = socket(to.at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, &to.at.any, to.n) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, &to.at.any, &to.n) < 0)
		return listen_error(c, e);
	*ret_port = ntohs(to.at.v4.sin_port); /* at the same place in both families */
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

static unsigned flags_of(const struct http_server_conf *c)
{
	unsigned flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	return c->cert_pem ? flags | MHD_USE_TLS : flags;
}

/* What libmicrohttpd cannot do is start with one thread "in a pool": that is its default. */
static struct MHD_Daemon *
daemon_start(struct http_server *s, const struct http_server_conf *c, int fd)
{
	unsigned threads = c->event_threads ? c->event_threads : 2;
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
		{MHD_OPTION_CONNECTION_LIMIT, c->connections ? c->connections : 4096, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, c->idle_s ? c->idle_s : 120, NULL},
		{MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_on_completed, &s->core},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)exchange_on_connection, &s->core},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_on_target, &s->core},
		{c->cert_pem ? MHD_OPTION_ARRAY : MHD_OPTION_END, 0, tls},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem pool[] = {
		{threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
		{MHD_OPTION_END, 0, NULL},
	};

	return MHD_start_daemon(
		flags_of(c), 0, NULL, NULL, exchange_on_data, &s->core, MHD_OPTION_ARRAY, options,
		MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
}

static void core_fill(struct exchange_core *core, const struct http_server_conf *c)
{
	core->handler = c->handler;
	core->is_quick = c->is_quick;
	core->ctx = c->ctx;
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
	workers_stop(s->core.workers);
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
	int fd = -1;
	enum err_code code = parts_start(s, c, e);

	if (code == ERR_OK)
		code = listen_at(c, &fd, &s->port, e);
	if (code == ERR_OK && !(s->mhd = daemon_start(s, c, fd)))
		/* the socket may or may not be closed by now: it is not ours to close */
		code = err_set(
			e, ERR_INTERNAL, "the HTTP server on %s did not start; see the debug log",
			c->address);
	if (code != ERR_OK)
		parts_free(s);
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
	streams_end(s->core.streams);
	workers_stop(s->core.workers);
	exchange_core_drain(&s->core, DRAIN_MS);
	MHD_stop_daemon(s->mhd);
	parts_free(s);
}
