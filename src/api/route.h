/*
 * Routes: what a path and a method ask for. Pure.
 *
 * Resource paths are Kubernetes' own: /api/v1/… for the core group, /apis/<group>/<version>/… for
 * the others, /namespaces/<ns>/ before what lives in one. All other endpoints are a table.
 */
#ifndef SLIPWAY_API_ROUTE_H
#define SLIPWAY_API_ROUTE_H

#include "base/arena.h"
#include "kinds/kinds.h"

enum endpoint {
	ENDPOINT_NONE, /* no such path: 404 */
	ENDPOINT_RESOURCE, /* kind and what follows are filled */
	ENDPOINT_API, /* /api */
	ENDPOINT_APIS, /* /apis */
	ENDPOINT_GROUP, /* /apis/<group>; name is the group */
	ENDPOINT_VERSION_RESOURCES, /* /api/v1, /apis/<group>/<version>; name is "group/version" */
	ENDPOINT_VERSION, /* /version */
	ENDPOINT_HEALTH, /* /healthz /livez */
	ENDPOINT_READY, /* /readyz */
	ENDPOINT_OPENAPI_V2,
	ENDPOINT_OPENAPI_V3, /* name: "" for the index, else "apis/slipway.dev/v1" */
	ENDPOINT_REVIEW, /* name: "selfsubjectaccessreviews", ... */
	ENDPOINT_CA,
	ENDPOINT_JOIN,
	ENDPOINT_TOKENS,
	ENDPOINT_RENEW,
	ENDPOINT_WANTS,
	ENDPOINT_REPORT,
	ENDPOINT_GATEWAY_ROUTES, /* /gateway/v1/routes */
	ENDPOINT_GATEWAY_REPORT, /* /gateway/v1/report */
	ENDPOINT_GATEWAY_JOIN, /* /gateway/v1/join */
	ENDPOINT_GATEWAY_RENEW, /* /gateway/v1/renew */
	ENDPOINT_TERRAFORM, /* ns and name are filled */
	ENDPOINTS
};

struct route {
	enum endpoint endpoint;
	const struct kind *kind;
	const char *ns; /* "" where the path has none */
	const char *name; /* NULL: the collection */
	bool is_status; /* the status subresource */
};

/* Texts live in the arena; the path is already percent-decoded. */
struct route route_find(struct arena *a, const char *path);

enum verb {
	VERB_NONE, /* not allowed there: 405 */
	VERB_GET,
	VERB_LIST,
	VERB_WATCH,
	VERB_CREATE,
	VERB_UPDATE,
	VERB_PATCH,
	VERB_DELETE,
	VERB_DELETE_COLLECTION,
	VERBS
};

/* What the method does to a resource; is_watch: the query says watch=true. */
enum verb route_verb(const struct route *r, const char *method, bool is_watch);
const char *verb_name(enum verb v); /* "deletecollection" */

#endif
