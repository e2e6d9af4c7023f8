/*
 * HTTPS server: libmicrohttpd underneath, straight-line blocking handlers on top.
 *
 * Event threads read requests whole (up to max_body), then a worker thread runs the handler, which
 * may block. A response is bytes, or a stream that any thread may write to later (a watch). A
 * client that does not read its stream is cut off at stream_max bytes: it never grows memory.
 *
 * Refused before any handler runs, with 400 and a closed connection: Content-Length together with
 * Transfer-Encoding, two of either, a length that is no number, a coding other than chunked, no
 * Host or two, a bare LF as a line's end, a folded header, a NUL or %00 and other bytes that do not
 * belong where they are. Refused with 431 or 414: a head over about 12 KiB or 100 headers; with
 * 413: a body over max_body. At most `connections` at a time; idle ones end after idle_s,
 * half handshakes after 10 s.
 *
 * Client certificates are asked for, never demanded: a handler looks at peer.name. One that our CA
 * did not sign, or that has expired, counts as none, and peer.error says why.
 *
 * Without cert_pem the server speaks plain HTTP: for tests and benches, not for the platform.
 */
#ifndef SLIPWAY_HTTP_SERVER_H
#define SLIPWAY_HTTP_SERVER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct http_server;
struct http_stream;

/* Who is at the other end; empty strings where it showed no certificate that our CA signed. */
struct http_peer {
	const char *address; /* "127.0.0.1" */
	const char *name; /* CN of its certificate: "zone-a", "admin" */
	const char *group; /* O of its certificate: "slipway:hosts" */
	const char *error; /* why the certificate that it showed does not count */
};

/* Lives as long as its arena: until the response has been handed over. */
struct http_request {
	struct arena *arena;
	const char *method;
	const char *path; /* percent-decoded, without the query; never holds a NUL byte */
	struct str body;
	struct http_peer peer;
	const char *id; /* request id: X-Request-Id or made; goes into logs and application_name */
	void *impl;
};

/* A header or query parameter, decoded; NULL when it is not there. */
const char *http_header(const struct http_request *rq, const char *name);
const char *http_query(const struct http_request *rq, const char *name);

struct http_response {
	int status; /* 200 when 0 */
	const char *content_type; /* "application/json" unless set */
	struct buf body; /* handed over; the server frees it */
	struct http_stream *stream; /* instead of a body */
	struct arena *arena;
	void *impl;
};

void http_response_header(struct http_response *rs, const char *name, const char *value);

/* Runs on a worker thread; fills rs and returns. Never fails: an error is a response too. */
typedef void http_handler(void *ctx, struct http_request *rq, struct http_response *rs);

/* Says true for requests whose handler never blocks (no SQL, no file, no long computing): it then
 * runs on the event thread itself, which saves two thread switches. Any event thread. */
typedef bool http_is_quick(void *ctx, const char *method, const char *path);

/*
 * Streams. The handler makes one (at most one a request) and puts it into rs->stream; from then on
 * server and producer both hold it. The producer writes from any thread and closes exactly once;
 * http_stream_is_open says false as soon as the client has gone (and then writes are dropped).
 * on_gone (may be NULL) is called once, on an event thread and without locks of ours held, when the
 * client has gone, the stream has overflowed or the server stops, never after http_stream_close
 * returned. So http_stream_close waits for an on_gone that runs on another thread: hold no lock in
 * it that on_gone takes. on_gone itself may close.
 *
 * A client that closes is noticed at once, one whose host vanished within about 30 s.
 */
struct http_stream *
http_stream_new(struct http_request *rq, size_t max_bytes, void (*on_gone)(void *arg), void *arg);
bool http_stream_write(struct http_stream *s, struct str bytes); /* false: gone or over its limit */
bool http_stream_is_open(const struct http_stream *s);
void http_stream_close(
	struct http_stream *s); /* ends the response after what was written; drops it */

struct http_server_conf {
	const char *address; /* "127.0.0.1" */
	uint16_t port; /* 0: any free one */
	const char *cert_pem; /* NULL: plain HTTP */
	const char *key_pem;
	const char *client_ca_pem; /* NULL: ask for no client certificates */
	unsigned event_threads; /* 0: 2 */
	unsigned workers; /* 0: 32; they are started when they are needed */
	unsigned connections; /* 0: 4096 */
	unsigned idle_s; /* 0: 120 */
	size_t max_body; /* 0: 1.5 MiB + 64 KiB; api/ answers 413 itself at 1.5 MiB */
	http_handler *handler;
	http_is_quick *is_quick; /* NULL: all handlers run on workers */
	void *ctx;
};

/* ERR_CONFLICT when the address is taken: "port 6443 on 127.0.0.1 is in use by another program". */
enum err_code
http_server_start(const struct http_server_conf *c, struct http_server **ret, struct err *e);
uint16_t http_server_port(const struct http_server *s);

/* New connections get the new certificate. */
enum err_code http_server_reload_cert(
	struct http_server *s, const char *cert_pem, const char *key_pem, struct err *e);

/* Stops taking requests (503), ends streams, waits for handlers that run, gives answers that are on
 * their way a second; then frees. A stream's producer still has to close it. */
void http_server_stop(struct http_server *s);

#endif
