#include "gateway/relay_server.h"

#include "base/log.h"

enum {
	IS_KNOWN = 1,
	MUST_SEE = 2, /* as a whole, before it is passed on */
	ENDS = 4, /* may end an answer: replies_ends */
	IS_ASYNC = 8, /* is nobody's answer */
};
static const unsigned char server_types[256] = {
	['1'] = IS_KNOWN | ENDS,
	['2'] = IS_KNOWN | ENDS,
	['3'] = IS_KNOWN | ENDS,
	['A'] = IS_KNOWN | IS_ASYNC,
	['C'] = IS_KNOWN | ENDS | MUST_SEE,
	['D'] = IS_KNOWN,
	['E'] = IS_KNOWN | MUST_SEE,
	['G'] = IS_KNOWN,
	['H'] = IS_KNOWN,
	['I'] = IS_KNOWN | ENDS,
	['N'] = IS_KNOWN | MUST_SEE | IS_ASYNC,
	['S'] = IS_KNOWN | MUST_SEE | IS_ASYNC,
	['T'] = IS_KNOWN | ENDS,
	['V'] = IS_KNOWN,
	['W'] = IS_KNOWN,
	['Z'] = IS_KNOWN | ENDS | MUST_SEE,
	['c'] = IS_KNOWN,
	['d'] = IS_KNOWN,
	['n'] = IS_KNOWN | ENDS,
	['s'] = IS_KNOWN | ENDS,
	['t'] = IS_KNOWN,
};

static void pass(struct server *s, const char *p, size_t from, size_t to)
{
	struct session *c = s->session;

	if (from == to || !c)
		return;
	stream_write(&c->stream, p + from, to - from);
	s->has_answered = true;
	c->pool->database->bytes_out += to - from;
	if (stream_is_full(&c->stream))
		stream_pause(&s->stream);
}

static void lost(struct server *s, const char *what)
{
	struct server_end why = {0};

	(void)err_set(&why.err, ERR_UNAVAILABLE, "server '%s' %s", s->member, what);
	s->hub->server_ops->lost(s, &why);
	server_close(s);
}

void relay_server_made(struct server *s)
{
	static const char answers[] = {[REPLY_PARSE] = '1', [REPLY_CLOSE] = '3'};
	struct session *c = s->session;
	struct reply *head;
	struct buf b = {0};

	while (c && (head = replies_head(&s->replies)) && head->is_made) {
		pgw_put(&b, answers[head->kind], STR(""));
		replies_pop(&s->replies);
	}
	if (b.n)
		session_send(c, &b);
}

/* A Parse that an error took with it: the server does not know that statement. */
static void forget(void *arg, struct reply *gone)
{
	struct server *s = arg;
	char text[STMT_NAME];

	if (gone->kind == REPLY_PARSE && gone->stmt)
		stmts_remove(&s->stmts, stmt_name(gone->stmt, text));
	else if (gone->kind == REPLY_PARSE) {
		stmt_drop(s->unnamed);
		s->unnamed = NULL;
	}
}

static void on_parameter(struct server *s, struct str body, bool is_own)
{
	struct session *c = s->session;
	struct str name, value;

	if (!pgw_get_text(&body, &name) || !pgw_get_text(&body, &value))
		return;
	s->vars = vars_with(s->vars, name, value);
	if (c && !is_own)
		c->vars = vars_with(c->vars, name, value);
}

/* Tags of commands that leave something behind in a session. Not the only ones: functions can too,
 * which is why a session is asked and not only listened to. */
static bool leaves_state(struct str tag)
{
	static const char *const tags[] = {"SET",          "RESET",
					   "PREPARE",      "LISTEN",
					   "UNLISTEN",     "DECLARE CURSOR",
					   "CREATE TABLE", "DEALLOCATE",
					   "DISCARD",      "DO",
					   "CALL",         "LOAD",
					   "CREATE VIEW",  "CREATE SEQUENCE",
					   "SELECT INTO",  NULL};

	for (const char *const *at = tags; *at; at++)
		if (str_starts(tag, *at))
			return true;
	return false;
}

