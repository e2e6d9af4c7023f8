/*
 * The resource API: Kubernetes' verbs over the store, and the agents' side of it.
 *
 * api_handle is an http_handler: any worker thread, blocking. Sibling layers meet it in rows only.
 */
#ifndef SLIPWAY_API_API_H
#define SLIPWAY_API_API_H

#include "base/err.h"
#include "http/server.h"
#include "net/ca.h"

struct api;
struct store;

struct api_conf {
	struct store *store;
	const struct ca_cert *ca; /* signs host certificates; must outlive the api */
};

enum err_code api_new(const struct api_conf *c, struct api **ret, struct err *e);

/* ctx is the struct api. */
void api_handle(void *ctx, struct http_request *rq, struct http_response *rs);

/* For http_server_conf.is_quick: agents' reports never block. */
bool api_is_quick(void *ctx, const char *method, const char *path);

/* Ends all watches, after the HTTP server has stopped taking requests. */
void api_free(struct api *a);

#endif
