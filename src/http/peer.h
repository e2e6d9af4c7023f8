/*
 * Who is at the other end of one connection. Made and freed by libmicrohttpd's notice of
 * connections, on the connection's event thread; as old as the connection.
 */
#ifndef SLIPWAY_HTTP_PEER_H
#define SLIPWAY_HTTP_PEER_H

#include <microhttpd.h>
#include <netinet/in.h>

#include "http/server.h"
#include "http/tls.h"

struct exchange;

struct peer {
	char address[INET6_ADDRSTRLEN];
	struct tls_identity id;
	bool is_identified;
	int fd;
	struct exchange *exchange; /* the one that runs now; NULL: none */
};

/* tls may be NULL. Sets the socket's keep-alive: a host that vanished is noticed in half a minute.
 */
struct peer *peer_new(struct MHD_Connection *c, struct tls *tls);
struct peer *peer_of(struct MHD_Connection *c);

/* Reads the certificate, once. */
struct http_peer peer_identify(struct peer *p, struct MHD_Connection *c);

#endif