static void on_tag(struct server *s, struct str body)
{
	struct session *c = s->session;
	struct str tag;

	if (!c || !pgw_get_text(&body, &tag))
		return;
	if (str_is(tag, "DEALLOCATE ALL") || str_is(tag, "DISCARD ALL")) {
		stmts_done(&s->stmts);
		stmts_done(&c->stmts);
		stmt_drop(s->unnamed);
		s->unnamed = NULL;
	}
	if (strchr("SRPLUD", tag.n ? tag.p[0] : 0) || str_starts(tag, "C"))
		if (leaves_state(tag))
			c->has_state = true;
}

static bool is_fatal(struct str body)
{
	struct str severity = pgw_field(body, 'V');

	if (!severity.p)
		severity = pgw_field(body, 'S');
	return str_is(severity, "FATAL") || str_is(severity, "PANIC");
}

/* The last word of a server that goes. The session is not told: what it is told depends on where it
 * stood, and comes from lost(). */
static void on_fatal(struct server *s, struct str body)
{
	struct str code = pgw_field(body, 'C'), text = pgw_field(body, 'M');

	snprintf(
		s->end.sqlstate, sizeof(s->end.sqlstate), "%.*s", (int)MIN(code.n, 5),
		code.p ? code.p : "");
	(void)err_set(
		&s->end.err, ERR_UNAVAILABLE, "server '%s' said: %.*s", s->member,
		(int)MIN(text.n, 200), text.p ? text.p : "");
}

/* Rule 6 of high availability: who cancels the wait for the standby has not learnt that the
 * commit is safe. By the routine's name, since messages are translated. */
static bool is_cancelled_wait(struct str body)
{
	return str_is(pgw_field(body, 'R'), "SyncRepWaitForLSN");
}

static const struct pgw_error unsure = {
	.severity = "ERROR",
	.sqlstate = "40003",
	.message = "the wait for the synchronous standby was cancelled: it is not known whether "
		   "this commit survives a failover",
	.hint = "Look whether its effect is there before you do it again."};

/* A message of an answer that the gateway asked for. */
static void on_own(struct server *s, const struct pgw_msg *m)
{
	if (s->own)
		s->own(s, m);
	else if (m->type == 'E' && s->is_reset)
		s->is_stale = true;
}

static void on_ready(struct server *s, const struct pgw_msg *m, bool is_own)
{
	struct session *c = s->session;
	char tx = m->body.p[0];

	s->tx = tx;
	s->is_unsure = false;
	if (!c) {
		if (s->is_reset && s->replies.n == 0) {
			s->is_reset = s->needs_reset = false;
			s->is_stale |= tx != 'I';
			stmts_done(&s->stmts);
			stmt_drop(s->unnamed);
			s->unnamed = NULL;
			pool_give(s);
		}
		return;
	}
	if (is_own) {
		if (s->own)
			s->own(s, m);
		return;
	}
	if (s->replies.n)
		return;
	if (tx == 'I' && c->tx != 'I')
		c->pool->database->xacts++;
	c->tx = tx;
	histogram_add(&c->pool->database->queries, loop_now_us(s->hub->loop) - s->batch_us);
	if (session_is_at_rest(c) || c->has_end)
		s->hub->session_ops->boundary(c);
	else if (c->is_stopped) {
		c->is_stopped = false;
		session_wake(c);
	}
}

