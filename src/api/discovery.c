#include "api/discovery.h"

#include "kinds/kinds.h"

/* Reviews are asked for and answered, and never kept: the only resources that are no kinds. */
static const struct review {
	const char *group, *name, *singular, *kind;
} reviews[] = {
	{"authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectaccessreview",
	 "SelfSubjectAccessReview"},
	{"authorization.k8s.io", "selfsubjectrulesreviews", "selfsubjectrulesreview",
	 "SelfSubjectRulesReview"},
	{"authentication.k8s.io", "selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview"},
};

static const char *const groups[] = {
	"slipway.dev", "authorization.k8s.io", "authentication.k8s.io"};

/* Kubernetes' release whose API this is, for clients that look. */
#define KUBERNETES_MAJOR "1"
#define KUBERNETES_MINOR "32"

static json_t *verbs_of(const struct kind *k, bool is_status)
{
	(void)k;
	if (is_status)
		return json_pack("[s,s,s]", "get", "patch", "update");
	return json_pack(
		"[s,s,s,s,s,s,s,s]", "create", "delete", "deletecollection", "get", "list", "patch",
		"update", "watch");
}

json_t *discovery_api(const char *address)
{
	return json_pack(
		"{s:s, s:[s], s:[{s:s, s:s}]}", "kind", "APIVersions", "versions", "v1",
		"serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress", address);
}

static json_t *group_document(const char *group)
{
	json_t *version = json_pack(
		"{s:o, s:s}", "groupVersion", json_sprintf("%s/v1", group), "version", "v1");

	return json_pack(
		"{s:s, s:[O], s:o}", "name", group, "versions", version, "preferredVersion",
		version);
}

json_t *discovery_apis(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		json_array_append_new(list, group_document(groups[i]));
	return json_pack(
		"{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", list);
}

json_t *discovery_group(const char *group)
{
	json_t *d;

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!strcmp(groups[i], group)) {
			d = group_document(group);
			json_object_set_new(d, "kind", json_string("APIGroup"));
			json_object_set_new(d, "apiVersion", json_string("v1"));
			return d;
		}
	return NULL;
}

static json_t *resource_document(const struct kind *k)
{
	json_t *r = json_pack(
		"{s:s, s:s, s:b, s:s, s:o}", "name", k->plural, "singularName", k->singular,
		"namespaced", k->is_namespaced, "kind", k->name, "verbs", verbs_of(k, false));

	if (json_array_size(k->short_names) > 0)
		json_object_set(r, "shortNames", (json_t *)(uintptr_t)k->short_names);
	if (json_array_size(k->categories) > 0)
		json_object_set(r, "categories", (json_t *)(uintptr_t)k->categories);
	return r;
}

static void resources_add(json_t *list, const struct kind *k)
{
	json_array_append_new(list, resource_document(k));
	if (k->has_status)
		json_array_append_new(
			list,
			json_pack(
				"{s:o, s:s, s:b, s:s, s:o}", "name",
				json_sprintf("%s/status", k->plural), "singularName", "",
				"namespaced", k->is_namespaced, "kind", k->name, "verbs",
				verbs_of(k, true)));
}

static void reviews_add(json_t *list, const struct review *r)
{
	json_array_append_new(
		list,
		json_pack(
			"{s:s, s:s, s:b, s:s, s:[s]}", "name", r->name, "singularName", r->singular,
			"namespaced", 0, "kind", r->kind, "verbs", "create"));
}

json_t *discovery_resources(const char *group_version)
{
	json_t *list = json_array();
	const struct kind *k;
	size_t n;

	k = kinds_all(&n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(k[i].api_version, group_version))
			resources_add(list, &k[i]);
	for (size_t i = 0; i < ARRAY_LEN(reviews); i++) {
		struct str version = str_of(group_version);

		if (str_cut_suffix(&version, "/v1") && str_is(version, reviews[i].group))
			reviews_add(list, &reviews[i]);
	}
	if (!json_array_size(list)) {
		json_decref(list);
		return NULL;
	}
	return json_pack(
		"{s:s, s:s, s:s, s:o}", "kind", "APIResourceList", "apiVersion", "v1",
		"groupVersion", group_version, "resources", list);
}

static json_t *gvk(const char *group, const char *kind)
{
	return json_pack("{s:s, s:s, s:s}", "group", group, "version", "v1", "kind", kind);
}

static json_t *aggregated_resource(const struct kind *k)
{
	json_t *r = json_pack(
		"{s:s, s:o, s:s, s:s, s:o}", "resource", k->plural, "responseKind",
		gvk(k->group, k->name), "scope", k->is_namespaced ? "Namespaced" : "Cluster",
		"singularResource", k->singular, "verbs", verbs_of(k, false));

	if (json_array_size(k->short_names) > 0)
		json_object_set(r, "shortNames", (json_t *)(uintptr_t)k->short_names);
	if (json_array_size(k->categories) > 0)
		json_object_set(r, "categories", (json_t *)(uintptr_t)k->categories);
	if (k->has_status)
		json_object_set_new(
			r, "subresources",
			json_pack(
				"[{s:s, s:o, s:o}]", "subresource", "status", "responseKind",
				gvk(k->group, k->name), "verbs", verbs_of(k, true)));
	return r;
}

static json_t *aggregated_group(const char *group)
{
	json_t *list = json_array();
	const struct kind *k;
	size_t n;

	k = kinds_all(&n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(k[i].group, group))
			json_array_append_new(list, aggregated_resource(&k[i]));
	for (size_t i = 0; i < ARRAY_LEN(reviews); i++)
		if (!strcmp(reviews[i].group, group))
			json_array_append_new(
				list,
				json_pack(
					"{s:s, s:o, s:s, s:s, s:[s]}", "resource", reviews[i].name,
					"responseKind", gvk(group, reviews[i].kind), "scope",
					"Cluster", "singularResource", reviews[i].singular, "verbs",
					"create"));
	return json_pack(
		"{s:{s:s*, s:n}, s:[{s:s, s:o, s:s}]}", "metadata", "name",
		*group ? group : (const char *)NULL, "creationTimestamp", "versions", "version",
		"v1", "resources", list, "freshness", "Current");
}

json_t *discovery_aggregated(bool is_core, enum form form)
{
	json_t *items = json_array();

	if (is_core)
		json_array_append_new(items, aggregated_group(""));
	for (size_t i = 0; i < ARRAY_LEN(groups) && !is_core; i++)
		json_array_append_new(items, aggregated_group(groups[i]));
	return json_pack(
		"{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
		form == FORM_DISCOVERY ? "apidiscovery.k8s.io/v2" : "apidiscovery.k8s.io/v2beta1",
		"metadata", "items", items);
}

const char *discovery_content_type(enum form form)
{
	return form == FORM_DISCOVERY
		? "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
		: "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
}

json_t *discovery_version(void)
{
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", KUBERNETES_MAJOR, "minor",
		KUBERNETES_MINOR, "gitVersion",
		"v" KUBERNETES_MAJOR "." KUBERNETES_MINOR ".0+slipway-" SLIPWAY_VERSION,
		"gitCommit", "", "gitTreeState", "clean", "buildDate", "1970-01-01T00:00:00Z",
		"goVersion", "none", "compiler", "cc", "platform", "linux/amd64");
}
