#include "api/route.h"

#include "base/str.h"

static const struct {
	const char *path;
	enum endpoint endpoint;
} plain[] = {
	{"/api", ENDPOINT_API},
	{"/apis", ENDPOINT_APIS},
	{"/version", ENDPOINT_VERSION},
	{"/healthz", ENDPOINT_HEALTH},
	{"/livez", ENDPOINT_HEALTH},
	{"/readyz", ENDPOINT_READY},
	{"/openapi/v2", ENDPOINT_OPENAPI_V2},
	{"/openapi/v3", ENDPOINT_OPENAPI_V3},
	{"/agent/v1/ca", ENDPOINT_CA},
	{"/agent/v1/join", ENDPOINT_JOIN},
	{"/agent/v1/tokens", ENDPOINT_TOKENS},
	{"/agent/v1/renew", ENDPOINT_RENEW},
	{"/agent/v1/wants", ENDPOINT_WANTS},
	{"/agent/v1/report", ENDPOINT_REPORT},
	{"/gateway/v1/routes", ENDPOINT_GATEWAY_ROUTES},
	{"/gateway/v1/report", ENDPOINT_GATEWAY_REPORT},
	{"/gateway/v1/join", ENDPOINT_GATEWAY_JOIN},
	{"/gateway/v1/renew", ENDPOINT_GATEWAY_RENEW},
};

enum { PARTS_MAX = 10 };

struct parts {
	const char *v[PARTS_MAX];
	size_t n;
};

/* Empty parts count, so that "//" leads nowhere; one slash at the end is fine. */
static bool parts_split(struct arena *a, const char *path, struct parts *ret)
{
	struct str rest = str_of(path), part;

	ret->n = 0;
	if (!str_cut_prefix(&rest, "/"))
		return false;
	str_cut_suffix(&rest, "/");
	while (str_split(&rest, '/', &part)) {
		if (ret->n == PARTS_MAX || !part.n)
			return false;
		ret->v[ret->n++] = arena_strndup(a, part.p, part.n);
	}
	return ret->n > 0;
}

static bool part_is(const struct parts *p, size_t i, const char *word)
{
	return i < p->n && !strcmp(p->v[i], word);
}

/* "/databases", "/databases/orders", "/databases/orders/status", from part `at` on. */
static struct route
resource_find(const struct parts *p, size_t at, const char *group, const char *version)
{
	struct route none = {0}, r = {.endpoint = ENDPOINT_RESOURCE, .ns = ""};
	size_t left = p->n - at;

	/* below /namespaces/<name> is what lives in it, or its own subresource */
	if (left > 2 && part_is(p, at, "namespaces") && !part_is(p, at + 2, "status")) {
		r.ns = p->v[at + 1];
		at += 2;
		left -= 2;
	}
	if (left < 1 || left > 3)
		return none;
	r.kind = kind_by_resource(group, version, p->v[at]);
	if (!r.kind || (*r.ns && !r.kind->is_namespaced))
		return none;
	if (left > 1 && r.kind->is_namespaced && !*r.ns)
		return none; /* an object needs its namespace */
	r.name = left > 1 ? p->v[at + 1] : NULL;
	r.is_status = left > 2;
	if (r.is_status && (!part_is(p, at + 2, "status") || !r.kind->has_status))
		return none;
	return r;
}

static bool is_review_group(const char *group)
{
	return !strcmp(group, "authorization.k8s.io") || !strcmp(group, "authentication.k8s.io");
}

/* Where kubectl has no namespaces in namespaced kinds' paths, core resources must not leak into
 * other groups: /apis/slipway.dev/v1/namespaces/x/databases has only a prefix in common. */
static struct route apis_find(struct arena *a, const struct parts *p)
{
	struct route none = {0};