/* One message, of which all is there or that need not be; says whether the client gets it. */
static bool on_message(struct server *s, const struct pgw_msg *m, bool is_own)
{
	switch (m->type) {
	case 'S':
		on_parameter(s, m->body, is_own);
		return !is_own;
	case 'E':
		if (is_fatal(m->body)) {
			on_fatal(s, m->body);
			return false;
		}
		s->is_copying = s->is_copy_done = false;
		if (is_own)
			on_own(s, m);
		replies_error(&s->replies, forget, s);
		return !is_own;
	case 'N':
		s->is_unsure |= is_cancelled_wait(m->body);
		/* "terminating connection because of crash of another server process" */
		return !is_own && !str_is(pgw_field(m->body, 'C'), "57P02");
	case 'G':
	case 'W':
		s->is_copying = !s->is_copy_done;
		if (s->session && s->session->has_end && s->is_copying)
			session_end(s->session, "client closed the connection during a COPY");
		return !is_own;
	case 'C':
		s->is_copying = s->is_copy_done = false;
		if (is_own)
			on_own(s, m);
		else
			on_tag(s, m->body);
		return !is_own;
	default:
		if (is_own && m->type != 'Z')
			on_own(s, m);
		return !is_own;
	}
}

/* A message that goes on in pieces: the next n bytes, of which the client gets [run, at). */
size_t relay_server(struct server *s, const char *p, size_t n)
{
	size_t at = 0, run = 0;

	while (at < n && s->state == SERVER_READY && !stream_is_paused(&s->stream)) {
		struct pgw_msg m;
		struct reply *head;
		uint32_t body;
		unsigned flags;
		bool is_own, is_whole, ends;
		char type;

		if (s->body_left) {
			uint32_t part = (uint32_t)MIN(s->body_left, n - at);

			s->body_left -= part;
			at += part;
			continue;
		}
		switch (pgw_head(p + at, n - at, s->hub->limits.message_bytes, &type, &body)) {
		case PGW_MORE:
			goto out;
		case PGW_BAD:
			lost(s, "broke the protocol");
			return n;
		case PGW_MSG:
			break;
		}
		flags = server_types[(unsigned char)type];
		if (!flags) {
			lost(s, "sent a message that no PostgreSQL sends");
			return n;
		}
		head = replies_head(&s->replies);
		if (head && head->is_made) {
			pass(s, p, run, at);
			run = at;
			relay_server_made(s);
			head = replies_head(&s->replies);
		}
		is_own = head ? head->is_own : !s->session;
		if ((flags & IS_ASYNC) && type != 'S' && s->session)
			is_own = false;
		is_whole = n - at - PGW_HEAD >= body;
		if (!is_whole && ((flags & MUST_SEE) || is_own)) {
			if (body > s->hub->limits.look_bytes) {
				lost(s, "sent a message that is longer than the gateway keeps");
				return n;
			}
			goto out;
		}
		m = (struct pgw_msg){type, {p + at + PGW_HEAD, is_whole ? body : 0}};
		ends = (flags & ENDS) && head && replies_ends(head, type);
		if (type == 'Z' && (!ends || body != 1)) {
			lost(s, "sent an answer that was not asked for");
			return n;
		}
		if (type == 'C' && s->is_unsure && !is_own) {
			struct buf b = {0};

			pass(s, p, run, at);
			pgw_put_error(&b, &unsure);
			session_send(s->session, &b);
			run = at + PGW_HEAD + body;
			s->is_unsure = false;
		} else if (!on_message(s, &m, is_own)) {
			pass(s, p, run, at);
			run = at + PGW_HEAD + body;
		}
		if (is_whole) {
			at += PGW_HEAD + body;
		} else {
			at += PGW_HEAD;
			s->body_left = body;
		}
		if (ends)
			replies_pop(&s->replies);
		if (type == 'Z') {
			/* the answer goes out before what happens at its end */
			pass(s, p, run, at);
			run = at;
			on_ready(s, &m, is_own);
		}
	}
out:
	if (s->state == SERVER_READY && run < at)
		pass(s, p, run, at);
	if (s->state == SERVER_READY)
		relay_server_made(s);
	return s->state == SERVER_READY ? at : n;
}

void relay_server_drained(struct server *s)
{
	struct session *c = s->session;

	if (!c || !c->is_choked)
		return;
	c->is_choked = false;
	session_wake(c);
}

void relay_client_drained(struct session *c)
{
	if (c->server)
		stream_resume(&c->server->stream);
}
