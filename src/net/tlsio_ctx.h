/*
 * The inside of a TLS context: what tlsio_conn.c and tlsio_ctx.c share, and nobody else knows.
 *
 * All connections of a context use one BIO, which has no bytes of its own: it reads from and writes
 * to what the running call was given. That is why a context belongs to one thread.
 */
#ifndef SLIPWAY_NET_TLSIO_CTX_H
#define SLIPWAY_NET_TLSIO_CTX_H

#include <openssl/ssl.h>

#include "net/tlsio.h"
#include "net/tlsrec.h"

/* What OpenSSL logs in a handshake of TLS 1.3, for the records behind it. */
struct tlsio_secrets {
	unsigned char client[TLSREC_SECRET_MAX], server[TLSREC_SECRET_MAX];
	bool has_client, has_server;
};

struct tlsio_ctx {
	SSL_CTX *ssl;
	BIO *bio;
	BIO_METHOD *bio_method;
	struct str in; /* of the running call: what is still to be read */
	struct buf *out; /* of the running call */
	struct tlsio_secrets **secrets; /* of the running call: where its traffic secrets go */
	struct tlsrec_pool pool; /* of connections whose handshake is over */
	size_t refs; /* who made it, and each connection */
	unsigned char *alpn; /* as on the wire: length, name; NULL: none */
	unsigned int alpn_n;
	unsigned char binding[TLSIO_BINDING_MAX]; /* of a server */
	size_t binding_n;
	bool is_server;
};

void tlsio_ctx_unref(struct tlsio_ctx *c);

/* tls-server-end-point (RFC 5929, section 4.1): the certificate hashed by the hash function of its
 * own signature, or SHA-256 where that is MD5 or SHA-1. 0: it has none, such as Ed25519. */
size_t tlsio_cert_binding(const X509 *cert, unsigned char ret[TLSIO_BINDING_MAX]);

#endif
