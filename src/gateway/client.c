#include "gateway/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "gateway/admin.h"
#include "gateway/carry.h"
#include "gateway/hold.h"
#include "gateway/login.h"
#include "gateway/loss.h"
#include "gateway/relay.h"
#include "gateway/relay_server.h"

enum {
	TICK_US = 1000000,
	QUIET_US = 300000, /* of a session that has set something, before it is asked */
};

/* --- what a session has set */

static void state_came(struct server *s, const struct pgw_msg *m)
{
	struct session *c = s->session;

	if (!c || !c->asked)
		return;
	if (m->type != 'Z') {
		carry_note(c->asked, m);
		return;
	}
	s->own = NULL;
	carry_free(c->carry);
	c->carry = c->asked;
	c->asked = NULL;
	if (c->has_computed && !c->carry->obstacle[0])
		snprintf(
			c->carry->obstacle, sizeof(c->carry->obstacle),
			"a parameter that was set by a computed name (set_config)");
	if (carry_is_empty(c->carry) && !c->carry->obstacle[0]) {
		carry_free(c->carry);
		c->carry = NULL;
	}
	hold_boundary(c);
}

void client_ask(struct session *c)
{
	CLEANUP(buf_done) struct buf sql = {0};
	struct server *s = c->server;

	if (c->asked || !s || s->own)
		return;
	c->asked = carry_new();
	c->is_dirty = c->has_state = false;
	s->own = state_came;
	carry_question(c->custom ? buf_view(c->custom) : STR(""), &sql);
	server_ask(s, buf_view(&sql));
}

static void restored(struct session *c, struct server *s)
{
	s->own = NULL;
	c->is_restoring = false;
	relay_tell(c);
	relay_again(c);
	session_wake(c);
}

static void restoring(struct server *s, const struct pgw_msg *m)
{
	struct session *c = s->session;

	if (!c)
		return;
	if (m->type == 'E' && !c->is_lost) {
		struct str text = pgw_field(m->body, 'M');

		session_fail(
			c, "57P01", "the state of this session could not be carried on: %.*s",
			(int)MIN(text.n, 200), text.p ? text.p : "");
		return;
	}
	if (m->type != 'Z' || s->replies.n)
		return;
	c->is_lost = false;
	restored(c, s);
}

/* A new server gets what the session had; and where a transaction was lost, one that has failed:
 * all that the client says until its ROLLBACK is answered by the server itself. */
static void on_linked(struct session *c)
{
	struct server *s = c->server;
	struct buf b = {0};
	bool has_state = c->carry && !session_is_pooled(c);

	if (has_state) {
		carry_replay(c->carry, &c->stmts, &s->replies, &b);
		stream_write(&s->stream, b.p, b.n);
		buf_done(&b);
	}
	if (c->is_lost) {
		server_ask(s, STR("BEGIN"));
		server_ask(
			s, STR("ROLLBACK TO SAVEPOINT \"the server of this transaction is gone\""));
	}
	if (!has_state && !c->is_lost)
		return;
	c->is_restoring = true;
	s->own = restoring;
	stream_pause(&c->stream);
}

/* --- turns */

static void on_tick(struct timer *t)
{
	struct session *c = container_of(t, struct session, timer);
	const struct route *r = c->pool->database->route;
	int64_t now = loop_now_us(c->hub->loop), quiet = now - c->used_us;

	if (r && r->pool.client_idle_s && quiet > r->pool.client_idle_s * 1000000 &&
	    session_is_at_rest(c)) {
		session_fail(
			c, "57P05", "idle for longer than the %lld s that are allowed",
			(long long)r->pool.client_idle_s);
		return;
	}
	if (c->is_dirty && c->server && !session_is_pooled(c) && session_is_at_rest(c) &&
	    quiet > QUIET_US)
		client_ask(c);
	if ((r && r->pool.client_idle_s) || c->is_dirty)
		loop_timer(c->hub->loop, t, c->has_state ? QUIET_US : TICK_US, on_tick);
}

