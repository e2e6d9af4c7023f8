#include "api/gateway_routes.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/gateway_book.h"
#include "api/hash.h"
#include "base/clock.h"
#include "base/wake.h"
#include "kinds/gateway_route.h"

struct gateway_routes {
	struct store *store;
	struct fleet *lags;
	gateway_routes_on_change *on_change;
	void *arg;
	struct gateway_book book; /* its lock guards all of ours, too */
	struct list by_change; /* routes in the order in which they last changed */
	int64_t changes; /* counts them */
	size_t n; /* routes that have a text */
	pthread_t thread;
	bool has_thread, is_stopping;
};

/* All from here to the thread: under the lock. */

static json_t *parse_own(const char *text)
{
	json_t *ret = NULL;

	jv_parse(str_of(text), SIZE_MAX, &ret, NULL);
	assert(ret);
	return ret;
}

static json_t *route_make(struct gateway_routes *r, const struct gateway_entry *route)
{
	CLEANUP(jv_drop) json_t *database = parse_own(route->digest);
	CLEANUP(jv_drop) json_t *members = json_array();
	CLEANUP(jv_drop) json_t *lags = json_object();
	CLEANUP(jv_drop) json_t *verifiers = gateway_book_verifiers(&r->book, route, database);
	const struct gateway_route_in in = {
		.database = database,
		.members = members,
		.verifiers = verifiers,
		.lags = lags,
		.revision = route->revision,
	};

	list_for_each (at, &route->members) {
		const struct gateway_member *m = list_entry(at, struct gateway_member, in_route);

		json_array_append_new(members, parse_own(m->digest));
		if (m->lag != GATEWAY_LAG_UNKNOWN)
			json_object_set_new(lags, m->name, json_integer(m->lag_bytes));
	}
	return gateway_route(&in);
}

static void
route_tell(struct gateway_routes *r, struct gateway_entry *route, char *text, uint64_t hash)
{
	r->n += (text != NULL) - (size_t)(route->text != NULL);
	free(route->text);
	route->text = text;
	route->hash = hash;
	route->change = ++r->changes;
	list_remove(&route->by_change);
	list_push_back(&r->by_change, &route->by_change);
}

static char *line_of(const json_t *route)
{
	struct buf out = {0};

	buf_puts(&out, "{\"type\":\"database\",\"database\":");
	jv_print(&out, route, false);
	buf_puts(&out, "}\n");
	return out.p;
}

/* True: it is another one now. */
static bool refresh(struct gateway_routes *r, struct gateway_entry *route)
{
	CLEANUP(jv_drop) json_t *now = NULL;
	uint64_t hash;

	if (!route->digest) {
		bool was_told = route->text != NULL;

		if (was_told) {
			route_tell(r, route, NULL, 0);
			route->gone_ms = clock_mono_ms();
		}
		gateway_book_forget_if_empty(&r->book, route);
		return was_told;
	}
	now = route_make(r, route);
	json_object_set_new(now, "revision", json_integer(0));
	hash = hash_value(now);
	if (route->text && route->hash == hash)
		return false;
	json_object_set_new(now, "revision", json_integer(route->revision));
	route->gone_ms = 0;
	route_tell(r, route, line_of(now), hash);
	return true;
}

/* Lags. */

static enum gateway_lag class_of(const struct gateway_member *m, int64_t lag_bytes)
{
	if (lag_bytes < 0)
		return GATEWAY_LAG_UNKNOWN;
	return lag_bytes <= m->route->max_lag_bytes ? GATEWAY_LAG_WITHIN : GATEWAY_LAG_BEYOND;
}

static void member_hear(struct gateway_routes *r, struct gateway_member *m, int64_t lag_bytes)
{
	enum gateway_lag now = class_of(m, lag_bytes);

	if (now == m->lag)
		return;
	m->lag = now;
	m->lag_bytes = lag_bytes;
	gateway_book_touch(&r->book, m->route, 0);
}

static bool has_standbys(const struct gateway_entry *route)
{
	return route->members.next->next != &route->members && !list_is_empty(&route->members);
}

/* What is not heard here may be by another replica: the hosts to ask for. */
static void lags_look(struct gateway_routes *r, const struct map *heard, struct map *ret_hosts)
{
	pthread_mutex_lock(&r->book.lock);
	map_for_each (slot, &r->book.members) {
		struct gateway_member *m = slot->value;
		struct fleet_live l;
		json_t *said;

		if (!has_standbys(m->route))
			continue;
		l = fleet_live(r->lags, m->ns, m->name);
		said = map_get(heard, str_of(l.host));
		if (l.lag_bytes < 0 && said)
			l.lag_bytes = jv_int(json_object_get(said, m->uid), "lagBytes", -1);
		else if (l.lag_bytes < 0 && ret_hosts && *l.host)
			map_put(ret_hosts, str_of(l.host), m);
		if (l.lag_bytes >= 0 || !ret_hosts)
			member_hear(r, m, l.lag_bytes);
	}
	pthread_mutex_unlock(&r->book.lock);
}

