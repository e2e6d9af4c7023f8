#include "gateway/relay.h"

#include "base/arena.h"
#include "gateway/custom.h"
#include "gateway/relay_server.h"

/* What a client may send, and what is done about it. */
enum { MUST_SEE = 1, BEGINS_BATCH = 2, ENDS_BATCH = 4, IS_COPY = 8 };
static const unsigned char client_types[256] = {
	['Q'] = ENDS_BATCH,
	['F'] = ENDS_BATCH,
	['S'] = ENDS_BATCH,
	['P'] = BEGINS_BATCH | MUST_SEE,
	['B'] = BEGINS_BATCH,
	['D'] = BEGINS_BATCH | MUST_SEE,
	['C'] = BEGINS_BATCH | MUST_SEE,
	['E'] = BEGINS_BATCH,
	['H'] = BEGINS_BATCH,
	['d'] = IS_COPY,
	['c'] = IS_COPY,
	['f'] = IS_COPY,
	['X'] = MUST_SEE,
};

static void note_batch(struct server *s, const char *p, size_t n)
{
	if (s->is_batch_cut)
		return;
	if (s->batch.n + n > SERVER_BATCH_MAX) {
		s->is_batch_cut = true;
		buf_clear(&s->batch);
		return;
	}
	buf_add(&s->batch, p, n);
}

/* Client bytes [from, to) go to the server as they are. */
static void pass(struct session *c, const char *p, size_t from, size_t to)
{
	struct server *s = c->server;

	if (from == to)
		return;
	stream_write(&s->stream, p + from, to - from);
	note_batch(s, p + from, to - from);
	c->pool->database->bytes_in += to - from;
	if (stream_is_full(&s->stream)) {
		c->is_choked = true;
		stream_pause(&c->stream);
	}
}

static void push(struct session *c, enum reply_kind kind)
{
	replies_push(&c->server->replies, (struct reply){.kind = (uint8_t)kind});
}

/* Has the client set it itself? What it was told and did not set follows its server. */
static bool is_own(const struct session *c, struct str name, const char *key)
{
	struct str now = vars_get(c->vars, key), base = vars_get(c->base, key);

	return vars_can_set(name) && now.p && (!base.p || !str_eq(now, base));
}

static void set_var(struct server *s, struct buf *b, const struct str v[2])
{
	static const enum reply_kind kinds[] = {REPLY_PARSE, REPLY_BIND, REPLY_EXECUTE};
	struct str none = STR("");

	pgw_put_parse(b, none, STR("SELECT pg_catalog.set_config($1, $2, false)"), STR("\0\0"));
	pgw_put_bind(b, none, none, v, 2);
	pgw_put_execute(b, none, 0);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		replies_push(
			&s->replies, (struct reply){.kind = (uint8_t)kinds[i], .is_own = true});
}

/* What a server reports is made what this client has set, and else what that server reports to
 * who sets nothing: others may have left something. The messages go before the client's own. */
static void set_vars(struct session *c)
{
	struct server *s = c->server;
	struct str rest = vars_pairs(s->vars), v[2];
	struct buf b = {0};

	while (vars_next(&rest, &v[0], &v[1])) {
		const char *key = v[0].p; /* with its NUL byte */
		struct str want = vars_get(is_own(c, v[0], key) ? c->vars : s->base, key);

		if (want.p && vars_can_set(v[0]) && !str_eq(v[1], want))
			set_var(s, &b, (struct str[]){v[0], want});
	}
	if (b.n) {
		pgw_put_sync(&b);
		replies_push(&s->replies, (struct reply){.kind = REPLY_SYNC, .is_own = true});
		stream_write(&s->stream, b.p, b.n);
		stmt_drop(s->unnamed);
		s->unnamed = NULL;
	}
	buf_done(&b);
}

static void tell(struct session *c, struct buf *b, struct str name, struct str value)
{
	struct str now = vars_get(c->vars, name.p);

	if (now.p && str_eq(now, value))
		return;
	pgw_put_parameter(b, name, value);
	c->vars = vars_with(c->vars, name, value);
}

void relay_tell(struct session *c)
{
	struct str rest = vars_pairs(c->server->vars), name, value;
	struct buf b = {0};

	while (vars_next(&rest, &name, &value))
		tell(c, &b, name, value);
	if (b.n)
		session_send(c, &b);
	vars_drop(c->base);
	c->base = vars_ref(c->server->base);
}