static void on_boundary(struct session *c)
{
	if (c->is_stopped) {
		c->is_stopped = false;
		session_wake(c);
	}
	if (c->has_end) {
		session_end(c, "client closed the connection");
		return;
	}
	if (session_is_pooled(c)) {
		struct server *s = c->server;

		if (s->stmts.names.n > c->hub->limits.statements) {
			stmts_done(&s->stmts);
			stmt_drop(s->unnamed);
			s->unnamed = NULL;
			server_ask(s, STR("DEALLOCATE ALL"));
		}
		c->server = NULL;
		s->own = NULL;
		if (stream_is_paused(&s->stream))
			stream_resume(&s->stream);
		pool_give(s);
		hold_boundary(c);
		return;
	}
	if (!timer_is_on(&c->timer))
		loop_timer(c->hub->loop, &c->timer, c->has_state ? QUIET_US : TICK_US, on_tick);
	if (database_is_held(c->pool->database))
		hold_boundary(c);
}

const struct session_ops client_session_ops = {.boundary = on_boundary, .linked = on_linked};

void client_detach(struct session *c)
{
	struct server *s = c->server;

	if (!s)
		return;
	c->server = NULL;
	s->own = NULL;
	pool_retire(s);
}

void client_attach(struct session *c)
{
	struct server *s;

	if (c->is_stopped) {
		c->is_stopped = false;
		session_wake(c);
	}
	if (c->server || c->is_waiting || !c->carry || !c->carry->channels)
		return;
	s = pool_take(c->pool, &c->wait);
	if (s) {
		relay_link(c, s);
		return;
	}
	c->is_waiting = true;
	stream_pause(&c->stream);
}

/* --- a server is lost */

static const char *const loss_states[] = {
	[LOSS_ROLLED_BACK] = "40001", [LOSS_UNKNOWN] = "40003", [LOSS_OWED] = "40001"};
static const char *const loss_texts[] = {
	[LOSS_ROLLED_BACK] = "the server of this transaction is gone, and the transaction with it: "
			     "run it again",
	[LOSS_UNKNOWN] = "the server is gone before it answered: it is not known whether this was "
			 "committed; look before you run it again",
	[LOSS_OWED] = "the server of this transaction is gone, and the transaction with it: run it "
		      "again",
};

/* Each batch that was sent gets its error; one that is still open is skipped up to its Sync. */
static void tell(struct session *c, struct server *s, enum loss what)
{
	uint32_t due = 0;
	struct buf b = {0};

	for (uint32_t i = 0; i < s->replies.n; i++) {
		const struct reply *r =
			&s->replies.ring[(s->replies.at + i) & (s->replies.cap - 1)];

		due += !r->is_own && r->kind <= REPLY_SYNC;
	}
	while (due-- > 0) {
		session_error(c, loss_states[what], loss_texts[what]);
		pgw_put_ready(&b, c->tx);
		session_send(c, &b);
	}
	if (!c->is_batch_open)
		return;
	session_error(c, loss_states[what], loss_texts[what]);
	c->is_batch_open = false;
	c->is_skipping = true;
}

static bool has_own_only(const struct server *s)
{
	for (uint32_t i = 0; i < s->replies.n; i++)
		if (!s->replies.ring[(s->replies.at + i) & (s->replies.cap - 1)].is_own)
			return false;
	return true;
}

/* In these encodings a byte of a character may look like one of SQL's own: no text is read. */
static bool is_readable(const struct session *c)
{
	static const char *const odd[] = {"SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "GB18030",
					  "UHC",  "JOHAB",          NULL};
	struct str encoding = vars_get(c->vars, "client_encoding");

	for (const char *const *at = odd; *at; at++)
		if (str_is(encoding, *at))
			return false;
	return true;
}

static enum loss judge(struct session *c, struct server *s)
{
	struct loss_view v = {
		.is_in_transaction = c->tx != 'I',
		.is_at_work = !has_own_only(s) || c->is_batch_open || c->body_left || s->body_left,
		.has_answered = s->has_answered,
		.is_whole = !s->is_batch_cut && is_readable(c),
		.is_quoting = str_is(vars_get(c->vars, "standard_conforming_strings"), "off"),
		.batch = buf_view(&s->batch),
		.stmts = &c->stmts,
		.unnamed = c->unnamed};

	return loss_of(&v);
}

/* Is what the session had on that server known? */
static bool is_known(const struct session *c)
{
	if (session_is_pooled(c))
		return true;
	return !c->has_state && !c->asked && !(c->carry && c->carry->obstacle[0]);
}

