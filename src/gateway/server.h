/*
 * A connection to a PostgreSQL server: made, encrypted, logged in, then used by whoever holds it.
 *
 * It belongs to its pool. From READY on its bytes go to ops->data. lost() comes once, unless the
 * owner closed it; after either, the memory goes when the loop has let go of it.
 */
#ifndef SLIPWAY_GATEWAY_SERVER_H
#define SLIPWAY_GATEWAY_SERVER_H

#include "base/list.h"
#include "base/secret.h"
#include "codec/pgwire.h"
#include "gateway/hub.h"
#include "gateway/replies.h"
#include "gateway/route.h"
#include "net/stream.h"

enum server_state {
	SERVER_CONNECTING,
	SERVER_TLS, /* asked whether it speaks TLS, then the handshake */
	SERVER_LOGIN,
	SERVER_READY,
	SERVER_GONE,
};

/* Where a pool has it. */
enum server_place {
	SERVER_OPENING,
	SERVER_WARM, /* ready, for when its member is the primary */
	SERVER_IDLE,
	SERVER_BUSY, /* held by a session, or being reset after one */
	SERVER_LEAVING, /* left behind by a switch; a few at a time are closed */
	SERVER_PLACES,
};

enum { SERVER_BATCH_MAX = 8192, SERVER_MEMBER = 64 };

/* Why a server was lost. */
struct server_end {
	struct err err; /* one sentence */
	char sqlstate[6]; /* what the server said last with FATAL; "" if it said nothing */
	bool is_refused; /* it never got ready */
};

struct server;
struct server_ops {
	void (*ready)(struct server *s);
	void (*lost)(struct server *s, const struct server_end *why);
	size_t (*data)(struct server *s, const char *p, size_t n);
	void (*drained)(struct server *s);
};

struct server {
	struct stream stream;
	struct hub *hub;
	struct list node; /* the pool's */
	void *pool; /* struct pool */
	struct session *session; /* who holds it; NULL: nobody */
	void (*own)(
		struct server *s, const struct pgw_msg *m); /* answers to the gateway's questions */
	enum server_state state;
	enum server_place place;
	bool is_warm; /* made for a primary to come */
	char tx; /* of the last ReadyForQuery: 'I', 'T', 'E' */
	bool is_stale; /* not to be given to anybody anymore */
	bool is_reset; /* what stands in replies is the reset at the end of a session */
	bool needs_reset; /* a session has used it */
	bool is_copying; /* in a COPY that the client sends */
	uint32_t body_left; /* of the message that is being passed to the client */
	struct replies replies;
	struct stmts stmts; /* prepared here under stmt_name, in transaction mode */
	struct stmt *unnamed;
	struct vars *vars; /* what it reports */
	struct vars *base; /* what it reported when it was new */
	struct buf batch; /* what the client sent since the last boundary, for a crash */
	bool is_batch_cut; /* more than SERVER_BATCH_MAX */
	bool has_answered; /* something of this batch went to the client */
	bool is_copy_done; /* the client has sent the last of it */
	bool is_unsure; /* PostgreSQL said that it stopped waiting for the standby */
	uint32_t pid;
	char key[4];
	char member[SERVER_MEMBER];
	int64_t epoch;
	int64_t made_us, used_us, batch_us;
	struct timer limit;
	struct server_end end;
	struct server_login *login; /* until READY */
};

struct server_target {
	const struct route_member *member;
	int64_t epoch;
	struct str start; /* startup parameters: pairs, user and database among them */
	const struct secret *password; /* NULL: by certificate */
	struct str user; /* for md5 */
};

/* Begins; ready() or lost() comes. ERR_IO, ERR_INVALID: it could not even begin. */
enum err_code server_new(
	struct hub *h, const struct server_target *t, void *pool, struct server **ret,
	struct err *e);
/* Says goodbye where it can, and lets go of it. lost() does not come. */
void server_close(struct server *s);
/* Opens a connection of its own and asks the server to cancel what s does. */
void server_cancel(struct server *s);
/* A query of the gateway's own: its answers are not the client's. Simple protocol. */
void server_ask(struct server *s, struct str sql);

static inline bool server_is_at_rest(const struct server *s)
{
	return s->replies.n == 0 && s->tx == 'I' && s->body_left == 0;
}

#endif
