/*
 * The server's half of a stream (http/server.h has the producer's half).
 *
 * A stream has two holders: its producer, until http_stream_close, and its exchange, until
 * stream_detach. Its lock is taken before libmicrohttpd's own, and never held in a call of
 * on_gone. Every change of "parked" happens under it: the reader parks (suspends) the connection
 * when there is nothing to send, and whoever makes something to send takes it out again, once.
 */
#ifndef SLIPWAY_HTTP_STREAM_H
#define SLIPWAY_HTTP_STREAM_H

#include <microhttpd.h>

#include "base/err.h"
#include "http/server.h"
#include "http/turner.h"

struct streams; /* all streams of one server */

enum err_code streams_start(struct streams **ret, struct err *e);
void streams_end(struct streams *all); /* ends every stream, and those still to come */
void streams_stop(struct streams *all); /* when the server has; frees */

struct http_stream *
stream_new(struct streams *all, size_t max_bytes, void (*on_gone)(void *arg), void *arg);

/* On the connection's event thread: from here on the stream feeds this response. */
struct MHD_Response *
stream_attach(struct http_stream *s, struct turner *l, struct MHD_Connection *c, int fd);

/* On the event thread, while the socket is still open, attached or not: calls on_gone unless the
 * producer has closed, and drops the server's hold. */
void stream_detach(struct http_stream *s);

#endif