/* As relay_tell, when set_vars is on its way: what the client has set will be as it was. */
static void tell_base(struct session *c)
{
	struct str rest = vars_pairs(c->server->base), name, value;
	struct buf b = {0};

	while (vars_next(&rest, &name, &value))
		if (!is_own(c, name, name.p))
			tell(c, &b, name, value);
	if (b.n)
		session_send(c, &b);
	vars_drop(c->base);
	c->base = vars_ref(c->server->base);
}

void relay_link(struct session *c, struct server *s)
{
	c->server = s;
	s->session = c;
	s->needs_reset = true;
	s->has_answered = false;
	s->is_batch_cut = false;
	buf_clear(&s->batch);
	c->is_waiting = false;
	if (s->vars != c->vars)
		set_vars(c);
	c->hub->session_ops->linked(c);
	if (!c->is_restoring && c->base != s->base)
		tell_base(c);
}

static bool get_server(struct session *c)
{
	struct server *s;

	if (c->server)
		return true;
	s = pool_take(c->pool, &c->wait);
	if (!s) {
		c->is_waiting = true;
		stream_pause(&c->stream);
		return false;
	}
	relay_link(c, s);
	return !c->is_restoring;
}

/* A batch begins: may it? During a hold nothing is begun behind what is not answered yet, since the
 * answer tells whether a transaction is open. */
static bool may_begin(struct session *c)
{
	struct server *s = c->server;

	if (c->is_batch_open || !database_is_held(c->pool->database) || s->tx != 'I')
		return true;
	c->is_stopped = true;
	stream_pause(&c->stream);
	return false;
}

static void begin_batch(struct session *c)
{
	struct server *s = c->server;

	if (s->replies.n == 0) {
		buf_clear(&s->batch);
		s->is_batch_cut = s->has_answered = false;
		s->batch_us = loop_now_us(c->hub->loop);
	}
	c->is_dirty = true;
}

/* --- prepared statements */

/* Sees to it that the server has stmt prepared under its own name. */
static void provide(struct session *c, struct stmt *stmt)
{
	struct server *s = c->server;
	char text[STMT_NAME];
	struct str name = stmt_name(stmt, text);
	struct buf b = {0};

	if (stmts_get(&s->stmts, name))
		return;
	pgw_put_parse(&b, name, stmt_query(stmt), stmt_types(stmt));
	stream_write(&s->stream, b.p, b.n);
	buf_done(&b);
	if (!s->replies.is_skipping)
		stmts_put(&s->stmts, name, stmt);
	replies_push(
		&s->replies,
		(struct reply){.kind = REPLY_PARSE, .is_own = true, .stmt = stmt_ref(stmt)});
}

static void provide_unnamed(struct session *c)
{
	struct server *s = c->server;
	struct buf b = {0};

	if (!c->unnamed || s->unnamed == c->unnamed)
		return;
	pgw_put_parse(&b, STR(""), stmt_query(c->unnamed), stmt_types(c->unnamed));
	stream_write(&s->stream, b.p, b.n);
	buf_done(&b);
	stmt_drop(s->unnamed);
	s->unnamed = stmt_ref(c->unnamed);
	replies_push(&s->replies, (struct reply){.kind = REPLY_PARSE, .is_own = true});
}

static void keep_unnamed(struct session *c, struct stmt *stmt)
{
	stmt_drop(c->unnamed);
	c->unnamed = stmt_ref(stmt);
	stmt_drop(c->server->unnamed);
	c->server->unnamed = stmt_ref(stmt);
}

/* A text that may set parameters. Most do not, and cost one look for a letter pair. */
static void look_for_custom(struct session *c, struct str sql)
{
	struct buf names = {0};

	if (!memmem(sql.p, sql.n, "set", 3) && !memmem(sql.p, sql.n, "SET", 3) &&
	    !memmem(sql.p, sql.n, "Set", 3))
		return;
	if (c->custom)
		names = *c->custom;
	c->has_computed |= !custom_note(sql, &names);
	if (names.n && !c->custom)
		c->custom = mem_alloc(sizeof(*c->custom));
	if (c->custom)
		*c->custom = names;
}

/* What to do with a message once it has been looked at. */
enum verdict { PASS, CHANGED /* something else was sent in its place */, BROKEN };

static enum verdict on_parse(struct session *c, struct str body)
{
	struct server *s = c->server;
	struct str name, query, types;
	struct stmt *stmt;
	char text[STMT_NAME];
	struct buf b = {0};

