#include "api/review.h"

#include "api/auth.h"
#include "api/body.h"
#include "api/reply.h"
#include "api/status.h"

/* A yes about something that there is not would be no help. */
static bool is_known(const char *group, const char *resource)
{
	const struct kind *k;
	size_t n;

	if (!strcmp(group, "*") || !strcmp(resource, "*"))
		return true;
	k = kinds_all(&n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(k[i].group, group) && !strcmp(k[i].plural, resource))
			return true;
	return !strcmp(group, "authorization.k8s.io") || !strcmp(group, "authentication.k8s.io");
}

static json_t *answer(bool is_allowed, const char *reason)
{
	json_t *s = json_pack("{s:b}", "allowed", is_allowed);

	if (reason)
		json_object_set_new(s, "reason", json_string(reason));
	return s;
}

static json_t *access_review(struct call *c, const json_t *review)
{
	const json_t *asked = jv_at(review, "spec.resourceAttributes");
	const json_t *path = jv_at(review, "spec.nonResourceAttributes");
	const char *verb = jv_str_or(asked ? asked : path, "verb", "");

	if (path)
		return answer(auth_may_path(&c->user, verb, jv_str_or(path, "path", "")), NULL);
	if (!is_known(jv_str_or(asked, "group", ""), jv_str_or(asked, "resource", "")))
		return answer(false, "this server has no such resource");
	return answer(
		auth_may(
			&c->user, verb, jv_str_or(asked, "group", ""),
			jv_str_or(asked, "resource", ""), jv_str_or(asked, "subresource", "")),
		NULL);
}

static json_t *rules_review(struct call *c, const json_t *review)
{
	(void)review;
	return json_pack(
		"{s:o, s:o, s:b}", "resourceRules", auth_rules(&c->user), "nonResourceRules",
		auth_path_rules(&c->user), "incomplete", 0);
}

static json_t *self_review(struct call *c, const json_t *review)
{
	(void)review;
	return json_pack(
		"{s:{s:s, s:[s]}}", "userInfo", "username", c->user.name, "groups", c->user.group);
}

static const struct {
	const char *name, *kind, *group;
	json_t *(*status)(struct call *c, const json_t *review);
} reviews[] = {
	{"selfsubjectaccessreviews", "SelfSubjectAccessReview", "authorization.k8s.io",
	 access_review},
	{"selfsubjectrulesreviews", "SelfSubjectRulesReview", "authorization.k8s.io", rules_review},
	{"selfsubjectreviews", "SelfSubjectReview", "authentication.k8s.io", self_review},
};

json_t *review_handle(struct call *c)
{
	CLEANUP(jv_drop) json_t *review = NULL;
	json_t *status;

	for (size_t i = 0; i < ARRAY_LEN(reviews); i++) {
		if (strcmp(reviews[i].name, c->route.name) != 0)
			continue;
		if (strcmp(c->rq->method, "POST") != 0)
			return status_method_not_allowed();
		status = body_read(c, false, &review);
		if (status)
			return status;
		if (!json_is_object(review))
			return status_bad_request("a review is an object");
		json_object_set_new(review, "kind", json_string(reviews[i].kind));
		json_object_set_new(review, "apiVersion", json_sprintf("%s/v1", reviews[i].group));
		json_object_set_new(review, "status", reviews[i].status(c, review));
		reply_value(c, 201, review);
		return NULL;
	}
	return status_no_such_path();
}
