/*
 * The records of a TLS 1.3 connection whose handshake is over (RFC 8446, sections 5 and 7.2): what
 * is left of a connection is two secrets and two counters, some 400 bytes in place of OpenSSL's
 * 14 KB, and the ciphers are OpenSSL's. It is what the kernel does where it does TLS.
 *
 * For a server's end only, that has given out no ticket: what may come is data, alerts and
 * KeyUpdate. A keyed cipher is kept for the connections that spoke last (struct tlsrec_pool, one a
 * context, of one thread); who comes back later is keyed anew. Secrets are wiped when dropped.
 */
#ifndef SLIPWAY_NET_TLSREC_H
#define SLIPWAY_NET_TLSREC_H

#include <openssl/evp.h>

#include "net/tlsio.h"

enum {
	TLSREC_SECRET_MAX = 48,
	TLSREC_SLOTS = 512,
	TLSREC_PLAIN_MAX = 16 << 10, /* of one record */
	TLSREC_NEW_KEY_AFTER = 1 << 24, /* records under one key: RFC 8446, section 5.5 */
};

struct tlsrec_pool {
	struct tlsrec_slot {
		EVP_CIPHER_CTX *cipher;
		const void *owner; /* whose key it has; NULL: nobody's */
	} slots[TLSREC_SLOTS];
	unsigned int next; /* to be taken away from its owner */
	uint64_t new_key_after; /* 0: TLSREC_NEW_KEY_AFTER */
};

void tlsrec_pool_done(struct tlsrec_pool *p);

struct tlsrec;

/* The traffic secrets of application data. NULL: this suite's records are not known here. */
struct tlsrec *tlsrec_new(
	struct tlsrec_pool *pool, unsigned int suite, const unsigned char client[TLSREC_SECRET_MAX],
	const unsigned char server[TLSREC_SECRET_MAX]);
void tlsrec_free(struct tlsrec *r);
size_t tlsrec_bytes(const struct tlsrec *r);

/* As tlsio_feed, tlsio_write and tlsio_close. Nobody calls them once it is broken. */
enum tlsio_status tlsrec_feed(
	struct tlsrec *r, const char *p, size_t n, struct buf *ret_plain, struct buf *ret_send,
	struct err *e);
void tlsrec_write(struct tlsrec *r, const char *p, size_t n, struct buf *ret_send);
void tlsrec_close(struct tlsrec *r, struct buf *ret_send);
/* A record of any type and at most TLSREC_PLAIN_MAX bytes: for tests, of what should not come. */
void tlsrec_put(
	struct tlsrec *r, unsigned char type, const char *p, size_t n, struct buf *ret_send);

#endif
