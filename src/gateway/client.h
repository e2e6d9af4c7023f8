/*
 * Client: the life of a session: login, welcome, work, the loss of a server, the end.
 */
#ifndef SLIPWAY_GATEWAY_CLIENT_H
#define SLIPWAY_GATEWAY_CLIENT_H

#include "gateway/session.h"

/* A connection was accepted. */
void client_new(struct hub *h, int fd);

extern const struct session_ops client_session_ops;

/* Asks the session's server what the session has set; client_parked or the log tells. It must be at
 * rest. */
void client_ask(struct session *c);
/* Takes its server's place away: what it had is carried to the next. */
void client_detach(struct session *c);
/* It has business with a server: a message that waits, or a channel it listens to. */
void client_attach(struct session *c);

#endif
