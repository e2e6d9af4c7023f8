/* Relay, the way back: what a server says, to its session or to the gateway itself. */
#ifndef SLIPWAY_GATEWAY_RELAY_SERVER_H
#define SLIPWAY_GATEWAY_RELAY_SERVER_H

#include "gateway/session.h"

/* For struct server_ops. */
size_t relay_server(struct server *s, const char *p, size_t n);
void relay_server_drained(struct server *s);

/* Answers that are the gateway's to give, once they are next. */
void relay_server_made(struct server *s);

/* The client takes more again. */
void relay_client_drained(struct session *c);

#endif
