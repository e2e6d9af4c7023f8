/*
 * Admin: the database "slipway" of a gateway: SHOW POOLS, CLIENTS, SERVERS, STATS, DATABASES,
 * ROUTES, VERSION, HELP by the simple protocol, in columns named as PgBouncer names them where they
 * mean the same.
 */
#ifndef SLIPWAY_GATEWAY_ADMIN_H
#define SLIPWAY_GATEWAY_ADMIN_H

#include "gateway/session.h"

void admin_welcome(struct session *c);
size_t admin_data(struct session *c, const char *p, size_t n);

#endif
