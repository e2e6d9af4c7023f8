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
#include "http/turner.h"
#include "http/wire.h"

struct exchange;

struct peer {
	char address[INET6_ADDRSTRLEN];
	struct tls_identity id;
	bool is_identified;
	struct turner *loop;
	struct wire wire; /* of TLS; without it only its fd counts */
	struct exchange *exchange; /* the one that runs now; NULL: none */
};

/* tls may be NULL. A handshake has so long. */
struct peer *peer_new(struct MHD_Connection *c, struct tls *tls, int handshake_ms);
void peer_free(struct peer *p);
struct peer *peer_of(struct MHD_Connection *c);

/* Reads the certificate, once. */
struct http_peer peer_identify(struct peer *p, struct MHD_Connection *c);

#endif
