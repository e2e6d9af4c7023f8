#include "api/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "api/status.h"
#include "base/clock.h"
#include "base/map.h"

struct known {
	int64_t until_ms;
	struct store_token token;
};

struct auth {
	struct store *store;
	pthread_mutex_t lock;
	struct map tokens; /* hash to struct known */
};

struct auth *auth_new(struct store *s)
{
	struct auth *a = mem_alloc(sizeof(*a));

	a->store = s;
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

static void forget_all(struct auth *a)
{
	map_for_each (slot, &a->tokens)
		free(slot->value);
	map_done(&a->tokens);
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	forget_all(a);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static bool recall(struct auth *a, const char *hash, struct store_token *ret)
{
	const struct known *k;
	bool is_known;

	pthread_mutex_lock(&a->lock);
	k = map_get(&a->tokens, str_of(hash));
	is_known = k && k->until_ms > clock_mono_ms();
	if (is_known)
		*ret = k->token;
	pthread_mutex_unlock(&a->lock);
	return is_known;
}

static void remember(struct auth *a, const char *hash, const struct store_token *t)
{
	struct known *k = mem_alloc(sizeof(*k));

	*k = (struct known){clock_mono_ms() + AUTH_CACHE_MS, *t};
	pthread_mutex_lock(&a->lock);
	if (a->tokens.n >= AUTH_CACHE_MAX)
		forget_all(a);
	free(map_put(&a->tokens, str_of(hash), k));
	pthread_mutex_unlock(&a->lock);
}

static json_t *find_token(struct call *c, struct str token)
{
	const char *hash = secret_hash(c->arena, token);
	struct store_token t = {0};
	struct err e = {0};
	enum err_code code = ERR_OK;

	if (!recall(c->api->auth, hash, &t)) {
		code = store_token_find(c->api->store, "user", token, &t, &e);
		if (!code)
			remember(c->api->auth, hash, &t);
	}
	if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT)
		return status_unavailable(1);
	if (code)
		return status_unauthorized();
	c->user.name = arena_strdup(c->arena, t.subject);
	c->user.group = arena_strdup(c->arena, t.group);
	return NULL;
}

/* "user:token" in base64 */
static struct str basic_password(struct call *c, struct str text)
{
	struct str clear = {0}, user;

