/*
 * Joining: the CA for everybody, tokens for operators, certificates for hosts (ARCHITECTURE.md).
 */
#ifndef SLIPWAY_API_JOIN_H
#define SLIPWAY_API_JOIN_H

#include "api/call.h"

enum {
	JOIN_DAYS = 90, /* a host's certificate */
	JOIN_TTL_S = 3600, /* a token, unless said otherwise */
	JOIN_TTL_MAX_S = 30 * 86400,
	JOIN_SECRET_CHARS = 32,
	JOIN_PIN_CHARS = 32, /* of the CA's fingerprint, in a token */
};

json_t *join_ca(struct call *c); /* GET ca */
json_t *join_tokens(struct call *c); /* POST tokens */
json_t *join_handle(struct call *c); /* POST join */
json_t *join_renew(struct call *c); /* POST renew */

#endif
