/*
 * Port: finds a free TCP port of an address, and holds it until its server takes it over.
 *
 * A port that a member of this agent keeps is never given to another, running or not.
 */
#ifndef SLIPWAY_AGENT_PORT_H
#define SLIPWAY_AGENT_PORT_H

#include "base/err.h"

enum { PORT_FIRST = 5433, PORT_LAST = 9999 }; /* below what Linux gives to outgoing connections */

struct port_book {
	unsigned char kept[65536 / 8];
};

void port_keep(struct port_book *b, int port);
void port_drop(struct port_book *b, int port);

/* A socket that is bound to it: nobody else gets the port until it is closed. ERR_CONFLICT: it is
 * taken; ERR_INVALID: no address of this host. */
enum err_code port_hold(const char *address, int port, int *ret_fd, struct err *e);

/* The first free one that nobody keeps; keeps it. */
enum err_code
port_pick(struct port_book *b, const char *address, int *ret_port, int *ret_fd, struct err *e);

#endif