static void lags_take(struct gateway_routes *r)
{
	struct map hosts = {0}, heard = {0};

	lags_look(r, &heard, &hosts);
	if (!hosts.n)
		return;
	map_for_each (slot, &hosts) {
		json_t *body = NULL;
		int64_t age_ms;

		if (store_pulse_get(r->store, slot->key, &body, &age_ms, NULL))
			continue;
		if (age_ms < FLEET_LIVE_MS)
			json_decref(map_put(&heard, (struct str){slot->key, slot->key_n}, body));
		else
			json_decref(body);
	}
	lags_look(r, &heard, NULL);
	map_for_each (slot, &heard)
		json_decref(slot->value);
	map_done(&hosts);
	map_done(&heard);
}

/* The thread. */

/* Every stream has heard of it by now. */
static void gone_forget(struct gateway_routes *r)
{
	int64_t before_ms = clock_mono_ms() - GATEWAY_ROUTES_GONE_MS;

	pthread_mutex_lock(&r->book.lock);
	list_for_each_safe (at, &r->by_change) {
		struct gateway_entry *route = list_entry(at, struct gateway_entry, by_change);

		if (!route->gone_ms || route->gone_ms > before_ms)
			continue;
		route->gone_ms = 0;
		if (list_is_empty(&route->dirty))
			gateway_book_forget_if_empty(&r->book, route);
	}
	pthread_mutex_unlock(&r->book.lock);
}

/* One after the other, so that nobody waits for the lock for long. */
static void refresh_all(struct gateway_routes *r)
{
	bool is_changed = false, is_more = true;

	while (is_more) {
		struct list *at;

		pthread_mutex_lock(&r->book.lock);
		at = list_pop_front(&r->book.dirty);
		if (at)
			is_changed |= refresh(r, list_entry(at, struct gateway_entry, dirty));
		is_more = at && !r->is_stopping;
		pthread_mutex_unlock(&r->book.lock);
	}
	if (is_changed)
		r->on_change(r->arg);
}

/* Until something is dirty or lags are due; false: stop. */
static bool rest(struct gateway_routes *r, int64_t until_ms)
{
	bool is_stopping;

	pthread_mutex_lock(&r->book.lock);
	while (!r->is_stopping && list_is_empty(&r->book.dirty) &&
	       wake_wait(&r->book.wake, &r->book.lock, until_ms))
		;
	is_stopping = r->is_stopping;
	pthread_mutex_unlock(&r->book.lock);
	return !is_stopping;
}

static void *routes_run(void *arg)
{
	struct gateway_routes *r = arg;
	int64_t lags_ms = clock_mono_ms() + GATEWAY_ROUTES_LAGS_MS;

	while (rest(r, lags_ms)) {
		if (clock_mono_ms() >= lags_ms) {
			lags_take(r);
			gone_forget(r);
			lags_ms = clock_mono_ms() + GATEWAY_ROUTES_LAGS_MS;
		}
		refresh_all(r);
	}
	return NULL;
}

enum err_code gateway_routes_new(
	struct store *s, struct fleet *lags, gateway_routes_on_change *on_change, void *arg,
	struct gateway_routes **ret, struct err *e)
{
	struct gateway_routes *r = mem_alloc(sizeof(*r));
	enum err_code code;

	*r = (struct gateway_routes){
		.store = s, .lags = lags, .on_change = on_change, .arg = arg, .changes = 1};
	list_init(&r->by_change);
	gateway_book_init(&r->book);
	code = gateway_book_follow(&r->book, s, e);
	if (!code)
		refresh_all(r); /* who asks now must get all, or would take the rest for gone */
	if (!code && pthread_create(&r->thread, NULL, routes_run, r))
		code = err_set(e, ERR_LIMIT, "no thread for the routes of gateways");
	r->has_thread = !code;
	if (code) {
		gateway_routes_free(r);
		return code;
	}
	*ret = r;
	return ERR_OK;
}

void gateway_routes_stop(struct gateway_routes *r)
{
	if (!r)
		return;
	gateway_book_unfollow(&r->book);
	pthread_mutex_lock(&r->book.lock);
	r->is_stopping = true;
	pthread_cond_signal(&r->book.wake);
	pthread_mutex_unlock(&r->book.lock);
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	r->has_thread = false;
}

void gateway_routes_free(struct gateway_routes *r)
{
	if (!r)
		return;
	gateway_routes_stop(r);
	gateway_book_done(&r->book);
	free(r);
}

/* Printing. */

static void gone_print(const struct gateway_entry *route, struct buf *out)
{
	/* names are labels: nothing in them needs an escape */
	buf_printf(out, "{\"type\":\"gone\",\"name\":\"%s.%s\"}\n", route->ns, route->database);
}

void gateway_routes_print(struct gateway_routes *r, int64_t *position, struct buf *out)
{
	bool is_first = *position == 0;
	struct list *from;

	pthread_mutex_lock(&r->book.lock);
	from = &r->by_change;
	while (from->prev != &r->by_change &&
	       list_entry(from->prev, struct gateway_entry, by_change)->change > *position)
		from = from->prev;
	for (; from != &r->by_change; from = from->next) {
		const struct gateway_entry *route =
			list_entry(from, struct gateway_entry, by_change);

		if (route->text)
			buf_puts(out, route->text);
		else if (!is_first)
			gone_print(route, out);
	}
	*position = r->changes;
	pthread_mutex_unlock(&r->book.lock);
	if (is_first)
		buf_puts(out, "{\"type\":\"synced\"}\n");
}

size_t gateway_routes_count(struct gateway_routes *r)
{
	size_t n;

	pthread_mutex_lock(&r->book.lock);
	n = r->n;
	pthread_mutex_unlock(&r->book.lock);
	return n;
}