	if (!pgw_parse_read(body, &name, &query, &types))
		return BROKEN;
	stmt = stmt_intern(&c->hub->stmts, query, types);
	if (name.n == 0)
		keep_unnamed(c, stmt);
	else
		stmts_put(&c->stmts, name, stmt);
	if (!session_is_pooled(c))
		look_for_custom(c, query);
	if (name.n == 0 || !session_is_pooled(c)) {
		push(c, REPLY_PARSE);
		stmt_drop(stmt);
		return PASS;
	}
	name = stmt_name(stmt, text);
	if (stmts_get(&s->stmts, name)) {
		replies_push(&s->replies, (struct reply){.kind = REPLY_PARSE, .is_made = true});
		stmt_drop(stmt);
		return CHANGED;
	}
	pgw_put_parse(&b, name, query, types);
	stream_write(&s->stream, b.p, b.n);
	buf_done(&b);
	if (!s->replies.is_skipping)
		stmts_put(&s->stmts, name, stmt);
	replies_push(&s->replies, (struct reply){.kind = REPLY_PARSE, .stmt = stmt});
	return CHANGED;
}

/* The server's name for a client's; where the client has none of that name, one that no server has:
 * its error says so. */
static struct str server_name(struct session *c, struct str name, char text[STMT_NAME])
{
	struct stmt *stmt = stmts_get(&c->stmts, name);

	if (stmt) {
		provide(c, stmt);
		return stmt_name(stmt, text);
	}
	return stmt_is_ours(name) ? STR("no such statement") : name;
}

/* body may end within the values: what is behind the names is passed on as it comes. */
static enum verdict on_bind(struct session *c, struct str have, uint32_t body_n)
{
	struct str portal, name, rest, ours;
	char text[STMT_NAME];
	struct buf b = {0};
	uint32_t len;

	if (!pgw_bind_read(have, &portal, &name, &rest))
		return BROKEN;
	if (!session_is_pooled(c)) {
		push(c, REPLY_BIND);
		return PASS;
	}
	if (name.n == 0) {
		provide_unnamed(c);
		push(c, REPLY_BIND);
		return PASS;
	}
	ours = server_name(c, name, text);
	len = body_n - (uint32_t)name.n + (uint32_t)ours.n + 4;
	buf_putc(&b, 'B');
	pgw_put_u32(&b, len);
	pgw_put_text(&b, portal);
	pgw_put_text(&b, ours);
	stream_write(&c->server->stream, b.p, b.n);
	buf_done(&b);
	push(c, REPLY_BIND);
	return CHANGED;
}

static enum verdict on_target(struct session *c, char type, struct str body)
{
	enum reply_kind kind = type == 'D' ? REPLY_DESCRIBE : REPLY_CLOSE;
	struct server *s = c->server;
	struct str name;
	char what, text[STMT_NAME];
	struct buf b = {0};

	if (!pgw_target_read(body, &what, &name))
		return BROKEN;
	if (what == 'S' && name.n && type == 'C' && stmts_get(&c->stmts, name)) {
		stmts_remove(&c->stmts, name);
		if (session_is_pooled(c)) { /* others may use it */
			replies_push(
				&s->replies, (struct reply){.kind = REPLY_CLOSE, .is_made = true});
			return CHANGED;
		}
	}
	if (what == 'P' || !session_is_pooled(c)) {
		push(c, kind);
		return PASS;
	}
	if (name.n == 0) {
		if (type == 'D')
			provide_unnamed(c);
		push(c, kind);
		return PASS;
	}
	name = server_name(c, name, text);
	if (type == 'D')
		pgw_put_describe(&b, 'S', name);
	else
		pgw_put_close(&b, 'S', name);
	stream_write(&s->stream, b.p, b.n);
	buf_done(&b);
	push(c, kind);
	return CHANGED;
}

/* --- messages of the client */

static void broken(struct session *c, const char *what)
{
	session_fail(c, "08P01", "the client broke the protocol: %s", what);
}

/* How much of a Bind must be there before it is passed on: both names. */
static bool has_names(struct str have)
{
	struct str portal, name;

	return pgw_get_text(&have, &portal) && pgw_get_text(&have, &name);
}

static enum verdict look(struct session *c, char type, struct str have, uint32_t body_n)
{
	switch (type) {
	case 'Q':
		if (!session_is_pooled(c))
			look_for_custom(c, have);
		push(c, REPLY_QUERY);
		return PASS;
	case 'F':
		push(c, REPLY_QUERY);
		return PASS;
	case 'S':
		push(c, REPLY_SYNC);
		return PASS;
	case 'P':
		return on_parse(c, have);
	case 'B':
		return on_bind(c, have, body_n);
	case 'D':
	case 'C':
		return on_target(c, type, have);
	case 'E':
		push(c, REPLY_EXECUTE);
		return PASS;
	case 'c':
	case 'f':
		c->server->is_copying = false;
		c->server->is_copy_done = true;
		return PASS;
	default:
		return PASS;
	}
}