	if (secret_unbase64(c->arena, text, &clear, NULL) || !str_split(&clear, ':', &user))
		return (struct str){"", 0};
	return clear;
}

static bool cut_scheme(struct str *header, const char *scheme)
{
	size_t n = strlen(scheme);

	if (header->n <= n || strncasecmp(header->p, scheme, n) != 0 || header->p[n] != ' ')
		return false;
	*header = str_trim((struct str){header->p + n, header->n - n});
	return true;
}

json_t *auth_identify(struct call *c)
{
	struct str header = str_of(http_header(c->rq, "Authorization"));

	c->user = (struct user){"", ""};
	if (header.n && cut_scheme(&header, "Bearer"))
		return find_token(c, header);
	if (header.n && cut_scheme(&header, "Basic"))
		return find_token(c, basic_password(c, header));
	if (header.n)
		return status_unauthorized();
	if (!strcmp(c->rq->peer.group, GROUP_HOSTS) || !strcmp(c->rq->peer.group, GROUP_GATEWAYS))
		c->user = (struct user){c->rq->peer.name, c->rq->peer.group};
	return NULL;
}

/* Which group an endpoint is for; NULL: anybody, "": anybody who is known. */
static const char *const endpoint_groups[ENDPOINTS] = {
	[ENDPOINT_NONE] = "",
	[ENDPOINT_RESOURCE] = GROUP_ADMINS,
	[ENDPOINT_API] = GROUP_ADMINS,
	[ENDPOINT_APIS] = GROUP_ADMINS,
	[ENDPOINT_GROUP] = GROUP_ADMINS,
	[ENDPOINT_VERSION_RESOURCES] = GROUP_ADMINS,
	[ENDPOINT_OPENAPI_V2] = GROUP_ADMINS,
	[ENDPOINT_OPENAPI_V3] = GROUP_ADMINS,
	[ENDPOINT_REVIEW] = GROUP_ADMINS,
	[ENDPOINT_TOKENS] = GROUP_ADMINS,
	[ENDPOINT_TERRAFORM] = GROUP_ADMINS,
	[ENDPOINT_RENEW] = GROUP_HOSTS,
	[ENDPOINT_WANTS] = GROUP_HOSTS,
	[ENDPOINT_REPORT] = GROUP_HOSTS,
	[ENDPOINT_GATEWAY_ROUTES] = GROUP_GATEWAYS,
	[ENDPOINT_GATEWAY_REPORT] = GROUP_GATEWAYS,
	[ENDPOINT_GATEWAY_RENEW] = GROUP_GATEWAYS,
};

json_t *auth_check_endpoint(struct call *c)
{
	const char *group = endpoint_groups[c->route.endpoint];

	if (!group)
		return NULL;
	if (!*c->user.group)
		return status_unauthorized();
	if (!*group || !strcmp(group, c->user.group))
		return NULL;
	return status_new(
		403, "Forbidden", "forbidden: User \"%s\" cannot %s path \"%s\"", c->user.name,
		strcmp(c->rq->method, "GET") ? "change" : "get", c->rq->path);
}

/* The rules. "*" stands for all; paths end in '*' for all below. */
static const struct rule {
	const char *who;
	const char *verbs, *groups, *resources; /* with commas between them */
	const char *paths;
} rules[] = {
	{GROUP_ADMINS, "*", "*", "*", NULL},
	{GROUP_ADMINS, "*", NULL, NULL, "*"},
	{GROUP_HOSTS, "get,post", NULL, NULL, "/agent/v1/*"},
	{GROUP_GATEWAYS, "get,post", NULL, NULL, "/gateway/v1/*"},
};

static bool has_word(const char *words, const char *word)
{
	struct str rest = str_of(words), one;

	while (rest.n && str_split(&rest, ',', &one))
		if (str_is(one, "*") || str_is(one, word))
			return true;
	return false;
}

bool auth_may(
	const struct user *u, const char *verb, const char *group, const char *resource,
	const char *subresource)
{
	(void)subresource; /* no rule tells them apart yet */
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (!strcmp(rules[i].who, u->group) && rules[i].resources &&
		    has_word(rules[i].verbs, verb) && has_word(rules[i].groups, group) &&
		    has_word(rules[i].resources, resource))
			return true;
	return false;
}

static bool is_path_below(const char *pattern, const char *path)
{
	struct str prefix = str_of(pattern);

	if (str_cut_suffix(&prefix, "*"))
		return !strncmp(path, prefix.p, prefix.n);
	return !strcmp(path, pattern);
}

bool auth_may_path(const struct user *u, const char *verb, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (!strcmp(rules[i].who, u->group) && rules[i].paths &&
		    has_word(rules[i].verbs, verb) && is_path_below(rules[i].paths, path))
			return true;
	return false;
}

static json_t *words(const char *text)
{
	struct str rest = str_of(text), one;
	json_t *list = json_array();

	while (rest.n && str_split(&rest, ',', &one))
		json_array_append_new(list, json_stringn(one.p, one.n));
	return list;
}

json_t *auth_rules(const struct user *u)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (!strcmp(rules[i].who, u->group) && rules[i].resources)
			json_array_append_new(
				list,
				json_pack(
					"{s:o, s:o, s:o}", "verbs", words(rules[i].verbs),
					"apiGroups", words(rules[i].groups), "resources",
					words(rules[i].resources)));
	return list;
}

json_t *auth_path_rules(const struct user *u)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (!strcmp(rules[i].who, u->group) && rules[i].paths)
			json_array_append_new(
				list,
				json_pack(
					"{s:o, s:o}", "verbs", words(rules[i].verbs),
					"nonResourceURLs", words(rules[i].paths)));
	return list;
}
