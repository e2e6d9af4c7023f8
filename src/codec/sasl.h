/*
 * The SCRAM-SHA-256 and SCRAM-SHA-256-PLUS exchange of a login (RFC 5802, RFC 7677; PostgreSQL's
 * chapter "SASL Authentication"), both ends. Channel binding is tls-server-end-point (RFC 5929).
 *
 * Pure but for nonces, which come from the kernel. A server knows verifiers (codec/scram.h), never
 * a password. An exchange for a role that there is not runs through all the same, with a mock
 * verifier that is the same each time (a keyed hash of the name), and fails at the end as a wrong
 * password does: neither its answers nor its time tell them apart.
 *
 * The name in the client's message is ignored, as PostgreSQL does: the role is that of the startup
 * packet. A client's password goes in as it is: for ASCII and what is in normal form already that
 * is what SASLprep would give.
 */
#ifndef SLIPWAY_CODEC_SASL_H
#define SLIPWAY_CODEC_SASL_H

#include "codec/scram.h"

enum {
	SASL_VERIFIERS_MAX = 4,
	SASL_NONCE = 24, /* characters of ours, 18 random bytes in base64 */
	SASL_BINDING_MAX = 64,
	SASL_MESSAGE_MAX = 2048,
	SASL_ITERATIONS_MAX = 100000, /* that a server may ask of a client: some 50 ms of work */
};

enum sasl_status {
	SASL_GO_ON, /* ret is to be sent, another message is to come */
	SASL_DONE, /* proven; ret is the last message to send */
	SASL_WRONG, /* the password is not right, or there is no such role */
	SASL_BAD, /* no message of this exchange: err says what */
};
/* After all but SASL_GO_ON the exchange is over: a further message is SASL_BAD. ret is added to
 * with SASL_GO_ON and SASL_DONE only; err is set with SASL_WRONG and SASL_BAD, without a word of
 * the other end's. */

struct sasl_server;

/* binding: what the client must have bound to, the certificate's hash; n 0: no TLS. verifiers:
 * those of the role, the first one's salt is shown; n 0: there is no such role, secret makes the
 * mock. A rotation has two: a client proves one of them; as only one salt can be shown, verifiers
 * of a role should share salt and iterations, others than the first are never proven where they do
 * not. */
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

/* binding: the hash of the server's certificate; n 0: there is no TLS, or none could be made. */
struct sasl_client *sasl_client_new(struct str password, struct str binding, bool is_tls);
void sasl_client_free(struct sasl_client *c);
/* offered: the mechanisms of AuthenticationSASL, each with a NUL byte. SASL_GO_ON with the
 * mechanism to name, or SASL_BAD. */
enum sasl_status sasl_client_first(
	struct sasl_client *c, struct str offered, const char **ret_mechanism, struct buf *ret,
	struct err *e);
enum sasl_status
sasl_client_next(struct sasl_client *c, struct str in, struct buf *ret, struct err *e);
/* The server proves that it knows the verifier: SASL_DONE, SASL_WRONG or SASL_BAD. */
enum sasl_status sasl_client_final(struct sasl_client *c, struct str in, struct err *e);

/* For the examples of an RFC: a nonce that is not random. Before the first message. */
void sasl_server_set_nonce(struct sasl_server *s, struct str nonce);
void sasl_client_set_nonce(struct sasl_client *c, struct str nonce);

#endif
