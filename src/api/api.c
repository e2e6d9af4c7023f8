#include "api/api.h"

#include <stdlib.h>

#include "api/auth.h"
#include "api/call.h"
#include "api/delete.h"
#include "api/discovery.h"
#include "api/gateway_join.h"
#include "api/gateways.h"
#include "api/join.h"
#include "api/openapi.h"
#include "api/patch.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/report.h"
#include "api/review.h"
#include "api/spaces.h"
#include "api/status.h"
#include "api/terraform.h"
#include "api/wants.h"
#include "api/watch.h"
#include "api/write.h"
#include "base/clock.h"
#include "base/log.h"

enum err_code api_new(const struct api_conf *conf, struct api **ret, struct err *e)
{
	struct api *a = mem_alloc(sizeof(*a));
	enum err_code code = kinds_init(e);

	a->store = conf->store;
	a->ca = conf->ca;
	if (!code)
		code = spaces_new(a->store, &a->spaces, e);
	if (!code)
		code = wants_new(a->store, &a->wants, e);
	if (!code)
		code = reports_new(a->store, &a->reports, e);
	if (!code)
		code = gateways_new(a->store, wants_fleet(a->wants), a->reports, &a->gateways, e);
	if (!code)
		code = watches_new(&a->watches, e);
	if (code) {
		api_free(a);
		return code;
	}
	a->auth = auth_new(a->store);
	a->openapi = openapi_new();
	*ret = a;
	return ERR_OK;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	watches_free(a->watches);
	gateways_free(a->gateways);
	reports_free(a->reports);
	wants_free(a->wants);
	spaces_free(a->spaces);
	auth_free(a->auth);
	openapi_free(a->openapi);
	free(a);
}

/* Discovery, health and the like: a document each. */

static json_t *reply_document(struct call *c, json_t *document)
{
	if (!document)
		return status_no_such_path();
	reply_value(c, 200, document);
	json_decref(document);
	return NULL;
}

static json_t *aggregated(struct call *c, bool is_core)
{
	json_t *d = discovery_aggregated(is_core, c->accept.form);

	reply_document(c, d);
	c->rs->content_type = discovery_content_type(c->accept.form);
	return NULL;
}

static bool wants_aggregated(const struct call *c)
{
	return c->accept.form == FORM_DISCOVERY || c->accept.form == FORM_DISCOVERY_BETA;
}

static json_t *handle_api(struct call *c)
{
	const char *host = http_header(c->rq, "Host");

	if (wants_aggregated(c))
		return aggregated(c, true);
	return reply_document(c, discovery_api(host ? host : ""));
}

static json_t *handle_apis(struct call *c)
{
	if (wants_aggregated(c))
		return aggregated(c, false);
	return reply_document(c, discovery_apis());
}

static json_t *handle_group(struct call *c)
{
	return reply_document(c, discovery_group(c->route.name));
}

static json_t *handle_version_resources(struct call *c)
{
	return reply_document(c, discovery_resources(c->route.name));
}

static json_t *handle_version(struct call *c)
{
	return reply_document(c, discovery_version());
}

static json_t *handle_health(struct call *c)
{
	reply_text(c, 200, "text/plain; charset=utf-8", STR("ok"));
	return NULL;
}

static json_t *handle_ready(struct call *c)
{
	int retry_s = 1;

	if (!store_is_up(c->api->store, &retry_s))
		return status_unavailable(retry_s);
	return handle_health(c);
}

static json_t *handle_none(struct call *c)
{
	(void)c;
	return status_no_such_path();
}

static json_t *handle_nothing(struct call *c)
{
	(void)c;
	return status_method_not_allowed();
}

static call_handler *const verb_handlers[VERBS] = {
	[VERB_NONE] = handle_nothing,
	[VERB_GET] = read_get,
	[VERB_LIST] = read_list,
	[VERB_WATCH] = watch_handle,
	[VERB_CREATE] = write_create,
	[VERB_UPDATE] = write_update,
	[VERB_PATCH] = patch_handle,
	[VERB_DELETE] = delete_one,
	[VERB_DELETE_COLLECTION] = delete_collection,
};

