/*
 * Who asks, and what they may: tokens, host certificates, the table of rules.
 *
 * A token that was found is remembered for AUTH_CACHE_MS, by its hash. Any thread.
 */
#ifndef SLIPWAY_API_AUTH_H
#define SLIPWAY_API_AUTH_H

#include "api/call.h"

enum { AUTH_CACHE_MS = 3000, AUTH_CACHE_MAX = 1000 };

#define GROUP_ADMINS "slipway:admins"
#define GROUP_HOSTS "slipway:hosts"
#define GROUP_GATEWAYS "slipway:gateways"

struct auth *auth_new(struct store *s);
void auth_free(struct auth *a);

/* Fills c->user. Authorization: Bearer, or Basic with the token as the password; without one, the
 * certificate of a host or a gateway. 401, or 503 where the store is away. */
json_t *auth_identify(struct call *c);

/* May the user reach this endpoint at all? 401 without a user, 403 for one that may not. */
json_t *auth_check_endpoint(struct call *c);

/* May the user do this? group and resource as in the API's paths, verb as in verb_name. */
bool auth_may(
	const struct user *u, const char *verb, const char *group, const char *resource,
	const char *subresource);
bool auth_may_path(const struct user *u, const char *verb, const char *path);

/* The rules that are this user's, as SelfSubjectRulesReview gives them. */
json_t *auth_rules(const struct user *u);
json_t *auth_path_rules(const struct user *u);

#endif