	if (p->n == 2)
		return (struct route){.endpoint = ENDPOINT_GROUP, .ns = "", .name = p->v[1]};
	if (p->n == 3)
		return (struct route){
			.endpoint = ENDPOINT_VERSION_RESOURCES,
			.ns = "",
			.name = arena_printf(a, "%s/%s", p->v[1], p->v[2])};
	if (is_review_group(p->v[1]))
		return p->n == 4 && part_is(p, 2, "v1")
			? (struct route){.endpoint = ENDPOINT_REVIEW, .ns = "", .name = p->v[3]}
			: none;
	return resource_find(p, 3, p->v[1], p->v[2]);
}

static struct route terraform_find(const struct parts *p)
{
	if (p->n != 5 || !part_is(p, 1, "v1") || !part_is(p, 2, "state"))
		return (struct route){0};
	return (struct route){.endpoint = ENDPOINT_TERRAFORM, .ns = p->v[3], .name = p->v[4]};
}

static const char *rest_of(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(path, prefix, n) ? path + n : NULL;
}

struct route route_find(struct arena *a, const char *path)
{
	struct parts p;
	const char *document = rest_of(path, "/openapi/v3/");

	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (!strcmp(plain[i].path, path))
			return (struct route){.endpoint = plain[i].endpoint, .ns = "", .name = ""};
	if (document)
		return (struct route){.endpoint = ENDPOINT_OPENAPI_V3, .ns = "", .name = document};
	if (!parts_split(a, path, &p))
		return (struct route){0};
	if (part_is(&p, 0, "terraform"))
		return terraform_find(&p);
	if (part_is(&p, 0, "api") && part_is(&p, 1, "v1") && p.n == 2)
		return (struct route){
			.endpoint = ENDPOINT_VERSION_RESOURCES, .ns = "", .name = "v1"};
	if (part_is(&p, 0, "api") && p.n > 2)
		return resource_find(&p, 2, "", p.v[1]);
	if (part_is(&p, 0, "apis") && p.n > 1)
		return apis_find(a, &p);
	if (p.n == 1 && path[strlen(path) - 1] == '/') /* "/api/" is "/api" */
		return route_find(a, arena_printf(a, "/%s", p.v[0]));
	return (struct route){0};
}

/* Where a verb is at home: the collection of a namespace (or of a cluster-wide kind), all
 * namespaces, an object, its status. */
enum place { PLACE_COLLECTION, PLACE_EVERYWHERE, PLACE_OBJECT, PLACE_STATUS };

static const struct {
	const char *method;
	enum place place;
	enum verb verb;
} verbs[] = {
	{"GET", PLACE_COLLECTION, VERB_LIST},
	{"POST", PLACE_COLLECTION, VERB_CREATE},
	{"DELETE", PLACE_COLLECTION, VERB_DELETE_COLLECTION},
	{"GET", PLACE_EVERYWHERE, VERB_LIST},
	{"GET", PLACE_OBJECT, VERB_GET},
	{"PUT", PLACE_OBJECT, VERB_UPDATE},
	{"PATCH", PLACE_OBJECT, VERB_PATCH},
	{"DELETE", PLACE_OBJECT, VERB_DELETE},
	{"GET", PLACE_STATUS, VERB_GET},
	{"PUT", PLACE_STATUS, VERB_UPDATE},
	{"PATCH", PLACE_STATUS, VERB_PATCH},
};

static enum place place_of(const struct route *r)
{
	if (r->is_status)
		return PLACE_STATUS;
	if (r->name)
		return PLACE_OBJECT;
	return r->kind->is_namespaced && !*r->ns ? PLACE_EVERYWHERE : PLACE_COLLECTION;
}

enum verb route_verb(const struct route *r, const char *method, bool is_watch)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (verbs[i].place != place_of(r) || strcmp(verbs[i].method, method) != 0)
			continue;
		return verbs[i].verb == VERB_LIST && is_watch ? VERB_WATCH : verbs[i].verb;
	}
	return VERB_NONE;
}

const char *verb_name(enum verb v)
{
	static const char *const names[VERBS] = {"",      "get",    "list",
						 "watch", "create", "update",
						 "patch", "delete", "deletecollection"};

	return names[v];
}
