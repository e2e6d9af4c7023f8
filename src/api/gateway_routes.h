/*
 * Gateway routes: a picture in memory of what gateways must know of each Database (its route), that
 * follows the store.
 *
 * What has changed is made anew by a thread of ours; a route is told again only when something in
 * it differs. Lags of standbys are looked at once a second, and count as changed when they cross
 * the Database's limit. One lock guards it all and is held for microseconds. Any thread.
 */
#ifndef SLIPWAY_API_GATEWAY_ROUTES_H
#define SLIPWAY_API_GATEWAY_ROUTES_H

#include "api/fleet.h"

enum { GATEWAY_ROUTES_LAGS_MS = 1000, GATEWAY_ROUTES_GONE_MS = 60000 };

struct gateway_routes;

/* Called after some route has changed; no lock is held. */
typedef void gateway_routes_on_change(void *arg);

/* The picture is complete when it returns. lags come from the fleet. */
enum err_code gateway_routes_new(
	struct store *s, struct fleet *lags, gateway_routes_on_change *on_change, void *arg,
	struct gateway_routes **ret, struct err *e);
/* From here on nothing changes in it any more, and on_change is not called. */
void gateway_routes_stop(struct gateway_routes *r);
void gateway_routes_free(struct gateway_routes *r);

/* Appends a line for each route that has changed since *position, and moves it on; from 0: all of
 * them, and that this was all. */
void gateway_routes_print(struct gateway_routes *r, int64_t *position, struct buf *out);

/* Databases that have a route. */
size_t gateway_routes_count(struct gateway_routes *r);

#endif
