#include "gateway/route.h"

#include <stdlib.h>

static const char *const modes[] = {"session", "transaction", NULL};
static const char *const drains[] = {"wait", "refuse", "end", NULL};
static const char *const tls_words[] = {"verify-ca", "require", "off", NULL};

/* The place of a word in a list; absent: the first. */
static enum err_code
word(const json_t *v, const char *key, const char *const *words, int *ret, struct err *e)
{
	const char *s = jv_str_or(v, key, words[0]);

	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], s)) {
			*ret = i;
			return ERR_OK;
		}
	return err_set(e, ERR_INVALID, "%s: '%s' is none of its values", key, s);
}

static void pool_read(struct arena *a, const json_t *v, struct route_pool *ret)
{
	*ret = (struct route_pool){
		.size = jv_int(v, "size", 20),
		.reserve = jv_int(v, "reserve", 5),
		.reserve_after_ms = jv_int(v, "reserveAfterMs", 1000),
		.queue_ms = jv_int(v, "queueMs", 10000),
		.min = jv_int(v, "min", 0),
		.lifetime_s = jv_int(v, "lifetimeS", 3600),
		.idle_s = jv_int(v, "idleS", 600),
		.clients = jv_int(v, "clients", 1000),
		.client_idle_s = jv_int(v, "clientIdleS", 0),
		.max_lag_bytes = jv_int(v, "maxLagBytes", 16 << 20),
		.reset = arena_strdup(a, jv_str_or(v, "reset", "DISCARD ALL")),
	};
}

static enum err_code
hold_read(struct arena *a, const json_t *v, struct route_hold *ret, struct err *e)
{
	const char *next = jv_str(v, "next");
	int on_drain = 0;

	if (!json_is_object(v))
		return ERR_OK;
	if (!jv_str(v, "id"))
		return err_set(e, ERR_INVALID, "hold: it has no id");
	if (word(v, "onDrain", drains, &on_drain, e))
		return e->code;
	*ret = (struct route_hold){
		.id = arena_strdup(a, jv_str(v, "id")),
		.drain_ms = jv_int(v, "drainMs", 5000),
		.on_drain = (enum route_drain)on_drain,
		.next = next ? arena_strdup(a, next) : NULL};
	return ERR_OK;
}

static enum err_code
member_read(struct arena *a, const json_t *v, struct route_member *ret, struct err *e)
{
	const char *name = jv_str(v, "name"), *host = jv_str(v, "host");
	int64_t port = jv_int(v, "port", 0);
	int tls = 0;

	if (!name || !host || port < 1 || port > 65535)
		return err_set(e, ERR_INVALID, "members: one has no name, host or port");
	if (word(v, "tls", tls_words, &tls, e))
		return e->code;
	*ret = (struct route_member){
		.name = arena_strdup(a, name),
		.host = arena_strdup(a, host),
		.port = (int)port,
		.is_primary = !strcmp(jv_str_or(v, "role", ""), "primary"),
		.lag_bytes = jv_int(v, "lagBytes", -1),
		.tls = (enum route_tls)tls};
	return ERR_OK;
}

static enum err_code
role_read(struct arena *a, const json_t *v, struct route_role *ret, struct err *e)
{
	const char *name = jv_str(v, "name");
	json_t *each;
	size_t i;

	if (!name)
		return err_set(e, ERR_INVALID, "roles: one has no name");
	*ret = (struct route_role){
		.name = arena_strdup(a, name), .connections = (int)jv_int(v, "connections", -1)};
	json_array_foreach (json_object_get(v, "verifiers"), i, each) {
		if (ret->verifiers_n == ROUTE_VERIFIERS_MAX)
			return err_set(e, ERR_LIMIT, "role '%s' has too many verifiers", name);
		if (scram_parse(
			    str_of(json_string_value(each)), &ret->verifiers[ret->verifiers_n], e))
			return err_wrap(e, "role '%s'", name);
		ret->verifiers_n++;
	}
	return ERR_OK;
}

static enum err_code lists_read(struct route *r, const json_t *v, struct err *e)
{
	const json_t *databases = json_object_get(v, "databases");
	const json_t *members = json_object_get(v, "members");
	const json_t *roles = json_object_get(v, "roles");
	const char **names;

