/*
 * The bytes of one TLS connection between GnuTLS and its socket.
 *
 * GnuTLS alone would ask the kernel twice for each record, and send a response's head and body as
 * two packets. Here one read takes all that is there, and a small write is held until the next.
 * And it counts: libmicrohttpd 0.9.75 calls a half-finished handshake again and again, without a
 * pause, until the client's next bytes come (or never). A turn of its loop that was told "nothing
 * there" and moved no byte is a turn that can wait: wire_turn_is_stuck.
 *
 * All of a connection on its event thread; the counters are the thread's own.
 */
#ifndef SLIPWAY_HTTP_WIRE_H
#define SLIPWAY_HTTP_WIRE_H

#include <gnutls/gnutls.h>

#include "base/defs.h"

struct wire {
	int fd;
	char *ahead; /* read from the kernel, not yet taken; NULL: nothing */
	size_t ahead_n, ahead_at;
	char *held; /* given to us, not yet sent; NULL: nothing */
	size_t held_n;
	bool holds; /* the next write is not the last one: hold it */
	int64_t handshake_end_ms; /* by then it must be done; 0: it is */
};

/* A new session, before its handshake, which fails when it has not finished in handshake_ms. */
void wire_attach(struct wire *w, int fd, gnutls_session_t session, int handshake_ms);
void wire_done(struct wire *w);

/* A head follows, and behind it a body: they go out together. */
void wire_hold(struct wire *w);

void wire_turn_begin(void);
bool wire_turn_is_stuck(void);

#endif
