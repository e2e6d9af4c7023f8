/*
 * Lines: streams that clients keep open, a JSON value a line: what they must know, whenever it
 * changed, and a ping every LINES_PING_MS.
 *
 * One thread of ours sends. A client has one stream; a new one ends the one before it. Any thread.
 */
#ifndef SLIPWAY_API_LINES_H
#define SLIPWAY_API_LINES_H

#include "api/call.h"

enum { LINES_PING_MS = 5000, LINES_STREAM_MAX = 16 << 20 };

struct lines;

/* Appends what the client must hear. position is the stream's own: 0 at its begin, then what the
 * last call has left in it. Called by the sending thread with its lock held: it must not block, nor
 * call lines. */
typedef void lines_print(void *arg, const char *client, int64_t *position, struct buf *out);

enum err_code lines_new(lines_print *print, void *arg, struct lines **ret, struct err *e);
void lines_free(struct lines *l); /* ends all streams */

/* There is something to say to this client, or to all (NULL). */
void lines_touch(struct lines *l, const char *client);

/* Answers the call with a stream to the client of the call's user. */
void lines_open(struct lines *l, struct call *c);

#endif