/* Is enough of a message there to look at it? */
static bool is_enough(char type, struct str have, uint32_t body_n)
{
	if (client_types[(unsigned char)type] & MUST_SEE)
		return have.n == body_n;
	return type != 'B' || have.n == body_n || has_names(have);
}

/* A client whose batch was answered with an error says the rest of it to nobody. */
static void skip(struct session *c, char type)
{
	struct buf b = {0};

	if (type != 'S')
		return;
	c->is_skipping = false;
	pgw_put_ready(&b, c->tx);
	session_send(c, &b);
}

static void mark_boundary(struct session *c, unsigned flags)
{
	if (flags & ENDS_BATCH) {
		c->is_batch_open = false;
		c->queries++;
		c->pool->database->query_count++;
	} else if (flags & BEGINS_BATCH) {
		c->is_batch_open = true;
	}
}

/* A Bind that was changed: what was there of its values goes behind the new head. */
static void pass_values(struct session *c, struct str have)
{
	struct str portal, name;

	if (pgw_get_text(&have, &portal) && pgw_get_text(&have, &name))
		stream_write(&c->server->stream, have.p, have.n);
}

size_t relay_client(struct session *c, const char *p, size_t n)
{
	size_t at = 0, run = 0;

	c->used_us = loop_now_us(c->hub->loop);
	while (at < n && c->state == SESSION_READY && !stream_is_paused(&c->stream)) {
		uint32_t body, part;
		unsigned flags;
		enum verdict v;
		struct str have;
		char type;

		if (c->body_left) {
			part = (uint32_t)MIN(c->body_left, n - at);
			c->body_left -= part;
			at += part;
			if (c->is_body_dropped)
				run = at;
			continue;
		}
		switch (pgw_head(p + at, n - at, c->hub->limits.message_bytes, &type, &body)) {
		case PGW_MORE:
			goto out;
		case PGW_BAD:
			broken(c, "a message that is too long, or none");
			return n;
		case PGW_MSG:
			break;
		}
		flags = client_types[(unsigned char)type];
		have = (struct str){p + at + PGW_HEAD, MIN(body, n - at - PGW_HEAD)};
		if (!flags) {
			broken(c, "a message of an unknown type");
			return n;
		}
		if (type == 'X') {
			if (c->server)
				pass(c, p, run, at);
			session_end(c, "client said goodbye");
			return n;
		}
		c->is_body_dropped = c->is_skipping || ((flags & IS_COPY) && !c->server);
		if (c->is_body_dropped) {
			if (c->server)
				pass(c, p, run, at);
			skip(c, type);
			c->body_left = body;
			at += PGW_HEAD;
			run = at;
			continue;
		}
		if (!is_enough(type, have, body)) {
			if (have.n > c->hub->limits.look_bytes) {
				session_fail(
					c, "54000",
					"a message of type '%c' is longer than the %u bytes that "
					"the gateway keeps of one",
					type, c->hub->limits.look_bytes);
				return n;
			}
			goto out;
		}
		if (!get_server(c) || !may_begin(c))
			goto out;
		if (!c->is_batch_open && !(flags & IS_COPY)) {
			pass(c, p, run, at);
			run = at;
			begin_batch(c);
		}
		/* what the gateway says of its own must stand between what the client said */
		if ((flags & MUST_SEE) || type == 'B') {
			pass(c, p, run, at);
			run = at;
		}
		v = look(c, type, have, body);
		if (v == BROKEN) {
			broken(c, "a body that does not fit its type");
			return n;
		}
		mark_boundary(c, flags);
		if (v == CHANGED) {
			if (type == 'B')
				pass_values(c, have);
			note_batch(c->server, p + at, PGW_HEAD + have.n);
			at += PGW_HEAD + have.n;
			run = at;
			c->body_left = body - (uint32_t)have.n;
		} else {
			at += PGW_HEAD;
			c->body_left = body;
		}
	}
out:
	if (c->server && c->state == SESSION_READY) {
		pass(c, p, run, at);
		relay_server_made(c->server);
	}
	return c->state == SESSION_READY ? at : n;
}

void relay_again(struct session *c)
{
	struct buf *again = c->again;
	size_t used;

	if (!again || c->state != SESSION_READY)
		return;
	c->again = NULL;
	used = relay_client(c, again->p, again->n);
	if (used < again->n) { /* it was stopped on the way */
		buf_cut_front(again, used);
		c->again = again;
		return;
	}
	buf_done(again);
	mem_drop(&again);
}
