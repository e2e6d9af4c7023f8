/*
 * Relay: the messages of a session to its server.
 *
 * It looks at the head of each message and passes bodies on in pieces; only what must be understood
 * is waited for as a whole (hub_limits.look_bytes at most). Batches end at Sync or Query: there a
 * session gets or leaves its server (transaction mode), stops for a hold, and is asked for its
 * state. The way back is relay_server.h.
 */
#ifndef SLIPWAY_GATEWAY_RELAY_H
#define SLIPWAY_GATEWAY_RELAY_H

#include "gateway/session.h"

/* For the stream's data() of a session that is READY. */
size_t relay_client(struct session *c, const char *p, size_t n);
/* The pool's answer: this session has s now. */
void relay_link(struct session *c, struct server *s);
/* Tells the client what its server reports otherwise than it knows. */
void relay_tell(struct session *c);
/* The batch that the last server did not answer goes to the present one. */
void relay_again(struct session *c);

#endif
