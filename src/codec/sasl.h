/*
 * The SCRAM-SHA-256 and SCRAM-SHA-256-PLUS exchange of a login (RFC 5802, RFC 7677; PostgreSQL's
 * chapter "SASL Authentication"), both ends. Channel binding is tls-server-end-point (RFC 5929).
 *
 * Pure but for nonces, which come from the kernel. A server knows verifiers (codec/scram.h), never
 * a password. An exchange for a role that there is not runs through all the same, with a mock
 * verifier that is the same each time (a keyed hash of the name), and fails at the end as a wrong
 * password does: neither its answers nor its time tell them apart.
 */
#ifndef SLIPWAY_CODEC_SASL_H
#define SLIPWAY_CODEC_SASL_H

#include "codec/scram.h"

enum { SASL_VERIFIERS_MAX = 4, SASL_NONCE = 24, SASL_BINDING_MAX = 64, SASL_MESSAGE_MAX = 2048 };

enum sasl_status {
	SASL_GO_ON, /* ret is to be sent, another message is to come */
	SASL_DONE, /* proven; ret is the last message to send */
	SASL_WRONG, /* the password is not right, or there is no such role */
	SASL_BAD, /* no message of this exchange: err says what */
};

struct sasl_server;

/* binding: what the client must have bound to, the certificate's hash; n 0: no TLS. verifiers:
 * those of the role, the first one's salt is shown; n 0: there is no such role, secret makes the
 * mock. A rotation has two: a client proves one of them; as only one salt can be shown, verifiers
 * of a role should share salt and iterations, others than the first are tried where they do. */
struct sasl_server *sasl_server_new(
	struct str user, const struct scram *verifiers, size_t n, struct str binding,
	const unsigned char secret[32]);
void sasl_server_free(struct sasl_server *s); /* wipes it; NULL is fine */
/* SASLInitialResponse: the mechanism and the client's first message. */
enum sasl_status sasl_server_first(
	struct sasl_server *s, struct str mechanism, struct str in, struct buf *ret, struct err *e);
/* SASLResponse. */
enum sasl_status
sasl_server_final(struct sasl_server *s, struct str in, struct buf *ret, struct err *e);

struct sasl_client;

/* binding n 0: no TLS, or a server that does not offer -PLUS. */
struct sasl_client *sasl_client_new(struct str password, struct str binding, bool is_tls);
void sasl_client_free(struct sasl_client *c);
/* offered: the mechanisms of AuthenticationSASL, each with a NUL byte. SASL_GO_ON with the
 * mechanism to name, or SASL_BAD. */
enum sasl_status sasl_client_first(
	struct sasl_client *c, struct str offered, const char **ret_mechanism, struct buf *ret,
	struct err *e);
enum sasl_status
sasl_client_next(struct sasl_client *c, struct str in, struct buf *ret, struct err *e);
/* The server proves that it knows the verifier: SASL_DONE or SASL_WRONG. */
enum sasl_status sasl_client_final(struct sasl_client *c, struct str in, struct err *e);

#endif
