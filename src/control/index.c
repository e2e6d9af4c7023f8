#include "control/index.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "control/gateway_set.h"
#include "control/outcome.h"
#include "kinds/credential.h"
#include "kinds/gateway_route.h"

enum { KEY_MAX = 512 };

/* A Database and what belongs to it; also when its own row has gone. */
struct family {
	char *key; /* "Database/ns/name" */
	struct list children;
	bool is_there; /* it has a row */
	bool is_settled;
};

struct entry {
	struct list at; /* in its family; alone where it has none */
	char *kind, *ns, *name;
	int64_t revision;
	struct family *family;
	json_t *host; /* a Host: the fields of it that place_host_of reads */
	struct place *place; /* of a Host, or of a Member: where it is */
	bool is_terminating; /* a Namespace */
	bool is_seen; /* since the list began */
};

/* A Host by name, and how many Members say that they are there; its row may have gone. */
struct place {
	char *name;
	struct entry *host; /* NULL: it has */
	size_t members;
};

struct index {
	pthread_mutex_t lock;
	struct map places; /* by the Host's name; never removed */
	struct map entries; /* "kind/ns/name" */
	struct map families; /* the same way, of Databases */
	struct index_hosts *hosts; /* NULL: to be made anew */
	struct gateway_set gateways;
};

struct index *index_new(void)
{
	struct index *x = mem_alloc(sizeof(*x));

	pthread_mutex_init(&x->lock, NULL);
	return x;
}

static void entry_free(struct entry *n)
{
	list_remove(&n->at);
	free(n->kind);
	free(n->ns);
	free(n->name);
	json_decref(n->host);
	free(n);
}

static void hosts_free(struct index_hosts *h)
{
	arena_done(&h->arena);
	free(h);
}

/* Under the lock. */
static void hosts_forget(struct index *x)
{
	if (x->hosts && !--x->hosts->users)
		hosts_free(x->hosts);
	x->hosts = NULL;
}

