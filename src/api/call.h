/*
 * Calls: one request on its way through the API, and the API's own state.
 *
 * A struct call lives on its worker's stack; texts in it live in the request's arena. struct api is
 * made once; its parts guard themselves.
 */
#ifndef SLIPWAY_API_CALL_H
#define SLIPWAY_API_CALL_H

#include "api/accept.h"
#include "api/route.h"
#include "http/server.h"
#include "net/ca.h"
#include "store/store.h"

struct auth;
struct gateways;
struct openapi;
struct reports;
struct spaces;
struct wants;
struct watches;

struct api {
	struct store *store;
	const struct ca_cert *ca;
	struct auth *auth;
	struct gateways *gateways;
	struct openapi *openapi;
	struct reports *reports;
	struct spaces *spaces;
	struct wants *wants;
	struct watches *watches;
};

/* Who asks. */
struct user {
	const char *name; /* "admin", or a host's name; "" when nobody has said */
	const char *group; /* "slipway:admins", "slipway:hosts" */
};

struct call {
	struct api *api;
	struct http_request *rq;
	struct http_response *rs;
	struct arena *arena; /* the request's */
	struct route route;
	struct accept accept;
	struct user user;
};

/* Answers and returns NULL, or returns the Status to answer with. */
typedef json_t *call_handler(struct call *c);

static inline const char *call_query(const struct call *c, const char *name, const char *other)
{
	const char *value = http_query(c->rq, name);

	return value && *value ? value : other;
}

#endif
