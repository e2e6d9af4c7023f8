/*
 * Carry: what a session has set on its server, as that server tells it, and how a new server is
 * given the same.
 *
 * The questions are PostgreSQL's own views (documentation: pg_settings, pg_prepared_statements,
 * pg_listening_channels, pg_cursors, pg_locks); every name in them is qualified, since the search
 * path is the client's. What cannot be carried is named: temporary tables, cursors WITH HOLD,
 * advisory locks. Pure: messages in, messages out; texts stay in the client's encoding as they are.
 */
#ifndef SLIPWAY_GATEWAY_CARRY_H
#define SLIPWAY_GATEWAY_CARRY_H

#include "base/err.h"
#include "codec/pgwire.h"
#include "gateway/replies.h"

struct carry {
	struct buf rows; /* kind, name, value, extra: each a length and bytes */
	unsigned settings, statements, channels;
	char obstacle[128]; /* one sentence; "" where all of it can be carried */
	bool is_bad; /* the question itself failed */
};

struct carry *carry_new(void);
void carry_free(struct carry *c); /* NULL is fine */
bool carry_is_empty(const struct carry *c);

/* The question: one query of the simple protocol, its answers go to carry_note. custom: names of
 * parameters that no view shows, each with a NUL byte; they hold letters, digits, '_', '$', '.'. */
void carry_question(struct str custom, struct buf *ret_sql);
/* Messages of its answer, up to ReadyForQuery. */
void carry_note(struct carry *c, const struct pgw_msg *m);

/* The messages that give a new server all of it; for each that has an answer an entry is pushed.
 * stmts: the client's own statements, whose parameter types are known exactly. */
void carry_replay(
	const struct carry *c, const struct stmts *stmts, struct replies *replies, struct buf *ret);

#endif
