/*
 * Session: a client's connection. It outlives the servers that serve it.
 *
 * Its life: LOGIN (login.c) → WELCOME (waits to know what a server reports) → READY (relay.c) →
 * ENDING (what was written is sent, then it goes). An idle session holds no buffers.
 */
#ifndef SLIPWAY_GATEWAY_SESSION_H
#define SLIPWAY_GATEWAY_SESSION_H

#include "codec/pgwire.h"
#include "gateway/pool.h"
#include "net/stream.h"

enum session_state { SESSION_LOGIN, SESSION_WELCOME, SESSION_READY, SESSION_ENDING };

/* What client.c does at the turns of a session's way. */
struct session_ops {
	/* Nothing is due, no transaction is open: it may stop here. */
	void (*boundary)(struct session *c);
	/* It has a server that it had not before: before its own messages go there. */
	void (*linked)(struct session *c);
};

struct session {
	struct stream stream;
	struct hub *hub;
	struct list node; /* hub->sessions */
	struct pool *pool; /* from WELCOME on */
	struct server *server; /* NULL: none now */
	struct pool_wait wait;
	struct vars *vars; /* what this client was told */
	struct vars *base; /* what of it was its server's to say: the rest it has set itself */
	struct stmts stmts; /* by the client's names */
	struct stmt *unnamed;
	struct login *login; /* until READY */
	struct carry
		*carry; /* what it had set on its server, when it was last asked; NULL: nothing */
	struct carry *asked; /* the answer that is coming */
	struct buf *custom; /* names of parameters that no view shows (custom.h); NULL: none */
	struct buf *again; /* a batch to run again on the next server */
	struct timer timer; /* of the login, later of idleness and snapshots */
	int64_t made_us, used_us;
	uint64_t queries;
	uint32_t id; /* its place in hub->ids, and one; the pid of its cancel key */
	char key[4]; /* of its cancel key */
	uint32_t body_left; /* of the message that is being passed to the server */
	enum session_state state;
	char tx; /* as the client was last told */
	bool is_batch_open : 1; /* messages came behind the last Sync */
	bool is_body_dropped : 1; /* the rest of this message goes nowhere */
	bool is_waiting : 1; /* paused until it gets a server */
	bool is_stopped : 1; /* paused until the answers that are due have come */
	bool is_choked : 1; /* paused until its server takes more */
	bool is_skipping : 1; /* drops all up to Sync: an error was answered in a batch */
	bool is_lost : 1; /* its transaction died with a server: the next server must abort one */
	bool owes_error : 1; /* the client does not know of is_lost yet */
	bool is_dirty : 1; /* has run something since its state was last asked for */
	bool has_state : 1; /* has surely set something since (SET, PREPARE, LISTEN, …) */
	bool is_parked : 1; /* stands still for a hold */
	bool is_restoring : 1; /* a new server is being given its state */
	bool has_end : 1; /* the client has sent its last byte */
	bool is_admin : 1;
	bool has_computed : 1; /* set a parameter whose name is not known */
	bool had_tls : 1;
};

/* Takes the descriptor; login() begins. */
struct session *session_new(struct hub *h, int fd, const struct stream_ops *ops);
/* Frees all of it but the login, which must be gone: from the stream's closed(). */
void session_free(struct session *c);
struct session *session_by_id(const struct hub *h, uint32_t id); /* NULL: none */

void session_send(struct session *c, struct buf *b); /* and clears b */
/* ErrorResponse, not fatal. */
void session_error(struct session *c, const char *sqlstate, const char *text);
/* ErrorResponse with FATAL, then the end; one log line with the reason. */
void session_fail(struct session *c, const char *sqlstate, const char *fmt, ...) PRINTF(3, 4);
/* The end without a word, with a reason for the log. */
void session_end(struct session *c, const char *reason);
/* Gives its server back: to the next, reset first, or away when it is in the middle of something.
 */
void session_unlink(struct session *c);

/* data() comes again once none of the reasons to pause is left. */
void session_wake(struct session *c);

/* Where is it in the protocol: nothing is due and no batch is open. */
static inline bool session_is_at_rest(const struct session *c)
{
	return !c->is_batch_open && c->body_left == 0 && c->tx == 'I' &&
		(!c->server || server_is_at_rest(c->server));
}

static inline bool session_is_pooled(const struct session *c) /* by transaction */
{
	return c->pool->database->route && c->pool->database->route->mode == ROUTE_TRANSACTION;
}

#endif
