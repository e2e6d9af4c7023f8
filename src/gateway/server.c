#include "gateway/server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/arena.h"
#include "codec/pgwire.h"
#include "codec/sasl.h"

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_storage all;
};

/* What is needed until it is ready. */
struct server_login {
	struct buf start; /* parameters */
	struct secret password;
	struct buf user;
	enum route_tls tls;
	char host[256];
	struct sasl_client *sasl;
};

static void login_drop(struct server *s)
{
	struct server_login *l = s->login;

	if (!l)
		return;
	buf_done(&l->start);
	buf_done(&l->user);
	secret_done(&l->password);
	sasl_client_free(l->sasl);
	free(l);
	s->login = NULL;
}

static enum err_code
resolve(const char *host, int port, union address *ret, socklen_t *ret_n, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
	char service[8];
	int result;

	if (host[0] == '/') {
		ret->un = (struct sockaddr_un){.sun_family = AF_UNIX};
		if ((size_t)snprintf(
			    ret->un.sun_path, sizeof(ret->un.sun_path), "%s/.s.PGSQL.%d", host,
			    port) >= sizeof(ret->un.sun_path))
			return err_set(e, ERR_LIMIT, "the socket's folder '%s' is too long", host);
		*ret_n = sizeof(ret->un);
		return ERR_OK;
	}
	snprintf(service, sizeof(service), "%d", port);
	result = getaddrinfo(host, service, &hints, &found);
	if (result)
		return err_set(
			e, ERR_UNAVAILABLE, "no address for '%s': %s", host, gai_strerror(result));
	memcpy(ret, found->ai_addr, MIN((size_t)found->ai_addrlen, sizeof(*ret)));
	*ret_n = found->ai_addrlen;
	freeaddrinfo(found);
	return ERR_OK;
}

static void gone(struct server *s, const struct err *why)
{
	if (s->state == SERVER_GONE)
		return;
	s->end.is_refused = s->state != SERVER_READY;
	if (!s->end.err.code || why->code)
		if (!s->end.sqlstate[0])
			s->end.err = *why;
	s->state = SERVER_GONE;
	loop_timer_stop(s->hub->loop, &s->limit);
	stream_close(&s->stream);
	s->hub->server_ops->lost(s, &s->end);
}

static void fail(struct server *s, enum err_code code, const char *what)
{
	struct err e = {0};

	(void)err_set(&e, code, "server '%s': %s", s->member, what);
	gone(s, &e);
}

static void on_limit(struct timer *t)
{
	struct server *s = container_of(t, struct server, limit);

	if (s->state == SERVER_GONE)
		stream_close(&s->stream);
	else
		fail(s, ERR_TIMEOUT, "connecting and logging in took too long");
}

static void send_buf(struct server *s, struct buf *b)
{
	stream_write(&s->stream, b->p, b->n);
	buf_done(b);
}

static void say_start(struct server *s)
{
	struct buf b = {0};

	s->state = SERVER_LOGIN;
	pgw_put_start(&b, PGW_VERSION_3_0, buf_view(&s->login->start));
	send_buf(s, &b);
}

static void on_opened(struct stream *st)
{
	struct server *s = container_of(st, struct server, stream);
	struct buf b = {0};

	if (s->state == SERVER_CONNECTING && s->login->tls != ROUTE_OFF) {
		s->state = SERVER_TLS;
		pgw_put_ssl_request(&b);
		send_buf(s, &b);
		return;
	}
	say_start(s);
}

static size_t on_tls_answer(struct server *s, const char *p, size_t n)
{
	struct hub *h = s->hub;
	bool is_checked = s->login->tls == ROUTE_VERIFY_CA;
	struct tlsio_ctx *ctx = is_checked ? h->tls_members : h->tls_any;

	/* What comes behind the byte was sent before the handshake by who knows whom. */
	if (*p != 'S' || n != 1) {
		fail(s, ERR_UNAVAILABLE, "it does not speak TLS, which its route asks for");
		return n;
	}
	if (!ctx) {
		fail(s, ERR_UNAVAILABLE, "the gateway has no certificate authority to check it by");
		return n;
	}
	stream_tls(&s->stream, tlsio_new(ctx, s->login->host, false));
	return n;
}

static void note_fatal(struct server *s, struct str body)
{
	struct str code = pgw_field(body, 'C'), text = pgw_field(body, 'M');

	snprintf(s->end.sqlstate, sizeof(s->end.sqlstate), STR_FMT, STR_ARG(code));
	(void)err_set(
		&s->end.err, ERR_UNAVAILABLE, "server '%s' said: " STR_FMT, s->member,
		STR_ARG(text));
}