static json_t *handle_resource(struct call *c)
{
	const char *watch = call_query(c, "watch", "");
	const struct kind *k = c->route.kind;
	enum verb v =
		route_verb(&c->route, c->rq->method, !strcmp(watch, "true") || !strcmp(watch, "1"));

	if (v != VERB_NONE &&
	    !auth_may(
		    &c->user, verb_name(v), k->group, k->plural,
		    c->route.is_status ? "status" : ""))
		return status_forbidden(
			k, c->route.name,
			arena_printf(
				c->arena,
				"User \"%s\" cannot %s resource \"%s\" in API group \"%s\" in the "
				"namespace \"%s\"",
				c->user.name, verb_name(v), k->plural, k->group, c->route.ns));
	return verb_handlers[v](c);
}

static const struct {
	call_handler *handler;
	const char *method; /* the only one that is allowed; NULL: the handler's business */
} endpoints[ENDPOINTS] = {
	[ENDPOINT_NONE] = {handle_none, NULL},
	[ENDPOINT_RESOURCE] = {handle_resource, NULL},
	[ENDPOINT_API] = {handle_api, "GET"},
	[ENDPOINT_APIS] = {handle_apis, "GET"},
	[ENDPOINT_GROUP] = {handle_group, "GET"},
	[ENDPOINT_VERSION_RESOURCES] = {handle_version_resources, "GET"},
	[ENDPOINT_VERSION] = {handle_version, "GET"},
	[ENDPOINT_HEALTH] = {handle_health, "GET"},
	[ENDPOINT_READY] = {handle_ready, "GET"},
	[ENDPOINT_OPENAPI_V2] = {openapi_v2, "GET"},
	[ENDPOINT_OPENAPI_V3] = {openapi_v3, "GET"},
	[ENDPOINT_REVIEW] = {review_handle, NULL},
	[ENDPOINT_CA] = {join_ca, "GET"},
	[ENDPOINT_JOIN] = {join_handle, "POST"},
	[ENDPOINT_TOKENS] = {join_tokens, "POST"},
	[ENDPOINT_RENEW] = {join_renew, "POST"},
	[ENDPOINT_WANTS] = {wants_handle, "GET"},
	[ENDPOINT_REPORT] = {report_handle, "POST"},
	[ENDPOINT_GATEWAY_ROUTES] = {gateways_routes, "GET"},
	[ENDPOINT_GATEWAY_REPORT] = {gateways_report, "POST"},
	[ENDPOINT_GATEWAY_JOIN] = {gateway_join, "POST"},
	[ENDPOINT_GATEWAY_RENEW] = {gateway_renew, "POST"},
	[ENDPOINT_TERRAFORM] = {terraform_handle, NULL},
};

static bool is_discovery(enum endpoint e)
{
	return e == ENDPOINT_API || e == ENDPOINT_APIS;
}

static json_t *dispatch(struct call *c)
{
	const char *method = endpoints[c->route.endpoint].method;
	const char *accept = http_header(c->rq, "Accept");
	bool is_document =
		c->route.endpoint == ENDPOINT_RESOURCE || is_discovery(c->route.endpoint);
	json_t *status = auth_identify(c);

	if (!status)
		status = auth_check_endpoint(c);
	if (status)
		return status;
	if (method && strcmp(method, c->rq->method) != 0)
		return status_method_not_allowed();
	if (is_document)
		c->accept = accept_parse(accept, is_discovery(c->route.endpoint));
	if (c->accept.form == FORM_NONE) {
		c->accept = (struct accept){0};
		return status_not_acceptable();
	}
	return endpoints[c->route.endpoint].handler(c);
}

void api_handle(void *ctx, struct http_request *rq, struct http_response *rs)
{
	struct call c = {
		.api = ctx,
		.rq = rq,
		.rs = rs,
		.arena = rq->arena,
		.route = route_find(rq->arena, rq->path),
	};
	int64_t begin_us = clock_mono_us();
	json_t *status;

	status = dispatch(&c);
	if (status)
		reply_status(&c, status);
	log_debug(
		"request", "id=%s user=%s method=%s path=%s status=%d us=%lld", rq->id,
		c.user.name ? c.user.name : "", rq->method, log_q(rq->path), rs->status,
		(long long)(clock_mono_us() - begin_us));
}

bool api_is_quick(void *ctx, const char *method, const char *path)
{
	(void)ctx;
	(void)method;
	return !strcmp(path, "/agent/v1/report");
}
