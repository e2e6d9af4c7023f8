/*
 * The platform's certificate authority: OpenSSL 3, ECDSA P-256, all as PEM text.
 *
 * Keys never leave the machine that made them: others send a CSR, and of it only the public key is
 * used; names come from the caller. Texts live in the caller's arena.
 */
#ifndef SLIPWAY_NET_CA_H
#define SLIPWAY_NET_CA_H

#include "base/arena.h"
#include "base/err.h"

struct ca_cert {
	const char *cert_pem;
	const char *key_pem; /* NULL where only a certificate was asked for */
};

struct ca_name {
	const char *name; /* CN */
	const char *group; /* O: "slipway:hosts", "slipway:admins", "slipway:servers",
			      "slipway:gateways" */
	const char *const
		*hosts; /* subject alternative names, DNS or IP, ends in NULL; may be NULL */
	int days;
};

/* A new authority: a self-signed certificate for ten years, pathlen 0. */
enum err_code ca_new(struct arena *a, const char *name, struct ca_cert *ret, struct err *e);

/* A key and its certificate, for client and server use. */
enum err_code ca_issue(
	struct arena *a, const struct ca_cert *ca, const struct ca_name *name, struct ca_cert *ret,
	struct err *e);

/* For who is not the authority: a key and the request for it. */
enum err_code ca_request(
	struct arena *a, const char *name, const char **ret_key_pem, const char **ret_csr_pem,
	struct err *e);

/* Checks the request's own signature, then signs its key under the caller's name. */
enum err_code
ca_sign(struct arena *a, const struct ca_cert *ca, const char *csr_pem, const struct ca_name *name,
	const char **ret_cert_pem, struct err *e);

/* SHA-256 over the certificate, 64 hex digits: what a join token pins. */
enum err_code
ca_fingerprint(struct arena *a, const char *cert_pem, const char **ret, struct err *e);

/* When it ends, in seconds since 1970, and what part of its life is over (0 to 100). */
enum err_code
ca_life(const char *cert_pem, int64_t *ret_not_after_s, int *ret_percent, struct err *e);

#endif