static void on_sasl(struct server *s, uint32_t kind, struct str rest)
{
	struct server_login *l = s->login;
	struct buf out = {0}, data = {0};
	struct err e = {0};
	const char *mechanism = NULL;
	unsigned char binding[TLSIO_BINDING_MAX];
	struct tlsio *t = stream_tlsio(&s->stream);
	size_t n = t ? tlsio_binding(t, binding) : 0;
	enum sasl_status status;

	if (kind == 10) {
		sasl_client_free(l->sasl);
		l->sasl = sasl_client_new(
			(struct str){(char *)l->password.p, l->password.n},
			(struct str){(char *)binding, n}, t != NULL);
		status = sasl_client_first(l->sasl, rest, &mechanism, &data, &e);
		if (status == SASL_GO_ON)
			pgw_put_sasl_initial(&out, mechanism, buf_view(&data));
	} else if (kind == 11 && l->sasl) {
		status = sasl_client_next(l->sasl, rest, &data, &e);
		if (status == SASL_GO_ON)
			pgw_put_sasl_response(&out, buf_view(&data));
	} else {
		status = l->sasl ? sasl_client_final(l->sasl, rest, &e) : SASL_BAD;
	}
	buf_done(&data);
	if (status == SASL_GO_ON || status == SASL_DONE) {
		send_buf(s, &out);
		return;
	}
	buf_done(&out);
	fail(s, ERR_UNAUTHORIZED, e.text[0] ? e.text : "its proof of the password is wrong");
}

static void on_auth(struct server *s, struct str body)
{
	struct server_login *l = s->login;
	struct buf out = {0};
	struct str salt;
	uint32_t kind;

	if (!pgw_get_u32(&body, &kind)) {
		fail(s, ERR_INVALID, "it breaks the protocol at login");
		return;
	}
	if (kind == 0)
		return;
	if (!l->password.p) {
		fail(s, ERR_UNAUTHORIZED, "it wants a password, and its route has none");
		return;
	}
	if (kind == 5 && pgw_get_bytes(&body, 4, &salt)) {
		pgw_put_md5(
			&out, buf_view(&l->user),
			(struct str){(char *)l->password.p, l->password.n},
			(const unsigned char *)salt.p);
		send_buf(s, &out);
	} else if (kind >= 10 && kind <= 12) {
		on_sasl(s, kind, body);
	} else {
		fail(s, ERR_UNAUTHORIZED,
		     "it wants a kind of login that the gateway does not offer (scram and md5 "
		     "are)");
	}
}

static void on_login_message(struct server *s, const struct pgw_msg *m)
{
	struct str body = m->body, name, value;

	switch (m->type) {
	case 'R':
		on_auth(s, body);
		break;
	case 'S':
		if (pgw_get_text(&body, &name) && pgw_get_text(&body, &value))
			s->vars = vars_with(s->vars, name, value);
		break;
	case 'K':
		if (pgw_get_u32(&body, &s->pid) && body.n == sizeof(s->key))
			memcpy(s->key, body.p, sizeof(s->key));
		break;
	case 'E': {
		struct err none = {0};

		note_fatal(s, body);
		gone(s, &none);
		break;
	}
	case 'Z':
		s->tx = 'I';
		s->state = SERVER_READY;
		s->base = vars_ref(s->vars);
		loop_timer_stop(s->hub->loop, &s->limit);
		login_drop(s);
		s->hub->server_ops->ready(s);
		break;
	case 'N':
	case 'v':
		break;
	default:
		fail(s, ERR_INVALID, "it breaks the protocol at login");
	}
}

static size_t on_login(struct server *s, const char *p, size_t n)
{
	size_t at = 0, used;
	struct pgw_msg m;

	while (s->state == SERVER_LOGIN) {
		switch (pgw_next((struct str){p + at, n - at}, 1 << 16, &m, &used)) {
		case PGW_MORE:
			return at;
		case PGW_BAD:
			fail(s, ERR_INVALID, "it is no PostgreSQL server");
			return n;
		case PGW_MSG:
			at += used;
			on_login_message(s, &m);
		}
	}
	return s->state == SERVER_GONE ? n : at;
}

static size_t on_data(struct stream *st, const char *p, size_t n)
{
	struct server *s = container_of(st, struct server, stream);
	size_t at = 0;

	if (s->state == SERVER_TLS)
		return on_tls_answer(s, p, n);
	if (s->state == SERVER_LOGIN)
		at = on_login(s, p, n);
	if (s->state == SERVER_READY && at < n)
		at += s->hub->server_ops->data(s, p + at, n - at);
	return at;
}

static void on_drained(struct stream *st)
{
	struct server *s = container_of(st, struct server, stream);

	s->hub->server_ops->drained(s);
}

static void on_ended(struct stream *st, const struct err *why)
{
	struct server *s = container_of(st, struct server, stream);
	struct err e = {0};

	(void)err_set(&e, ERR_UNAVAILABLE, "server '%s': %s", s->member, why->text);
	gone(s, &e);
}

static void on_closed(struct stream *st)
{
	struct server *s = container_of(st, struct server, stream);

	loop_timer_stop(s->hub->loop, &s->limit);
	login_drop(s);
	replies_done(&s->replies);
	stmts_done(&s->stmts);
	stmt_drop(s->unnamed);
	vars_drop(s->vars);
	vars_drop(s->base);
	buf_done(&s->batch);
	free(s);
}

static const struct stream_ops stream_ops = {
	.opened = on_opened,
	.data = on_data,
	.drained = on_drained,
	.ended = on_ended,
	.closed = on_closed,
};

