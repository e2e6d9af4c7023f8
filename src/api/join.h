/*
 * Joining: the CA for everybody, tokens for operators, certificates for hosts (ARCHITECTURE.md).
 */
#ifndef SLIPWAY_API_JOIN_H
#define SLIPWAY_API_JOIN_H

#include "api/join_token.h"

json_t *join_ca(struct call *c); /* GET ca */
json_t *join_handle(struct call *c); /* POST join */
json_t *join_renew(struct call *c); /* POST renew */

#endif
