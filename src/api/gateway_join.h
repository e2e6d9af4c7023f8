/*
 * Certificates for gateways on other machines: as hosts get theirs (ARCHITECTURE.md).
 */
#ifndef SLIPWAY_API_GATEWAY_JOIN_H
#define SLIPWAY_API_GATEWAY_JOIN_H

#include "api/call.h"

json_t *gateway_join(struct call *c); /* POST /gateway/v1/join */
json_t *gateway_renew(struct call *c); /* POST /gateway/v1/renew */

#endif