static const struct sockaddr_in *source_of(const struct hub *h)
{
	return h->source.sin_family ? &h->source : NULL;
}

enum err_code server_new(
	struct hub *h, const struct server_target *t, void *pool, struct server **ret,
	struct err *e)
{
	union address to = {0};
	socklen_t n = 0;
	struct server *s;

	if (resolve(t->member->host, t->member->port, &to, &n, e))
		return e->code;
	s = mem_alloc(sizeof(*s));
	s->hub = h;
	s->pool = pool;
	s->epoch = t->epoch;
	list_init(&s->node);
	snprintf(s->member, sizeof(s->member), "%s", t->member->name);
	s->vars = vars_empty(&h->vars);
	s->made_us = s->used_us = loop_now_us(h->loop);
	s->login = mem_alloc(sizeof(*s->login));
	buf_str(&s->login->start, t->start);
	buf_str(&s->login->user, t->user);
	s->login->tls = to.any.sa_family == AF_UNIX ? ROUTE_OFF : t->member->tls;
	snprintf(s->login->host, sizeof(s->login->host), "%s", t->member->host);
	if (t->password)
		secret_set(
			&s->login->password, (struct str){(char *)t->password->p, t->password->n});
	if (stream_connect_from(&s->stream, h->loop, &stream_ops, source_of(h), &to.any, n, e)) {
		(void)err_wrap(e, "server '%s'", s->member);
		on_closed(&s->stream);
		return e->code;
	}
	loop_timer(h->loop, &s->limit, h->limits.connect_us, on_limit);
	*ret = s;
	return ERR_OK;
}

void server_close(struct server *s)
{
	struct buf b = {0};

	if (s->state == SERVER_GONE)
		return;
	loop_timer_stop(s->hub->loop, &s->limit);
	if (s->state == SERVER_READY) {
		pgw_put_terminate(&b);
		send_buf(s, &b);
	}
	s->state = SERVER_GONE;
	stream_finish(&s->stream);
	/* a server that does not take our last words is not waited for */
	if (!s->stream.is_closing)
		loop_timer(s->hub->loop, &s->limit, 1000000, on_limit);
}

void server_ask(struct server *s, struct str sql)
{
	struct buf b = {0};

	replies_push(&s->replies, (struct reply){.kind = REPLY_QUERY, .is_own = true});
	pgw_put_query(&b, sql);
	send_buf(s, &b);
}

/* A cancel is a connection of its own that says one thing. */
struct canceller {
	struct stream stream;
	struct hub *hub;
	uint32_t pid;
	char key[4];
	bool wants_tls;
	struct tlsio_ctx *ctx;
	struct timer limit;
};

static void cancel_say(struct canceller *c)
{
	struct buf b = {0};

	pgw_put_cancel(&b, c->pid, (struct str){c->key, sizeof(c->key)});
	stream_write(&c->stream, b.p, b.n);
	buf_done(&b);
}

static void cancel_opened(struct stream *st)
{
	struct canceller *c = container_of(st, struct canceller, stream);
	struct buf b = {0};

	if (!c->wants_tls) {
		cancel_say(c);
		return;
	}
	c->wants_tls = false;
	pgw_put_ssl_request(&b);
	stream_write(&c->stream, b.p, b.n);
	buf_done(&b);
}

static size_t cancel_data(struct stream *st, const char *p, size_t n)
{
	struct canceller *c = container_of(st, struct canceller, stream);

	if (!stream_tlsio(st) && n == 1 && *p == 'S' && c->ctx)
		stream_tls(st, tlsio_new(c->ctx, NULL, false));
	else
		stream_close(st);
	return n;
}

static void cancel_ended(struct stream *st, const struct err *why)
{
	stream_close(st);
}

static void cancel_closed(struct stream *st)
{
	struct canceller *c = container_of(st, struct canceller, stream);

	loop_timer_stop(c->hub->loop, &c->limit);
	free(c);
}

static void cancel_limit(struct timer *t)
{
	struct canceller *c = container_of(t, struct canceller, limit);

	stream_close(&c->stream);
}

static const struct stream_ops cancel_ops = {
	.opened = cancel_opened,
	.data = cancel_data,
	.ended = cancel_ended,
	.closed = cancel_closed,
};

void server_cancel(struct server *s)
{
	union address to = {0};
	socklen_t n = sizeof(to);
	struct canceller *c;
	struct err e = {0};

	if (s->state != SERVER_READY || getpeername(s->stream.fd, &to.any, &n))
		return;
	c = mem_alloc(sizeof(*c));
	c->hub = s->hub;
	c->pid = s->pid;
	memcpy(c->key, s->key, sizeof(c->key));
	c->wants_tls = stream_tlsio(&s->stream) != NULL;
	c->ctx = s->hub->tls_any;
	if (stream_connect_from(
		    &c->stream, s->hub->loop, &cancel_ops, source_of(s->hub), &to.any, n, &e)) {
		free(c);
		return;
	}
	loop_timer(s->hub->loop, &c->limit, s->hub->limits.connect_us, cancel_limit);
}
