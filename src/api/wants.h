/*
 * Wants: the stream of lines that tells a host what it must be (ARCHITECTURE.md).
 *
 * A line (lines.h) whenever the fleet says that something changed for the host.
 */
#ifndef SLIPWAY_API_WANTS_H
#define SLIPWAY_API_WANTS_H

#include "api/call.h"
#include "api/fleet.h"

enum err_code wants_new(struct store *s, struct wants **ret, struct err *e);
void wants_free(struct wants *w); /* ends all streams */
struct fleet *wants_fleet(struct wants *w);

/* GET /agent/v1/wants by a host that there is. */
json_t *wants_handle(struct call *c);

#endif
