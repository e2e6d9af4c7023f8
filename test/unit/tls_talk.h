/* A TLS (or plain) socket for tests, that sends raw bytes: what no HTTP library would. */
#ifndef SLIPWAY_TEST_TLS_TALK_H
#define SLIPWAY_TEST_TLS_TALK_H

#include <openssl/ssl.h>

#include "base/str.h"
#include "net/ca.h"

struct talk {
	int fd;
	SSL_CTX *ctx; /* NULL: plain */
	SSL *ssl;
	struct buf in; /* what was read and not yet used */
};

struct talk_reply {
	int status; /* 0: the connection ended before a whole head came */
	struct buf head;
	struct buf body;
	bool is_whole; /* by its length, or the last chunk */
};

/* me may be NULL; max_tls 0: any. False: no connection, or no handshake. */
bool talk_open(
	struct talk *t, uint16_t port, const char *ca_pem, const struct ca_cert *me, int max_tls);
void talk_open_plain(struct talk *t, uint16_t port);
void talk_close(struct talk *t);

void talk_send(struct talk *t, const char *bytes, size_t n);
void talk_puts(struct talk *t, const char *text);
/* One chunk more into t->in; false: the end (errno EAGAIN: it is 20 s late). */
bool talk_more(struct talk *t);
/* Reads the stream until this text has come, and drops it and all before; false: the end. */
bool talk_until(struct talk *t, const char *text);
void talk_reply(struct talk *t, struct talk_reply *ret);
void talk_reply_done(struct talk_reply *r);

#endif
