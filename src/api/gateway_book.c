#include "api/gateway_book.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/follow.h"
#include "kinds/credential.h"
#include "kinds/gateway_route.h"

enum { PLACE_MAX = 400 };

static struct str place_of(const char *ns, const char *name, char ret[PLACE_MAX])
{
	int n = snprintf(ret, PLACE_MAX, "%s/%s", ns, name);

	return (struct str){ret, (size_t)MIN(n, PLACE_MAX - 1)};
}

void gateway_book_touch(struct gateway_book *b, struct gateway_entry *route, int64_t revision)
{
	route->revision = MAX(route->revision, revision);
	if (list_is_empty(&route->dirty))
		list_push_back(&b->dirty, &route->dirty);
	pthread_cond_signal(&b->wake);
}

static struct gateway_entry *route_get(struct gateway_book *b, const char *ns, const char *database)
{
	char text[PLACE_MAX];
	struct str place = place_of(ns, database, text);
	struct gateway_entry *route = map_get(&b->routes, place);

	if (route)
		return route;
	route = mem_alloc(sizeof(*route));
	route->ns = mem_strdup(ns);
	route->database = mem_strdup(database);
	list_init(&route->by_change);
	list_init(&route->dirty);
	list_init(&route->members);
	map_put(&b->routes, place, route);
	return route;
}

static void route_free(struct gateway_entry *route)
{
	list_remove(&route->by_change);
	list_remove(&route->dirty);
	free(route->ns);
	free(route->database);
	free(route->digest);
	free(route->text);
	free(route);
}

static void member_free(struct gateway_member *m)
{
	list_remove(&m->in_route);
	free(m->ns);
	free(m->name);
	free(m->uid);
	free(m->digest);
	free(m);
}

static int64_t revision_of(const json_t *o)
{
	int64_t n = 0;

	str_to_i64(str_of(jv_str_or(o, "metadata.resourceVersion", "0")), &n);
	return n;
}

/* Keeps the digest (stolen) if it says something else than the one that is there. */
static bool digest_put(char **digest, json_t *now)
{
	struct arena a = {0};
	struct str text = jv_text_sorted(&a, now);
	bool is_new = !*digest || !str_is(text, *digest);

	if (is_new) {
		free(*digest);
		*digest = mem_printf(STR_FMT, STR_ARG(text));
	}
	arena_done(&a);
	json_decref(now);
	return is_new;
}

/* Databases. */

static void database_drop(struct gateway_book *b, struct str place)
{
	struct gateway_entry *route = map_get(&b->routes, place);

	if (!route || !route->digest)
		return;
	free(route->digest);
	route->digest = NULL;
	gateway_book_touch(b, route, 0);
}

static void database_put(struct gateway_book *b, const char *ns, const char *name, const json_t *o)
{
	struct gateway_entry *route = route_get(b, ns, name);

	route->node.is_seen = true;
	route->max_lag_bytes = gateway_route_max_lag_bytes(o);
	if (digest_put(&route->digest, gateway_route_database_digest(o)))
		gateway_book_touch(b, route, revision_of(o));
}

/* Members. */

static void member_drop(struct gateway_book *b, struct str place)
{
	struct gateway_member *m = map_remove(&b->members, place);

	if (!m)
		return;
	gateway_book_touch(b, m->route, 0);
	member_free(m);
}

static struct gateway_member *
member_get(struct gateway_book *b, const char *ns, const char *name, const json_t *o)
{
	char text[PLACE_MAX];
	struct str place = place_of(ns, name, text);
	struct gateway_member *m = map_get(&b->members, place);

	if (m && strcmp(m->uid, jv_str_or(o, "metadata.uid", "")) != 0) {
		member_drop(b, place); /* another one of that name */
		m = NULL;
	}
	if (m)
		return m;
	m = mem_alloc(sizeof(*m));
	m->ns = mem_strdup(ns);
	m->name = mem_strdup(name);
	m->uid = mem_strdup(jv_str_or(o, "metadata.uid", ""));
	m->route = route_get(b, ns, jv_str_or(o, "spec.database", ""));
	list_init(&m->in_route);
	list_push_back(&m->route->members, &m->in_route);
	map_put(&b->members, place, m);
	return m;
}

static void member_put(struct gateway_book *b, const char *ns, const char *name, const json_t *o)
{
	struct gateway_member *m = member_get(b, ns, name, o);

	m->node.is_seen = true;
	if (digest_put(&m->digest, gateway_route_member_digest(o)))
		gateway_book_touch(b, m->route, revision_of(o));
}

/* Verifiers. */

static void verifier_free(struct gateway_verifier *n)
{
	verifier_done(&n->verifier);
	free(n);
}

static void verifier_drop(struct gateway_book *b, struct str place)
{
	struct gateway_verifier *n = map_remove(&b->verifiers, place);
	char ns[PLACE_MAX];
	struct str part;

	if (!n)
		return;
	str_split(&place, '/', &part);
	snprintf(ns, sizeof(ns), STR_FMT, STR_ARG(part));
	gateway_book_touch(b, route_get(b, ns, n->verifier.database), 0);
	verifier_free(n);
}

