/*
 * Pools: the connections to one PostgreSQL database as one role, with equal startup parameters.
 *
 * A session asks for a server with a struct pool_wait of its own; it gets one at once, or waits in
 * line until granted() or refused(). Servers of another epoch than the route's are never given.
 */
#ifndef SLIPWAY_GATEWAY_POOL_H
#define SLIPWAY_GATEWAY_POOL_H

#include "gateway/database.h"
#include "gateway/server.h"

struct pool_refusal {
	const char *sqlstate;
	struct err err;
};

struct pool_wait {
	struct list node; /* in the pool's line; empty: not waiting */
	int64_t since_us;
};

struct pool_ops {
	void (*granted)(struct pool_wait *w, struct server *s);
	void (*refused)(struct pool_wait *w, const struct pool_refusal *why);
	/* A server that a session holds is lost. */
	void (*lost)(struct session *holder, struct server *s, const struct server_end *why);
};

struct pool {
	struct list node; /* the database's */
	struct hub *hub;
	struct database *database;
	const struct pool_ops *ops;
	char *key, *user, *dbname;
	bool is_read_only;
	struct buf start; /* startup parameters of its servers */
	struct list at[SERVER_PLACES]; /* struct server */
	unsigned n[SERVER_PLACES];
	struct list line; /* struct pool_wait, the oldest first */
	unsigned line_n;
	unsigned clients;
	struct vars *welcome; /* what a new server reports; NULL: none was seen yet */
	int failures; /* to connect, in a row */
	struct pool_refusal last;
	struct timer tick, again, leave;
	int64_t wait_us_most; /* the longest wait of late */
	uint64_t waits, wait_us;
};

/* extra: startup parameters beyond user, database and application_name, as pairs. */
struct pool *pool_find(
	struct database *d, const struct pool_ops *ops, struct str user, const char *dbname,
	bool is_read_only, struct str extra);
void pool_free(struct pool *p); /* no session uses it */

/* A server that is ready, or NULL and w stands in line. is_welcome: it only wants to know what a
 * server reports, also while the database is held if that is known. */
struct server *pool_take(struct pool *p, struct pool_wait *w);
void pool_leave(struct pool *p, struct pool_wait *w); /* the line */
/* The session has no more use for it: to the next in line, to rest, or away. */
void pool_give(struct server *s);
/* As pool_give of one that nobody is to have again, at a time when others are in a hurry. */
void pool_retire(struct server *s);
/* Serves the line: after a hold, or when a limit has changed. */
void pool_serve(struct pool *p);
/* The route has changed: servers of another epoch or member go, idle ones at once. */
void pool_refresh(struct pool *p);
/* Has n connections to the next primary made, for when it is one. */
void pool_warm(struct pool *p, const struct route_member *next, unsigned n);
void pool_drop_idle(struct pool *p);

/* For struct server_ops. */
void pool_on_ready(struct server *s);
void pool_on_lost(struct server *s, const struct server_end *why);

#endif
