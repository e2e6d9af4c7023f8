/*
 * Secrets: a type that no formatter prints, sealing at rest, random passwords and tokens.
 *
 * Memory of a struct secret is wiped when it is dropped. Sealing is libsodium's secretbox
 * (XSalsa20-Poly1305) under the platform's key file (32 bytes, 0600); sealed text is
 * "v1:" + base64url(nonce + box). Any thread.
 */
#ifndef SLIPWAY_BASE_SECRET_H
#define SLIPWAY_BASE_SECRET_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct secret {
	unsigned char *p; /* sodium_malloc'd; NULL: none */
	size_t n;
};

struct secret_key; /* the key that seals */

void secret_done(struct secret *s);
void secret_set(struct secret *s, struct str bytes);

/* Reads the key file; makes it (0600) when there is none. ERR_INVALID: its size or mode is wrong.
 */
enum err_code secret_key_open(const char *path, struct secret_key **ret, struct err *e);
void secret_key_free(struct secret_key *k);

/* The context is authenticated with the text: what was sealed for one place opens only there. */
const char *
secret_seal(struct arena *a, const struct secret_key *k, const char *context, struct str clear);
enum err_code secret_open(
	const struct secret_key *k, const char *context, const char *sealed, struct secret *ret,
	struct err *e);

/* n characters of [A-Za-z0-9], 5.95 bits each, from the kernel. */
void secret_random(struct secret *ret, size_t n);

/* SHA-256 as 64 hex digits: how tokens are kept. */
const char *secret_hash(struct arena *a, struct str s);

/* In equal time whatever differs. */
bool secret_eq(struct str a, struct str b);

/* RFC 4648 base64 with padding; decoding is strict. */
char *secret_base64(struct arena *a, struct str bytes);
enum err_code secret_unbase64(struct arena *a, struct str text, struct str *ret, struct err *e);

#endif
