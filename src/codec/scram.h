/*
 * SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) as PostgreSQL keeps them in pg_authid.rolpassword:
 * "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>", bytes in base64.
 *
 * Passwords are ASCII without NUL, which SASLprep leaves as it is (PostgreSQL does the same);
 * others are refused, since a verifier made without SASLprep might not be the one that a client
 * proves. What is derived on the way is wiped. Pure; 4096 iterations take some milliseconds.
 */
#ifndef SLIPWAY_CODEC_SCRAM_H
#define SLIPWAY_CODEC_SCRAM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
	SCRAM_ITERATIONS = 4096, /* PostgreSQL's default */
	SCRAM_ITERATIONS_MAX = 1000000,
	SCRAM_SALT_MAX = 64,
	SCRAM_KEY = 32,
};

struct scram {
	int iterations;
	unsigned char salt[SCRAM_SALT_MAX];
	size_t salt_n;
	unsigned char stored_key[SCRAM_KEY];
	unsigned char server_key[SCRAM_KEY];
};

/* NULL: the password is empty or not ASCII, or salt or iterations are out of bounds. */
const char *scram_verifier(struct arena *a, struct str password, struct str salt, int iterations);

/* ERR_INVALID: no verifier; ERR_LIMIT: more iterations or salt than the most. */
enum err_code scram_parse(struct str verifier, struct scram *ret, struct err *e);

/* The keys of a password, of any bytes but none, by s's salt and iterations: into s, and the one
 * that only a client has. */
void scram_keys(struct str password, struct scram *s, unsigned char ret_client_key[SCRAM_KEY]);

/* HMAC-SHA-256. */
void scram_hmac(const unsigned char key[SCRAM_KEY], struct str text, unsigned char ret[SCRAM_KEY]);

/* In a time that does not tell how much of it is right. False too where there is no verifier. */
bool scram_check(struct str verifier, struct str password);

#endif
