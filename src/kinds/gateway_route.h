/*
 * Gateway route: what a gateway must know of one Database, as ARCHITECTURE.md says it.
 *
 * Pure; any thread. Who keeps many of them keeps digests of their objects: the fields that a route
 * is made of, and no others.
 */
#ifndef SLIPWAY_KINDS_GATEWAY_ROUTE_H
#define SLIPWAY_KINDS_GATEWAY_ROUTE_H

#include "codec/jv.h"

struct gateway_route_in {
	const json_t *database; /* or its digest */
	const json_t *members; /* array of Members of the Database, or their digests */
	const json_t *verifiers; /* {role: [text]}: any of them lets the role in */
	const json_t *lags; /* {member: bytes}; one that is not there is not known */
	int64_t revision;
};

/* A new value. */
json_t *gateway_route(const struct gateway_route_in *in);

/* "<namespace>.<name>", as clients call it. */
const char *gateway_route_name(struct arena *a, const char *ns, const char *database);

/* New values. */
json_t *gateway_route_database_digest(const json_t *database);
json_t *gateway_route_member_digest(const json_t *member);

/* Up to which lag a standby serves reads. */
int64_t gateway_route_max_lag_bytes(const json_t *database);

#endif
