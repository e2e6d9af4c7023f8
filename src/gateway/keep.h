/*
 * Keep: the routes as the control plane last told them, in <data>/routes.json, so that a gateway
 * that starts while the control plane is away serves.
 *
 * Passwords of servers that are not ours are sealed with <data>/key. Written by a thread of
 * libuv's, some time after a change: several make one write. All else on the loop's thread; opening
 * blocks.
 */
#ifndef SLIPWAY_GATEWAY_KEEP_H
#define SLIPWAY_GATEWAY_KEEP_H

#include <uv.h>

#include "base/err.h"
#include "codec/jv.h"

struct keep;

/* ret_routes: what is kept, as gateway_routes wants it; NULL: nothing yet. */
enum err_code
keep_open(uv_loop_t *loop, const char *data, struct keep **ret, json_t **ret_routes, struct err *e);

void keep_begin(struct keep *k); /* all is told again from here on */
void keep_put(struct keep *k, const json_t *database);
void keep_admins(struct keep *k, const json_t *admins);
void keep_gone(struct keep *k, const char *name);

/* All has been told: calls gone for each that has not been since keep_begin, and drops it. */
void keep_synced(struct keep *k, void (*gone)(void *arg, const char *name), void *arg);

/* Writes what is not written yet; its memory goes when the loop has run. */
void keep_free(struct keep *k);

#endif
