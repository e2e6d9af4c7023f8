#include "gateway/login.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/arena.h"
#include "codec/pgwire.h"
#include "codec/sasl.h"
#include "gateway/session.h"

enum login_step { STEP_START, STEP_FIRST, STEP_FINAL, STEP_PAUSE, STEP_OVER };

enum {
	STORM_FREE = 5, /* failures of one address that cost it nothing */
	STORM_STEP_US = 100000,
	STORM_MOST_US = 5000000,
	STORM_FORGET_US = 60000000,
	EXTRA_MAX = 64, /* startup parameters */
};

struct storm {
	unsigned failures;
	int64_t last_us;
};

struct login {
	struct session *session;
	const struct login_ops *ops;
	enum login_step step;
	bool was_asked, was_asked_gss; /* for TLS, for GSS: each once at most */
	bool is_direct; /* TLS without being asked */
	struct arena arena;
	struct login_result result;
	struct sasl_server *sasl;
	struct timer pause;
};

static void on_limit(struct timer *t)
{
	struct session *c = container_of(t, struct session, timer);

	session_fail(c, "08P01", "the login was not finished within the time limit");
}

struct login *login_new(struct session *c, const struct login_ops *ops)
{
	struct login *l = mem_alloc(sizeof(*l));

	l->session = c;
	l->ops = ops;
	loop_timer(c->hub->loop, &c->timer, c->hub->limits.login_us, on_limit);
	return l;
}

void login_free(struct login *l)
{
	if (!l)
		return;
	loop_timer_stop(l->session->hub->loop, &l->pause);
	sasl_server_free(l->sasl);
	arena_done(&l->arena);
	free(l);
}

const struct login_result *login_result(const struct login *l)
{
	return &l->result;
}

