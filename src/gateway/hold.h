/*
 * Hold: a database's clients stand still while its primary changes (DESIGN: hold and carry).
 *
 *   OPEN → WARMING (connections to the next primary are made, everything goes on)
 *        → HOLDING (each session stops at its next boundary and is asked what it has set)
 *        → HELD (no connection to the old primary is in use; the switch may happen)
 *        → OPEN by a route without hold: with another primary the sessions are carried there, each
 *          at its next message, those that LISTEN at once; with the same one they just go on.
 *   HOLDING → REFUSED when the drain limit is over and the rule is to refuse: everything goes on.
 */
#ifndef SLIPWAY_GATEWAY_HOLD_H
#define SLIPWAY_GATEWAY_HOLD_H

#include "gateway/session.h"

struct hold_ops {
	void (*ask)(struct session *c); /* what it has set */
	void (*detach)(struct session *c); /* from its server */
	void (*attach)(struct session *c); /* if it has business with one */
};
void hold_init(const struct hold_ops *ops, void (*changed)(struct database *d));

/* A new route takes the old one's place; NULL: the database is gone, and its sessions with it. */
void hold_route(struct database *d, struct route *r);
/* A session has come to a boundary, or is gone from its server. */
void hold_boundary(struct session *c);

const char *hold_name(enum hold_state s);
struct hold_tally {
	unsigned parked, active;
};
struct hold_tally hold_count(const struct database *d);
/* Calls each session that keeps a hold from being held, with the reason. */
void hold_stuck(
	const struct database *d, void (*each)(void *arg, const struct session *c, const char *why),
	void *arg);

#endif
