/*
 * HTTPS client on a libuv loop (libcurl's multi interface): for the agent.
 *
 * All on the loop's thread, no globals: a process may hold thousands. A call's done() comes exactly
 * once, never from inside the call that started it; not after http_async_cancel. Streams hand over
 * lines as they arrive. Calls may be started and cancelled, and all of it freed, from done() and
 * on_line.
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
/* Cancels what runs. The loop must turn once more: its handles close there. */
void http_async_free(struct http_async *h);

/* code ERR_OK: status and body hold the answer (body valid during the call only; of a stream it is
 * empty, but for a status other than 200). A stream that ended, or whose on_line said false, is
 * ERR_OK too. Otherwise why says what happened; the codes are those of http_client_call, ERR_LIMIT
 * from 16 MiB. */
typedef void http_done(void *arg, enum err_code code, int status, struct str body, const char *why);

/* timeout_ms bounds the whole call; for a stream (on_line not NULL) the silence between two pieces.
 * json_body.p NULL: no body. The texts are copied. The call is gone when done() returns. */
struct http_call *http_async_call(
	struct http_async *h, const char *method, const char *path_and_query, struct str json_body,
	int timeout_ms, http_line *on_line, http_done *done, void *arg);
void http_async_cancel(struct http_call *c);

#endif
