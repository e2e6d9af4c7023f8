/*
 * watch: what changes from a revision on, as a stream of lines.
 *
 * The store's watch thread formats and writes events; one thread of ours, the keeper, ends watches:
 * when their time is over, their client has gone, or the store lost them (410 Gone as an ERROR
 * event). A client that does not read is cut off at WATCH_STREAM_MAX.
 */
#ifndef SLIPWAY_API_WATCH_H
#define SLIPWAY_API_WATCH_H

#include "api/call.h"

enum {
	WATCH_STREAM_MAX = 32 << 20,
	WATCH_TIMEOUT_S = 1800, /* unless the query says otherwise; and up to as much again */
	WATCH_TIMEOUT_MAX_S = 86400,
};

enum err_code watches_new(struct watches **ret, struct err *e);
void watches_free(struct watches *w); /* ends all */

json_t *watch_handle(struct call *c);

#endif