void index_free(struct index *x)
{
	if (!x)
		return;
	map_for_each (slot, &x->entries)
		entry_free(slot->value);
	map_for_each (slot, &x->families) {
		free(((struct family *)slot->value)->key);
		free(slot->value);
	}
	map_for_each (slot, &x->places) {
		free(((struct place *)slot->value)->name);
		free(slot->value);
	}
	map_done(&x->places);
	map_done(&x->entries);
	map_done(&x->families);
	hosts_forget(x);
	gateway_set_done(&x->gateways);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

static struct place *place_get(struct index *x, const char *host)
{
	struct place *p = map_get(&x->places, str_of(host));

	if (p)
		return p;
	p = mem_alloc(sizeof(*p));
	p->name = mem_strdup(host);
	map_put(&x->places, str_of(host), p);
	return p;
}

static struct str key_of(const char *kind, const char *ns, const char *name, char ret[KEY_MAX])
{
	int n = snprintf(ret, KEY_MAX, "%s/%s/%s", kind, ns, name);

	return (struct str){ret, (size_t)MIN(n, KEY_MAX - 1)};
}

static struct str key_of_object(const json_t *o, char ret[KEY_MAX])
{
	return key_of(
		jv_str_or(o, "kind", ""), jv_str_or(o, "metadata.namespace", ""),
		jv_str_or(o, "metadata.name", ""), ret);
}

static struct family *family_get(struct index *x, const char *ns, const char *database)
{
	char text[KEY_MAX];
	struct str key = key_of("Database", ns, database, text);
	struct family *f = map_get(&x->families, key);

	if (f)
		return f;
	f = mem_alloc(sizeof(*f));
	f->key = mem_strdup(key.p);
	list_init(&f->children);
	map_put(&x->families, key, f);
	return f;
}

static void family_drop_if_empty(struct index *x, struct family *f)
{
	if (!f || f->is_there || !list_is_empty(&f->children))
		return;
	map_remove(&x->families, str_of(f->key));
	free(f->key);
	free(f);
}

/* The Database that an object is or belongs to; NULL: none. */
static const char *database_of(const json_t *o)
{
	const char *kind = jv_str_or(o, "kind", "");

	if (!strcmp(kind, "Database"))
		return jv_str(o, "metadata.name");
	if (!strcmp(kind, "Member"))
		return jv_str(o, "spec.database");
	if (!strcmp(kind, "Secret"))
		return json_string_value(
			json_object_get(jv_at(o, "metadata.labels"), CREDENTIAL_LABEL_DATABASE));
	return NULL;
}

static json_t *host_digest(const json_t *o)
{
	json_t *d = json_object(), *status = json_object();
	struct place_host h;

	place_host_of(o, &h);
	json_object_set_new(d, "metadata", json_pack("{s:s}", "name", h.name));
	json_object_set_new(d, "spec", json_deep_copy(jv_at(o, "spec")));
	json_object_set(status, "postgres", jv_at(o, "status.postgres"));
	json_object_set(status, "conditions", jv_at(o, "status.conditions"));
	json_object_set(status, "address", jv_at(o, "status.address"));
	json_object_set_new(d, "status", json_deep_copy(status));
	json_decref(status);
	return d;
}

static void
touch_key(index_key *touch, void *arg, const char *kind, const char *ns, const char *name)
{
	char key[KEY_MAX];

	key_of(kind, ns, name, key);
	touch(arg, key);
}

/* All Databases that may care: those with a member there, and those that wait for something. */
static void touch_for_host(struct index *x, const struct place *host, index_key *touch, void *arg)
{
	map_for_each (slot, &x->families) {
		struct family *f = slot->value;
		bool is_touched = !f->is_settled && f->is_there;

		list_for_each (at, &f->children) {
			const struct entry *n = list_entry(at, struct entry, at);

			is_touched |= n->place == host;
		}
		if (is_touched)
			touch(arg, f->key);
	}
}

static struct entry *entry_get(struct index *x, const json_t *o)
{
	char text[KEY_MAX];
	struct str key = key_of_object(o, text);
	struct entry *n = map_get(&x->entries, key);

	if (n)
		return n;
	n = mem_alloc(sizeof(*n));
	list_init(&n->at);
	n->kind = mem_strdup(jv_str_or(o, "kind", ""));
	n->ns = mem_strdup(jv_str_or(o, "metadata.namespace", ""));
	n->name = mem_strdup(jv_str_or(o, "metadata.name", ""));
	map_put(&x->entries, key, n);
	return n;
}

static void put_host(struct index *x, struct entry *n, const json_t *o, index_key *touch, void *arg)
{
	json_t *digest = host_digest(o);
	bool is_changed = !json_equal(digest, n->host);

	json_decref(n->host);
	n->host = digest;
	n->place = place_get(x, n->name);
	n->place->host = n;
	touch_key(touch, arg, "Host", "", n->name);
	if (!is_changed)
		return;
	hosts_forget(x);
	touch_for_host(x, n->place, touch, arg);
}

/* Where a gateway is, concerns every Database; a hold, the one that is held. Names of routes have
 * one dot: what is before it holds none. */
static void
touch_for_gateway(struct index *x, bool is_moved, json_t *held, index_key *touch, void *arg)
{
	json_t *one;
	size_t i;

	map_for_each (slot, &x->families) {
		const struct family *f = slot->value;

		if (is_moved && f->is_there)
			touch(arg, f->key);
	}
	json_array_foreach (held, i, one) {
		struct str rest = str_of(json_string_value(one)), ns;
		char key[KEY_MAX];

		str_split(&rest, '.', &ns);
		snprintf(
			key, sizeof(key), "Database/" STR_FMT "/" STR_FMT, STR_ARG(ns),
			STR_ARG(rest));
		if (map_get(&x->families, str_of(key)))
			touch(arg, key);
	}
	json_decref(held);
}

static void put_gateway(struct index *x, const json_t *o, index_key *touch, void *arg)
{
	json_t *held = json_array();
	bool is_moved = gateway_set_put(&x->gateways, o, held);

	touch_key(touch, arg, "Gateway", "", jv_str_or(o, "metadata.name", ""));
	touch_for_gateway(x, is_moved, held, touch, arg);
}

static void remove_gateway(struct index *x, const char *name, index_key *touch, void *arg)
{
	json_t *held = json_array();
	bool is_moved = gateway_set_remove(&x->gateways, name, held);

	touch_for_gateway(x, is_moved, held, touch, arg);
}

static bool is_terminating(struct index *x, const char *ns)
{
	char text[KEY_MAX];
	const struct entry *n = map_get(&x->entries, key_of("Namespace", "", ns, text));

	return n && n->is_terminating;
}

static void
put_child(struct index *x, struct entry *n, const json_t *o, index_key *touch, void *arg)
{
	struct family *was = n->family;

	list_remove(&n->at);
	n->family = family_get(x, n->ns, database_of(o));
	if (strcmp(n->kind, "Database") != 0)
		list_push_back(&n->family->children, &n->at);
	else if (is_terminating(x, n->ns)) /* it may not be protected any more */
		touch_key(touch, arg, "Namespace", "", n->ns);
	n->family->is_there |= !strcmp(n->kind, "Database");
	if (!strcmp(n->kind, "Member") && !n->place) {
		n->place = place_get(x, jv_str_or(o, "spec.host", ""));
		n->place->members++;
		hosts_forget(x);
	}
	if (was != n->family)
		family_drop_if_empty(x, was);
	touch(arg, n->family->key);
}

/* Kinds that the index knows more of than their names. */
static bool is_known_kind(const char *kind)
{
	return !strcmp(kind, "Host") || !strcmp(kind, "Gateway") || !strcmp(kind, "Namespace") ||
		!strcmp(kind, "Database") || !strcmp(kind, "Member") || !strcmp(kind, "Secret");
}

void index_put(struct index *x, const json_t *o, index_key *touch, void *arg)
{
	int64_t revision = outcome_revision(o);
	struct entry *n;

	if (!is_known_kind(jv_str_or(o, "kind", "")))
		return;
	pthread_mutex_lock(&x->lock);
	n = entry_get(x, o);
	n->is_seen = true;
	if (revision >= n->revision) {
		bool is_same = revision == n->revision;

		n->revision = revision;
		if (!strcmp(n->kind, "Namespace")) {
			n->is_terminating = jv_str(o, "metadata.deletionTimestamp") != NULL;
			touch_key(touch, arg, "Namespace", "", n->name);
		} else if (!strcmp(n->kind, "Host")) {
			put_host(x, n, o, touch, arg);
		} else if (!strcmp(n->kind, "Gateway")) {
			put_gateway(x, o, touch, arg);
		} else if (database_of(o) && !is_same) {
			put_child(x, n, o, touch, arg);
		}
	}
	pthread_mutex_unlock(&x->lock);
}

/* Under the lock. */
static void forget(struct index *x, struct entry *n, index_key *touch, void *arg)
{
	struct family *f = n->family;
	char key[KEY_MAX];

	if (is_terminating(x, n->ns))
		touch_key(touch, arg, "Namespace", "", n->ns);
	if (f && !strcmp(n->kind, "Database")) {
		f->is_there = false;
		f->is_settled = false;
	}
	if (f)
		touch(arg, f->key);
	if (n->host) {
		n->place->host = NULL;
		touch_for_host(x, n->place, touch, arg);
	} else if (n->place) {
		n->place->members--;
	}
	if (n->place)
		hosts_forget(x);
	if (!strcmp(n->kind, "Gateway"))
		remove_gateway(x, n->name, touch, arg);
	map_remove(&x->entries, key_of(n->kind, n->ns, n->name, key));
	entry_free(n);
	family_drop_if_empty(x, f);
}

void index_remove(struct index *x, const json_t *o, index_key *touch, void *arg)
{
	const char *ns = jv_str_or(o, "metadata.namespace", "");
	char text[KEY_MAX];
	struct entry *n;

	pthread_mutex_lock(&x->lock);
	n = map_get(&x->entries, key_of_object(o, text));
	if (n && outcome_revision(o) >= n->revision)
		forget(x, n, touch, arg);
	else if (!n && is_terminating(x, ns))
		touch_key(touch, arg, "Namespace", "", ns);
	pthread_mutex_unlock(&x->lock);
}

void index_list_begin(struct index *x)
{
	pthread_mutex_lock(&x->lock);
	map_for_each (slot, &x->entries)
		((struct entry *)slot->value)->is_seen = false;
	pthread_mutex_unlock(&x->lock);
}

/* The map must not change while it is walked: what has gone is gathered first. */
void index_list_end(struct index *x, index_key *touch, void *arg)
{
	struct entry **gone;
	size_t n = 0;

	pthread_mutex_lock(&x->lock);
	gone = mem_alloc((x->entries.n + 1) * sizeof(struct entry *));
	map_for_each (slot, &x->entries)
		if (!((struct entry *)slot->value)->is_seen)
			gone[n++] = slot->value;
	for (size_t i = 0; i < n; i++)
		forget(x, gone[i], touch, arg);
	pthread_mutex_unlock(&x->lock);
	free(gone);
}

json_t *index_children(struct index *x, const char *kind, const char *ns, const char *database)
{
	json_t *names = json_array();
	char text[KEY_MAX];
	struct family *f;

	pthread_mutex_lock(&x->lock);
	f = map_get(&x->families, key_of("Database", ns, database, text));
	if (f)
		list_for_each (at, &f->children) {
			const struct entry *n = list_entry(at, struct entry, at);

			if (!strcmp(n->kind, kind))
				json_array_append_new(names, json_string(n->name));
		}
	pthread_mutex_unlock(&x->lock);
	return names;
}

static const char *keep(struct arena *a, const char *s)
{
	return s ? arena_strdup(a, s) : NULL;
}

/* Under the lock. */
static void hosts_make(struct index *x)
{
	struct index_hosts *h = mem_alloc(sizeof(*h));

	h->users = 1;
	h->v = arena_array(&h->arena, struct place_host, x->places.n + 1);
	map_for_each (slot, &x->places) {
		const struct place *place = slot->value;
		struct place_host *p = &h->v[h->n];

		if (!place->host)
			continue;
		place_host_of(place->host->host, p);
		p->name = keep(&h->arena, p->name);
		p->zone = keep(&h->arena, p->zone);
		p->address = keep(&h->arena, p->address);
		p->silent_since = keep(&h->arena, p->silent_since);
		p->members = place->members;
		h->n++;
	}
	x->hosts = h;
}

struct index_hosts *index_hosts(struct index *x)
{
	struct index_hosts *h;

	pthread_mutex_lock(&x->lock);
	if (!x->hosts)
		hosts_make(x);
	h = x->hosts;
	h->users++;
	pthread_mutex_unlock(&x->lock);
	return h;
}

void index_hosts_drop(struct index *x, struct index_hosts *h)
{
	pthread_mutex_lock(&x->lock);
	if (!--h->users)
		hosts_free(h);
	pthread_mutex_unlock(&x->lock);
}

/* on_host runs outside of the lock: it may ask the store. */
void index_each_host(struct index *x, index_host *on_host, void *arg)
{
	struct index_hosts *h = index_hosts(x);

	for (size_t i = 0; i < h->n; i++)
		on_host(arg, h->v[i].name, h->v[i].is_ready);
	index_hosts_drop(x, h);
}

void index_each_gateway(struct index *x, index_host *on_gateway, void *arg)
{
	CLEANUP(jv_drop) json_t *all = index_gateways(x, "", "");
	json_t *one;
	size_t i;

	json_array_foreach (all, i, one)
		on_gateway(arg, jv_str_or(one, "name", ""), jv_bool(one, "isReady", false));
}

json_t *index_gateways(struct index *x, const char *ns, const char *database)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t *ret;

	pthread_mutex_lock(&x->lock);
	ret = gateway_set_of(&x->gateways, gateway_route_name(&a, ns, database));
	pthread_mutex_unlock(&x->lock);
	return ret;
}

bool index_is_open(struct index *x, const char *ns)
{
	char text[KEY_MAX];
	const struct entry *n;
	bool is_open;

	pthread_mutex_lock(&x->lock);
	n = map_get(&x->entries, key_of("Namespace", "", ns, text));
	is_open = n && !n->is_terminating;
	pthread_mutex_unlock(&x->lock);
	return is_open;
}

void index_settle(struct index *x, const char *ns, const char *database, bool is_settled)
{
	char text[KEY_MAX];
	struct family *f;

	pthread_mutex_lock(&x->lock);
	f = map_get(&x->families, key_of("Database", ns, database, text));
	if (f)
		f->is_settled = is_settled;
	pthread_mutex_unlock(&x->lock);
}

void index_each_due(struct index *x, uint64_t round, uint64_t rounds, index_key *touch, void *arg)
{
	pthread_mutex_lock(&x->lock);
	map_for_each (slot, &x->families) {
		const struct family *f = slot->value;

		if (!f->is_settled || slot->hash % rounds == round % rounds)
			touch(arg, f->key);
	}
	pthread_mutex_unlock(&x->lock);
}
