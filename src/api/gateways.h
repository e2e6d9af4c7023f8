/*
 * Gateways: what they hear (a stream of routes) and what they tell (reports), ARCHITECTURE.md.
 *
 * A gateway is whoever has a certificate of GROUP_GATEWAYS; its Gateway row is made of what it
 * tells, and so comes back after it was deleted. What changes with every report stays out of the
 * row: it is a pulse.
 */
#ifndef SLIPWAY_API_GATEWAYS_H
#define SLIPWAY_API_GATEWAYS_H

#include "api/call.h"
#include "api/fleet.h"

struct gateways;

enum err_code gateways_new(
	struct store *s, struct fleet *fleet, struct reports *reports, struct gateways **ret,
	struct err *e);
void gateways_free(struct gateways *g); /* ends all streams */

json_t *gateways_routes(struct call *c); /* GET /gateway/v1/routes */
json_t *gateways_report(struct call *c); /* POST /gateway/v1/report: {} */

/* The part of a report that becomes Gateway.status (without conditions), bounded: a new value. */
json_t *gateways_status(const json_t *report);

#endif
