/*
 * TLS for streams (OpenSSL 3): a filter without I/O. Encrypted bytes go in and plain ones come out,
 * and the other way; the caller reads and writes the socket.
 *
 * One thread a context. An idle connection must be small: a server's end of TLS 1.3 lets go of
 * OpenSSL's connection after the handshake (14 KB) and keeps its records' secrets (net/tlsrec.h);
 * for the others no read or write buffers are kept between records (SSL_MODE_RELEASE_BUFFERS). No
 * session cache, no tickets, and a BIO of our own that points into the caller's bytes.
 */
#ifndef SLIPWAY_NET_TLSIO_H
#define SLIPWAY_NET_TLSIO_H

#include "base/err.h"
#include "base/str.h"

enum { TLSIO_BINDING_MAX = 64 };

struct tlsio_ctx; /* counted: a connection keeps the one that it began with */
struct tlsio;

struct tlsio_conf {
	const char *cert_pem, *key_pem; /* of this end; a client may have none */
	const char
		*ca_pem; /* who must have signed the other end's certificate; NULL: not checked */
	const char *alpn; /* "postgresql"; NULL: none. A server takes clients without it, and
			     refuses those that offer only others */
	bool is_server;
};

/* TLS 1.2 and 1.3. ERR_INVALID: not PEM, or the key does not fit the certificate. */
enum err_code tlsio_ctx_new(const struct tlsio_conf *c, struct tlsio_ctx **ret, struct err *e);
void tlsio_ctx_free(struct tlsio_ctx *c); /* NULL is fine; connections go on */

/* A new connection. server_name: whom a client wants to reach, checked against the certificate
 * where check_name; sent as SNI unless it is an address; NULL for a server. */
struct tlsio *tlsio_new(struct tlsio_ctx *c, const char *server_name, bool check_name);
void tlsio_free(struct tlsio *t); /* NULL is fine */

enum tlsio_status {
	TLSIO_OK,
	TLSIO_END, /* the other end said close_notify */
	TLSIO_BROKEN, /* err says why, in one sentence without the other end's bytes */
};

/* Takes in all n encrypted bytes. What comes out of it is added: plain to ret_plain, what must be
 * sent to ret_send (handshake, alerts; also when broken). n 0 starts a client's handshake. */
enum tlsio_status tlsio_feed(
	struct tlsio *t, const char *p, size_t n, struct buf *ret_plain, struct buf *ret_send,
	struct err *e);
/* Encrypts all n bytes; only once tlsio_is_ready. */
enum tlsio_status
tlsio_write(struct tlsio *t, const char *p, size_t n, struct buf *ret_send, struct err *e);
void tlsio_close(struct tlsio *t, struct buf *ret_send); /* close_notify */

bool tlsio_is_ready(const struct tlsio *t); /* the handshake is over */
bool tlsio_has_alpn(const struct tlsio *t); /* the protocol was agreed on */
const char *tlsio_version(const struct tlsio *t); /* "TLSv1.3" */
const char *tlsio_cipher(const struct tlsio *t);
/* What it holds by itself, without what OpenSSL does for it. */
size_t tlsio_bytes(const struct tlsio *t);

/* tls-server-end-point (RFC 5929): the hash of the server's certificate; bytes written, 0: none. */
size_t tlsio_binding(const struct tlsio *t, unsigned char ret[TLSIO_BINDING_MAX]);

#endif