static void again(struct session *c, struct server *s)
{
	c->again = mem_alloc(sizeof(*c->again));
	buf_str(c->again, buf_view(&s->batch));
	c->is_batch_open = false;
	c->is_waiting = true;
	stream_pause(&c->stream);

	struct server *next = pool_take(c->pool, &c->wait);

	if (!next)
		return;
	relay_link(c, next);
	if (!c->is_restoring) {
		relay_again(c);
		session_wake(c);
	}
}

static void on_lost(struct session *c, struct server *s, const struct server_end *why)
{
	enum loss what;

	c->server = NULL;
	if (c->state != SESSION_READY)
		return;
	if (s->body_left) {
		session_fail(c, "57P01", "the server is gone in the middle of a row");
		return;
	}
	what = judge(c, s);
	if (!is_known(c) || c->is_restoring || !c->pool->database->route) {
		session_fail(
			c, what == LOSS_UNKNOWN ? "40003" : "57P01",
			"%s; what this session had set there is not known, so it ends",
			why->err.text);
		return;
	}
	carry_free(c->asked);
	c->asked = NULL;
	c->is_choked = c->is_stopped = false;
	c->is_body_dropped = c->body_left > 0;
	if (what == LOSS_AGAIN) {
		again(c, s);
		return;
	}
	if (what == LOSS_UNKNOWN)
		c->tx = 'I';
	if (what == LOSS_ROLLED_BACK || what == LOSS_OWED)
		c->is_lost = c->tx != 'I';
	if (c->is_lost)
		c->tx = 'E';
	c->owes_error = what == LOSS_OWED;
	if (what == LOSS_ROLLED_BACK || what == LOSS_UNKNOWN)
		tell(c, s, what);
	session_wake(c);
	hold_boundary(c);
	if (!database_is_held(c->pool->database))
		client_attach(c);
}

/* A client that was idle in a transaction speaks for the first time since. A lone ROLLBACK is done;
 * everything else is told first. */
static size_t tell_owed(struct session *c, const char *p, size_t n)
{
	struct pgw_msg m;
	struct buf b = {0};
	size_t used;

	if (pgw_next((struct str){p, n}, c->hub->limits.look_bytes, &m, &used) != PGW_MSG)
		return 0;
	c->owes_error = false;
	if (m.type == 'X' || loss_is_rollback(m.type, m.body))
		return 0;
	session_error(c, loss_states[LOSS_OWED], loss_texts[LOSS_OWED]);
	if (loss_is_commit(m.type, m.body)) {
		c->tx = 'I';
		c->is_lost = false;
	}
	if (m.type == 'Q' || m.type == 'F' || m.type == 'S') {
		pgw_put_ready(&b, c->tx);
		session_send(c, &b);
	} else {
		c->is_skipping = true;
	}
	return used;
}

/* --- login and welcome */

static void welcome(struct session *c)
{
	struct vars *v = vars_ref(c->pool->welcome);
	struct str rest, name, value;
	struct buf b = {0};

	c->base = vars_ref(v);
	v = vars_with(v, STR("application_name"), login_result(c->login)->application);
	c->vars = v;
	rest = vars_pairs(v);
	while (vars_next(&rest, &name, &value))
		pgw_put_parameter(&b, name, value);
	pgw_put_key(&b, c->id, (struct str){c->key, sizeof(c->key)});
	pgw_put_ready(&b, 'I');
	session_send(c, &b);
	login_free(c->login);
	c->login = NULL;
	c->state = SESSION_READY;
	c->hub->counts.logins++;
	loop_timer_stop(c->hub->loop, &c->timer);
	if (c->pool->database->route->pool.client_idle_s)
		loop_timer(c->hub->loop, &c->timer, TICK_US, on_tick);
	session_wake(c);
}

static void on_granted(struct pool_wait *w, struct server *s)
{
	struct session *c = container_of(w, struct session, wait);

	c->is_waiting = false;
	if (c->state == SESSION_WELCOME) {
		pool_give(s);
		welcome(c);
		return;
	}
	relay_link(c, s);
	if (c->is_restoring)
		return;
	relay_again(c);
	session_wake(c);
}

