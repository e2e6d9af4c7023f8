/*
 * Join tokens: made by operators, each good for one host or one gateway, once and not for long; and
 * what joining hosts and gateways have in common. Functions return NULL or the Status to answer
 * with.
 */
#ifndef SLIPWAY_API_JOIN_TOKEN_H
#define SLIPWAY_API_JOIN_TOKEN_H

#include "api/call.h"

enum {
	JOIN_DAYS = 90, /* a host's or gateway's certificate */
	JOIN_TTL_S = 3600, /* a token, unless said otherwise */
	JOIN_TTL_MAX_S = 30 * 86400,
	JOIN_SECRET_CHARS = 32,
	JOIN_PIN_CHARS = 32, /* of the CA's fingerprint, in a token */
};

json_t *join_tokens(struct call *c); /* POST tokens */

/* Texts of a request's body, NULL where one that is not required is missing; a label is a name. */
json_t *join_read_text(const json_t *body, const char *field, bool is_required, const char **ret);
json_t *join_read_label(const json_t *body, const char *field, bool is_required, const char **ret);

/* Is the token for one of this group and name? It is not spent yet: who errs may try again.
 * ret_detail, the caller's: {"zone", "name", "hosts"} as the token says. */
json_t *join_token_find(
	struct call *c, const char *token, const char *group, const char *name,
	json_t **ret_detail);

/* Spends it; only one can. */
json_t *join_token_use(struct call *c, const char *token);

/* A host and a gateway of one name would be one to a server that knows a certificate by its name
 * alone (before 14): 409 where there is one of the other kind. */
json_t *join_check_no_other(struct call *c, const char *kind, const char *name, const char *other);

#endif
