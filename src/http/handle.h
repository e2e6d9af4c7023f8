/*
 * One libcurl handle, set up the way both clients want it: HTTP/1.1 over TLS 1.2 or newer, the CA
 * of the conf and no other (not the system's), no redirects, no proxies, no signals.
 *
 * Owned by its caller, one thread at a time; the conf must outlive it.
 */
#ifndef SLIPWAY_HTTP_HANDLE_H
#define SLIPWAY_HTTP_HANDLE_H

#include <curl/curl.h>

#include "http/client.h"

struct handle_request {
	const char *method;
	const char *path_and_query;
	const char *content_type; /* NULL: no body */
	struct str body; /* must live until the transfer has ended */
};

/* Our own copy of the caller's conf; secrets in it are wiped when it is dropped. */
struct http_client_conf handle_conf_copy(const struct http_client_conf *c);
void handle_conf_done(struct http_client_conf *c);

/* libcurl as a whole; any thread, any number of times. */
enum err_code handle_init(struct err *e);

/* NULL never: out of memory aborts. why has CURL_ERROR_SIZE bytes and outlives the handle. */
CURL *handle_new(const struct http_client_conf *c, char *why);

/* Sets all that differs between requests. *headers is freed by the caller after the transfer. */
void handle_prepare(
	CURL *curl, const struct http_client_conf *c, const struct handle_request *rq,
	struct curl_slist **headers);

/* What a failed transfer means, worded for a person; why is libcurl's own text. */
enum err_code
handle_error(const struct http_client_conf *c, CURLcode no, const char *why, struct err *e);

#endif
