/*
 * HTTPS client on a libuv loop (libcurl's multi interface): for the agent.
 *
 * All on the loop's thread. A call's done() comes exactly once, never from inside the call that
 * started it; not after async_cancel. Streams hand over lines as they arrive.
 */
#ifndef SLIPWAY_HTTP_ASYNC_H
#define SLIPWAY_HTTP_ASYNC_H

#include <uv.h>

#include "base/err.h"
#include "base/str.h"
#include "http/client.h"

struct http_async; /* one a loop: the connection cache of all calls */
struct http_call;

/* token, cert and key in the conf are defaults of its calls. */
enum err_code http_async_new(
	uv_loop_t *loop, const struct http_client_conf *c, struct http_async **ret, struct err *e);
void http_async_free(struct http_async *h); /* cancels what runs */

/* code ERR_OK: status and body hold the answer (body valid during the call only). */
typedef void http_done(void *arg, enum err_code code, int status, struct str body, const char *why);

/* timeout_ms bounds the whole call; for a stream (on_line not NULL) the silence between lines. */
struct http_call *http_async_call(
	struct http_async *h, const char *method, const char *path_and_query, struct str json_body,
	int timeout_ms, http_line *on_line, http_done *done, void *arg);
void http_async_cancel(struct http_call *c);

#endif
