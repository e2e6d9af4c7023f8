/*
 * HTTPS client over libcurl: blocking, for the command line; one struct http_client a thread.
 *
 * Connections are kept open between calls. Every call has a deadline. TLS 1.2 or newer; the
 * server's certificate is always checked against ca_pem, and against no other authority. HTTP/1.1,
 * no redirects, no proxies. An http:// address works too (tests, peers).
 */
#ifndef SLIPWAY_HTTP_CLIENT_H
#define SLIPWAY_HTTP_CLIENT_H

#include "base/err.h"
#include "base/str.h"

struct http_client;

/* Copied by those who take it. */
struct http_client_conf {
	const char *base_url; /* "https://127.0.0.1:6443" */
	const char *ca_pem; /* the bytes, not a path; NULL: trust nobody */
	const char *token; /* NULL, or for Authorization: Bearer */
	const char *cert_pem; /* NULL, or the client's certificate and key */
	const char *key_pem;
	int timeout_ms; /* 0: 30 s; does not bound a stream */
	const char *accept; /* the Accept header; NULL: application/json */
	bool trusts_anyone; /* only to fetch a CA that is compared with a fingerprint then */
};

struct http_reply {
	int status;
	struct buf body; /* the caller's: buf_done */
	char content_type[64];
	int retry_after_s; /* 0: none */
};

enum err_code
http_client_new(const struct http_client_conf *c, struct http_client **ret, struct err *e);
void http_client_free(struct http_client *c);

/* ERR_UNAVAILABLE: could not connect, or the connection broke; ERR_UNAUTHORIZED: the server's
 * certificate is not by ca_pem, or for another host; ERR_TIMEOUT; ERR_LIMIT: over 64 MiB came.
 * Any HTTP status is ERR_OK. content_type NULL: no body. */
enum err_code http_client_call(
	struct http_client *c, const char *method, const char *path_and_query,
	const char *content_type, struct str body, struct http_reply *ret, struct err *e);

/* Calls on_line for each line that ends in '\n' (without it) until it says false or the stream
 * ends: both are ERR_OK. idle_ms: ERR_TIMEOUT when nothing came for so long, noticed within a
 * second (0: never). ERR_LIMIT: a line over 16 MiB. A status other than 200 is ERR_OK too: it comes
 * back in ret_status, with the body's text in e->text. */
typedef bool http_line(void *arg, struct str line);
enum err_code http_client_stream(
	struct http_client *c, const char *path_and_query, int idle_ms, http_line *on_line,
	void *arg, int *ret_status, struct err *e);

#endif