static void on_refused(struct pool_wait *w, const struct pool_refusal *why)
{
	struct session *c = container_of(w, struct session, wait);

	c->is_waiting = false;
	session_fail(c, why->sqlstate, "%s", why->err.text);
}

static const struct pool_ops pool_ops = {
	.granted = on_granted, .refused = on_refused, .lost = on_lost};

static unsigned of_role(const struct database *d, const char *user)
{
	unsigned n = 0;

	list_for_each (at, (struct list *)&d->pools) {
		struct pool *p = list_entry(at, struct pool, node);

		n += strcmp(p->user, user) ? 0 : p->clients;
	}
	return n;
}

static void on_login(struct session *c)
{
	const struct login_result *r = login_result(c->login);
	struct server *s;

	if (r->is_admin) {
		admin_welcome(c);
		return;
	}
	if (!r->database->route || c->hub->is_draining) {
		session_fail(c, "57P03", "this database is not served here anymore");
		return;
	}
	if (r->database->clients >= (unsigned)r->database->route->pool.clients) {
		session_fail(
			c, "53300", "%s has its %lld clients already", r->database->name,
			(long long)r->database->route->pool.clients);
		return;
	}
	if (r->role->connections >= 0 &&
	    of_role(r->database, r->role->name) >= (unsigned)r->role->connections) {
		session_fail(
			c, "53300", "role '%s' has its %d connections already", r->role->name,
			r->role->connections);
		return;
	}
	c->pool = pool_find(r->database, &pool_ops, r->user, r->dbname, r->is_read_only, r->extra);
	c->pool->clients++;
	c->pool->database->clients++;
	c->state = SESSION_WELCOME;
	if (c->pool->welcome) {
		welcome(c);
		return;
	}
	stream_pause(&c->stream);
	loop_timer_stop(c->hub->loop, &c->timer); /* from here on the queue's limit counts */
	s = pool_take(c->pool, &c->wait);
	if (s) {
		pool_give(s);
		welcome(c);
		stream_resume(&c->stream);
	}
}

static const struct login_ops login_ops = {.done = on_login};

/* --- the stream */

static size_t step(struct session *c, const char *p, size_t n)
{
	switch (c->state) {
	case SESSION_LOGIN:
		return login_data(c, p, n);
	case SESSION_READY:
		if (c->is_admin)
			return admin_data(c, p, n);
		if (c->again)
			relay_again(c);
		if (c->owes_error && !c->server && !c->is_skipping) {
			size_t used = tell_owed(c, p, n);

			if (used || c->owes_error)
				return used;
		}
		return relay_client(c, p, n);
	case SESSION_WELCOME:
		return 0;
	case SESSION_ENDING:
		break;
	}
	return n;
}

static size_t on_data(struct stream *st, const char *p, size_t n)
{
	struct session *c = container_of(st, struct session, stream);
	size_t at = 0, used;

	while (at < n && (used = step(c, p + at, n - at)) > 0) {
		at += used;
		if (stream_is_paused(st))
			break;
	}
	return at;
}

static void on_drained(struct stream *st)
{
	relay_client_drained(container_of(st, struct session, stream));
}

/* The client has sent its last byte: what it asked for before is still answered, as PostgreSQL
 * does. */
static void on_ended(struct stream *st, const struct err *why)
{
	struct session *c = container_of(st, struct session, stream);

	if (why->code == ERR_OK && c->state == SESSION_READY && c->server &&
	    c->server->replies.ready > 0 && !c->server->is_copying && !c->is_batch_open &&
	    !c->body_left) {
		c->has_end = true;
		return;
	}
	session_end(c, why->code ? why->text : "client closed the connection");
}

static void on_closed(struct stream *st)
{
	struct session *c = container_of(st, struct session, stream);

	login_free(c->login);
	c->login = NULL;
	hold_boundary(c); /* it may have been the last that a hold waited for */
	session_free(c);
}

static const struct stream_ops stream_ops = {
	.data = on_data, .drained = on_drained, .ended = on_ended, .closed = on_closed};

void client_new(struct hub *h, int fd)
{
	struct session *c = session_new(h, fd, &stream_ops);

	c->login = login_new(c, &login_ops);
	if (h->clients > h->limits.clients)
		session_fail(
			c, "53300", "the gateway has its %u clients already", h->limits.clients);
}