	r->databases_n = json_array_size(databases);
	if (r->databases_n == 0)
		return err_set(e, ERR_INVALID, "databases: at least one is needed");
	names = arena_array(&r->arena, const char *, r->databases_n);
	for (size_t i = 0; i < r->databases_n; i++) {
		const char *s = json_string_value(json_array_get(databases, i));

		if (!s)
			return err_set(e, ERR_INVALID, "databases: one is no text");
		names[i] = arena_strdup(&r->arena, s);
	}
	r->databases = names;
	r->members_n = json_array_size(members);
	r->members = arena_array(&r->arena, struct route_member, r->members_n);
	for (size_t i = 0; i < r->members_n; i++)
		if (member_read(&r->arena, json_array_get(members, i), &r->members[i], e))
			return e->code;
	r->roles_n = json_array_size(roles);
	r->roles = arena_array(&r->arena, struct route_role, r->roles_n);
	for (size_t i = 0; i < r->roles_n; i++)
		if (role_read(&r->arena, json_array_get(roles, i), &r->roles[i], e))
			return e->code;
	return ERR_OK;
}

static enum err_code fill(struct route *r, const json_t *v, struct err *e)
{
	int mode = 0;

	if (word(v, "mode", modes, &mode, e))
		return e->code;
	r->name = arena_strdup(&r->arena, jv_str(v, "name"));
	r->revision = jv_int(v, "revision", 0);
	r->epoch = jv_int(v, "epoch", 0);
	r->mode = (enum route_mode)mode;
	r->needs_tls = !strcmp(jv_str_or(v, "tls", "require"), "require");
	pool_read(&r->arena, json_object_get(v, "pool"), &r->pool);
	if (hold_read(&r->arena, json_object_get(v, "hold"), &r->hold, e))
		return e->code;
	if (!strcmp(jv_str_or(v, "server.auth", "cert"), "password")) {
		r->user = arena_strdup(&r->arena, jv_str_or(v, "server.user", ""));
		secret_set(&r->password, str_of(jv_str_or(v, "server.password", "")));
	}
	return lists_read(r, v, e);
}

enum err_code route_read(const json_t *v, struct route **ret, struct err *e)
{
	const char *name = jv_str(v, "name");
	struct route *r;

	if (!name || !*name || strlen(name) > ROUTE_NAME_MAX)
		return err_set(e, ERR_INVALID, "a route has no name");
	r = mem_alloc(sizeof(*r));
	if (fill(r, v, e)) {
		route_free(r);
		return err_wrap(e, "route '%s'", name);
	}
	*ret = r;
	return ERR_OK;
}

void route_free(struct route *r)
{
	if (!r)
		return;
	secret_done(&r->password);
	arena_done(&r->arena);
	free(r);
}

const struct route_role *route_role(const struct route *r, struct str name)
{
	for (size_t i = 0; i < r->roles_n; i++)
		if (str_is(name, r->roles[i].name))
			return &r->roles[i];
	return NULL;
}

const struct route_member *route_member(const struct route *r, const char *name)
{
	for (size_t i = 0; i < r->members_n; i++)
		if (!strcmp(name, r->members[i].name))
			return &r->members[i];
	return NULL;
}

const struct route_member *route_primary(const struct route *r)
{
	for (size_t i = 0; i < r->members_n; i++)
		if (r->members[i].is_primary)
			return &r->members[i];
	return NULL;
}

const struct route_member *route_standby(const struct route *r, unsigned turn)
{
	const struct route_member *found = NULL;
	size_t good = 0;

	for (int round = 0; round < 2; round++) {
		size_t want = good ? turn % good : 0;

		good = 0;
		for (size_t i = 0; i < r->members_n; i++) {
			const struct route_member *m = &r->members[i];

			if (m->is_primary || m->lag_bytes < 0 ||
			    m->lag_bytes > r->pool.max_lag_bytes)
				continue;
			if (good++ == want)
				found = m;
		}
	}
	return found;
}

struct route_place route_place(struct str database)
{
	struct route_place p = {0};
	struct str rest = database;

	(void)str_split(&rest, '/', &p.route);
	p.dbname = rest;
	p.is_read_only = str_cut_suffix(&p.route, "-ro");
	return p;
}

const char *route_dbname(const struct route *r, struct str dbname)
{
	if (dbname.n == 0)
		return r->databases[0];
	for (size_t i = 0; i < r->databases_n; i++)
		if (str_is(dbname, r->databases[i]))
			return r->databases[i];
	return NULL;
}