static struct str address_of(struct session *c, char ret[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof(a);

	ret[0] = 0;
	if (getpeername(c->stream.fd, (struct sockaddr *)&a, &n))
		return STR("");
	if (a.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, ret, INET6_ADDRSTRLEN);
	else if (a.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, ret, INET6_ADDRSTRLEN);
	return str_of(ret);
}

/* Counts a failure and says how long its answer is to wait. */
static int64_t storm_us(struct session *c)
{
	struct hub *h = c->hub;
	char text[INET6_ADDRSTRLEN];
	struct str address = address_of(c, text);
	struct storm *s = map_get(&h->storms, address);
	int64_t now = loop_now_us(h->loop);

	if (!s) {
		if (h->storms.n > 10000)
			return STORM_MOST_US; /* from that many addresses at once: a storm it is */
		s = mem_alloc(sizeof(*s));
		(void)map_put(&h->storms, address, s);
	}
	if (now - s->last_us > STORM_FORGET_US)
		s->failures = 0;
	s->last_us = now;
	if (++s->failures <= STORM_FREE)
		return 0;
	return MIN((int64_t)STORM_STEP_US << MIN(s->failures - STORM_FREE, 10), STORM_MOST_US);
}

static void refuse(struct session *c)
{
	struct str user = c->login->result.user;

	session_fail(
		c, "28P01", "password authentication failed for user \"" STR_FMT "\"",
		STR_ARG(user));
}

static void on_pause(struct timer *t)
{
	struct login *l = container_of(t, struct login, pause);

	refuse(l->session);
}

static void fail_proof(struct session *c)
{
	int64_t us = storm_us(c);

	c->hub->counts.refused++;
	if (us == 0) {
		refuse(c);
		return;
	}
	c->login->step = STEP_PAUSE;
	stream_pause(&c->stream);
	loop_timer(c->hub->loop, &c->login->pause, us, on_pause);
}

static void cancel(struct session *c, const struct pgw_start *start)
{
	struct session *target = session_by_id(c->hub, start->pid);

	if (target && target->state == SESSION_READY &&
	    secret_eq((struct str){target->key, sizeof(target->key)}, start->key)) {
		c->hub->counts.cancels++;
		if (target->server)
			server_cancel(target->server);
	}
	session_end(c, "asked to cancel");
}

static int by_name(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int d = memcmp(x[0].p, y[0].p, MIN(x[0].n, y[0].n));

	return d ? d : (x[0].n > y[0].n) - (x[0].n < y[0].n);
}

/* Everything that is neither user, database nor application_name, in the order of names. */
static struct str extra_of(struct arena *a, struct str params)
{
	struct str pairs[EXTRA_MAX][2], rest = params, out;
	struct buf b = {0};
	size_t n = 0;

	while (n < EXTRA_MAX && pgw_param_next(&rest, &pairs[n][0], &pairs[n][1])) {
		struct str name = pairs[n][0];

		if (!str_is(name, "user") && !str_is(name, "database") &&
		    !str_is(name, "application_name") && !str_is(name, "replication") &&
		    !str_starts(name, "_pq_."))
			n++;
	}
	qsort(pairs, n, sizeof(pairs[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		pgw_put_text(&b, pairs[i][0]);
		pgw_put_text(&b, pairs[i][1]);
	}
	out = (struct str){arena_strndup(a, b.p ? b.p : "", b.n), b.n};
	buf_done(&b);
	return out;
}

static struct str copy(struct arena *a, struct str s)
{
	return (struct str){arena_strndup(a, s.p ? s.p : "", s.n), s.n};
}

/* Routes come and go while it logs in: what is needed of one is copied. */
static void role_keep(struct login *l)
{
	struct route_role *copy;

	if (!l->result.role)
		return;
	copy = arena_array(&l->arena, struct route_role, 1);
	*copy = *l->result.role;
	copy->name = arena_strdup(&l->arena, copy->name);
	l->result.role = copy;
}

/* Which database and role it wants. What there is not stays NULL, and fails as a wrong password. */
static void find(struct session *c, struct str database)
{
	struct login_result *r = &c->login->result;
	struct route_place place = route_place(database);
	const struct route *route;

	if (str_is(database, "slipway")) {
		r->is_admin = true;
		if (c->hub->admins)
			r->role = route_role(c->hub->admins, r->user);
		role_keep(c->login);
		return;
	}
	r->is_read_only = place.is_read_only;
	r->database = map_get(&c->hub->databases, place.route);
	route = r->database ? r->database->route : NULL;
	if (!route)
		return;
	r->role = route_role(route, r->user);
	r->dbname = route_dbname(route, place.dbname);
	if (!r->dbname)
		r->role = NULL;
	else
		r->dbname = arena_strdup(&c->login->arena, r->dbname);
	role_keep(c->login);
}

static void offer(struct session *c)
{
	struct login *l = c->login;
	const struct route_role *role = l->result.role;
	struct tlsio *t = stream_tlsio(&c->stream);
	unsigned char binding[TLSIO_BINDING_MAX];
	size_t n = t ? tlsio_binding(t, binding) : 0;
	struct buf b = {0};

	l->sasl = sasl_server_new(
		l->result.user, role ? role->verifiers : NULL, role ? role->verifiers_n : 0,
		(struct str){(char *)binding, n}, c->hub->secret);
	pgw_put_auth_sasl(&b, n > 0);
	session_send(c, &b);
	l->step = STEP_FIRST;
}

static bool is_off(struct str v)
{
	return !v.p || str_is(v, "false") || str_is(v, "off") || str_is(v, "no") || str_is(v, "0");
}

static void start(struct session *c, const struct pgw_start *s)
{
	struct login_result *r = &c->login->result;
	struct arena *a = &c->login->arena;
	struct str database = pgw_param(s->params, "database"), rest = s->params, name, value;
	struct buf b = {0};
	bool has_options = s->version != PGW_VERSION_3_0;

	while (pgw_param_next(&rest, &name, &value))
		has_options |= str_starts(name, "_pq_.");
	r->user = copy(a, pgw_param(s->params, "user"));
	r->application = copy(a, pgw_param(s->params, "application_name"));
	r->extra = extra_of(a, s->params);
	if (!is_off(pgw_param(s->params, "replication"))) {
		session_fail(
			c, "0A000",
			"the gateway carries no replication connections: connect to the server");
		return;
	}
	find(c, database.n ? database : r->user);
	if (r->database && r->database->route && r->database->route->needs_tls &&
	    !stream_tlsio(&c->stream)) {
		session_fail(
			c, "28000",
			"this database wants an encrypted connection: use sslmode=require");
		return;
	}
	if (has_options)
		pgw_put_negotiate(&b, 0, s->params);
	session_send(c, &b);
	offer(c);
}

/* The answer to SSLRequest: what came behind the request cannot have been encrypted, and whoever
 * put it there must not speak for the client (CVE-2021-23222). */
static void ask_tls(struct session *c, bool has_more)
{
	struct tlsio_ctx *ctx = c->hub->tls_clients;

	if (has_more || c->login->was_asked || stream_tlsio(&c->stream)) {
		session_fail(c, "08P01", "bytes after the request for encryption");
		return;
	}
	c->login->was_asked = true;
	stream_write(&c->stream, ctx ? "S" : "N", 1);
	if (!ctx)
		return;
	c->had_tls = true;
	stream_tls(&c->stream, tlsio_new(ctx, NULL, false));
}

static size_t on_start(struct session *c, const char *p, size_t n)
{
	struct tlsio *t = stream_tlsio(&c->stream);
	struct pgw_start s;
	const char *why = NULL;
	size_t used = 0;

	if (n > 0 && *p == 0x16 && !t && c->hub->tls_clients) {
		c->login->is_direct = c->had_tls = true;
		stream_tls_direct(&c->stream, tlsio_new(c->hub->tls_clients, NULL, false), p, n);
		return n;
	}
	if (c->login->is_direct && !tlsio_has_alpn(t)) {
		session_fail(c, "08P01", "direct TLS needs the protocol 'postgresql' by ALPN");
		return n;
	}
	switch (pgw_start_next((struct str){p, n}, &s, &used, &why)) {
	case PGW_MORE:
		return 0;
	case PGW_BAD:
		session_fail(c, "08P01", "%s", why);
		return n;
	case PGW_MSG:
		break;
	}
	switch (s.kind) {
	case PGW_START_SSL:
		ask_tls(c, n > used);
		break;
	case PGW_START_GSS:
		if (n > used || c->login->was_asked_gss)
			session_fail(c, "08P01", "bytes after the request for encryption");
		else
			stream_write(&c->stream, "N", 1);
		c->login->was_asked_gss = true;
		break;
	case PGW_START_CANCEL:
		cancel(c, &s);
		break;
	case PGW_START_SESSION:
		start(c, &s);
		break;
	}
	return c->state == SESSION_ENDING ? n : used;
}

static enum sasl_status on_first(struct session *c, struct str body, struct buf *out, struct err *e)
{
	struct str mechanism, data;
	uint32_t len;

	if (!pgw_get_text(&body, &mechanism) || !pgw_get_u32(&body, &len) ||
	    !pgw_get_bytes(&body, len, &data) || body.n)
		return SASL_BAD;
	return sasl_server_first(c->login->sasl, mechanism, data, out, e);
}

static void on_proof(struct session *c, enum sasl_status status, struct buf *data, struct err *e)
{
	struct buf b = {0};

	switch (status) {
	case SASL_GO_ON:
		pgw_put_auth_sasl_continue(&b, buf_view(data));
		c->login->step = STEP_FINAL;
		break;
	case SASL_DONE:
		pgw_put_auth_sasl_final(&b, buf_view(data));
		pgw_put_auth_ok(&b);
		c->login->step = STEP_OVER;
		break;
	case SASL_WRONG:
		fail_proof(c);
		return;
	case SASL_BAD:
		session_fail(
			c, "08P01", "%s", e->text[0] ? e->text : "a broken message in the login");
		return;
	}
	session_send(c, &b);
	if (status == SASL_DONE)
		c->login->ops->done(c);
}

size_t login_data(struct session *c, const char *p, size_t n)
{
	struct login *l = c->login;
	struct buf data = {0};
	struct err e = {0};
	struct pgw_msg m;
	size_t used;

	if (l->step == STEP_START)
		return on_start(c, p, n);
	if (l->step >= STEP_PAUSE)
		return 0;
	switch (pgw_next((struct str){p, n}, SASL_MESSAGE_MAX, &m, &used)) {
	case PGW_MORE:
		return 0;
	case PGW_BAD:
		session_fail(c, "08P01", "a broken message in the login");
		return n;
	case PGW_MSG:
		break;
	}
	if (m.type != 'p') {
		session_fail(c, "08P01", "the login wants a SASL message");
		return n;
	}
	on_proof(
		c,
		l->step == STEP_FIRST ? on_first(c, m.body, &data, &e)
				      : sasl_server_final(l->sasl, m.body, &data, &e),
		&data, &e);
	buf_done(&data);
	return c->state == SESSION_ENDING ? n : used;
}