static bool is_equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void secret_put(struct gateway_book *b, const char *ns, const char *name, struct verifier *v)
{
	char text[PLACE_MAX];
	struct str place = place_of(ns, name, text);
	struct gateway_verifier *n = map_get(&b->verifiers, place);
	bool is_same = n && is_equal(n->verifier.current, v->current) &&
		is_equal(n->verifier.next, v->next) && is_equal(n->verifier.role, v->role);

	if (!n) {
		n = mem_alloc(sizeof(*n));
		map_put(&b->verifiers, place, n);
	}
	n->node.is_seen = true;
	verifier_done(&n->verifier);
	n->verifier = *v;
	*v = (struct verifier){0};
	if (!is_same)
		gateway_book_touch(b, route_get(b, ns, n->verifier.database), n->verifier.revision);
}

/* Following. */

static void begin(struct map *nodes)
{
	map_for_each (slot, nodes)
		((struct gateway_node *)slot->value)->is_seen = false;
}

/* What a list did not name has gone. Dropping changes the map: names are gathered first. */
static void
sweep(struct gateway_book *b, struct map *nodes,
      void (*drop)(struct gateway_book *b, struct str place))
{
	struct map gone = {0};

	map_for_each (slot, nodes)
		if (!((struct gateway_node *)slot->value)->is_seen)
			map_put(&gone, (struct str){slot->key, slot->key_n}, slot->value);
	map_for_each (slot, &gone)
		drop(b, (struct str){slot->key, slot->key_n});
	map_done(&gone);
}

struct followed {
	struct map *nodes;
	void (*drop)(struct gateway_book *b, struct str place);
	void (*put)(struct gateway_book *b, const char *ns, const char *name, const json_t *o);
};

static void on_object(
	struct gateway_book *b, const struct followed *f, enum follow_event what, const char *ns,
	const char *name, struct str text)
{
	CLEANUP(jv_drop) json_t *o = NULL;
	char place[PLACE_MAX];

	if (what == FOLLOW_PUT && jv_parse(text, SIZE_MAX, &o, NULL))
		return;
	pthread_mutex_lock(&b->lock);
	if (what == FOLLOW_BEGIN)
		begin(f->nodes);
	else if (what == FOLLOW_END)
		sweep(b, f->nodes, f->drop);
	else if (what == FOLLOW_DROP)
		f->drop(b, place_of(ns, name, place));
	else
		f->put(b, ns, name, o);
	pthread_mutex_unlock(&b->lock);
}

static void
on_database(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct gateway_book *b = arg;
	const struct followed f = {&b->routes, database_drop, database_put};

	on_object(b, &f, what, ns, name, text);
}

static void
on_member(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct gateway_book *b = arg;
	const struct followed f = {&b->members, member_drop, member_put};

	on_object(b, &f, what, ns, name, text);
}

static void
on_secret(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct gateway_book *b = arg;
	const struct followed f = {&b->verifiers, verifier_drop, NULL};
	struct verifier v = {0};

	if (what != FOLLOW_PUT) {
		on_object(b, &f, what, ns, name, text);
		return;
	}
	verifier_read(text, &v);
	if (!v.current) {
		verifier_done(&v);
		return;
	}
	pthread_mutex_lock(&b->lock);
	secret_put(b, ns, name, &v);
	pthread_mutex_unlock(&b->lock);
}

json_t *
gateway_book_verifiers(struct gateway_book *b, const struct gateway_entry *route, const json_t *d)
{
	json_t *ret = json_object(), *role, *list;
	struct arena a = {0};
	char text[PLACE_MAX];
	size_t i;

	json_array_foreach (jv_at(d, "spec.roles"), i, role) {
		const char *name = jv_str_or(role, "name", "");
		const struct gateway_verifier *n =
			map_get(&b->verifiers,
				place_of(
					route->ns,
					credential_verifier_name(&a, route->database, name), text));

		/* Secrets of two roles may have one name: it is of one of them */
		if (!n || strcmp(n->verifier.role, name) != 0)
			continue;
		list = json_pack("[s]", n->verifier.current);
		if (n->verifier.next)
			json_array_append_new(list, json_string(n->verifier.next));
		json_object_set_new(ret, name, list);
	}
	arena_done(&a);
	return ret;
}

void gateway_book_forget_if_empty(struct gateway_book *b, struct gateway_entry *route)
{
	char text[PLACE_MAX];

	if (route->digest || route->text || route->gone_ms || !list_is_empty(&route->members))
		return;
	map_remove(&b->routes, place_of(route->ns, route->database, text));
	route_free(route);
}

void gateway_book_init(struct gateway_book *b)
{
	*b = (struct gateway_book){0};
	list_init(&b->dirty);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
}

enum err_code gateway_book_follow(struct gateway_book *b, struct store *s, struct err *e)
{
	enum err_code code = follow_start(s, "Secret", on_secret, b, &b->follow_secrets, e);

	if (!code)
		code = follow_start(s, "Member", on_member, b, &b->follow_members, e);
	if (!code)
		code = follow_start(s, "Database", on_database, b, &b->follow_databases, e);
	return code;
}

void gateway_book_unfollow(struct gateway_book *b)
{
	follow_stop(b->follow_databases);
	follow_stop(b->follow_members);
	follow_stop(b->follow_secrets);
	b->follow_databases = b->follow_members = b->follow_secrets = NULL;
}

void gateway_book_done(struct gateway_book *b)
{
	gateway_book_unfollow(b);
	map_for_each (slot, &b->members)
		member_free(slot->value);
	map_for_each (slot, &b->routes)
		route_free(slot->value);
	map_for_each (slot, &b->verifiers)
		verifier_free(slot->value);
	map_done(&b->members);
	map_done(&b->routes);
	map_done(&b->verifiers);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
}
