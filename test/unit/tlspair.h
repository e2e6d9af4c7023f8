/* Two ends of a TLS connection in memory: tlsio at the server's, tlsio or plain OpenSSL (which can
 * be told to do what our own client would not) at the client's. */
#ifndef SLIPWAY_TEST_TLSPAIR_H
#define SLIPWAY_TEST_TLSPAIR_H

#include <openssl/ssl.h>

#include "base/arena.h"
#include "net/ca.h"
#include "net/tlsio.h"

struct tlspair {
	struct tlsio *server;
	struct tlsio *client; /* this, */
	SSL *raw; /* or this */
	struct buf to_server, to_client; /* encrypted, on its way */
	struct buf server_got, client_got; /* plain */
	enum tlsio_status server_status, client_status;
	struct err server_err, client_err;
};

void tlspair_start(struct tlspair *p, struct tlsio *server, struct tlsio *client);
void tlspair_start_raw(struct tlspair *p, struct tlsio *server, SSL *client); /* takes it over */
/* Carries bytes both ways, at most so many at a time, until there are none. */
void tlspair_run(struct tlspair *p, size_t piece);
/* One end says it, and it is carried. */
void tlspair_say(struct tlspair *p, bool from_server, const char *text, size_t n, size_t piece);
void tlspair_done(struct tlspair *p);

/* --- what tests of it share (they fail by cmocka) */
/* The server's certificate is for db.example, 127.0.0.1 and ::1. */
struct tls_world {
	struct arena arena;
	struct ca_cert ca, other_ca, server_cert, client_cert;
};
extern struct tls_world tls_world;
int tls_world_start(void **state);
int tls_world_end(void **state);

enum { ALL = SIZE_MAX };

struct tlsio_ctx *ctx_of(const struct tlsio_conf *conf);
/* ca_pem: of the clients that it wants certificates of. */
struct tlsio *server_new(const char *ca_pem);
struct tlsio *
client_new(const char *ca_pem, const struct ca_cert *me, const char *name, bool check);
void pair_start(struct tlspair *p);
void assert_ready(const struct tlspair *p);
void assert_got(struct buf *b, const char *text);
void assert_passes(struct tlspair *p, size_t piece);

#endif
