#include "control/event.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

enum { KEY_MAX = 512, BATCH = 32, PRUNE_BATCH = 100 };
static const int64_t keep_us = EVENT_KEEP_S * INT64_C(1000000);

struct pending {
	struct list at;
	json_t *event; /* as a new one */
};

struct event_log {
	struct store *store;
	struct index *index;
	pthread_mutex_t lock;
	struct list pending;
	size_t pending_n;
	struct map seen; /* "ns/name" to the time at which it last happened */
};

struct event_log *event_log_new(struct store *s, struct index *x)
{
	struct event_log *l = mem_alloc(sizeof(*l));

	l->store = s;
	l->index = x;
	pthread_mutex_init(&l->lock, NULL);
	list_init(&l->pending);
	return l;
}

static void pending_free(struct pending *p)
{
	list_remove(&p->at);
	json_decref(p->event);
	free(p);
}

void event_log_free(struct event_log *l)
{
	struct list *at;

	if (!l)
		return;
	while ((at = list_pop_front(&l->pending)))
		pending_free(list_entry(at, struct pending, at));
	map_for_each (slot, &l->seen)
		free(slot->value);
	map_done(&l->seen);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* "orders.17f0c2a9b1d3e4f5": the same object, reason and message give the same name. */
static json_t *name_of(const struct outcome_event *ev)
{
	const char *name = jv_str_or(ev->about, "metadata.name", "");
	struct buf b = {0};
	json_t *ret;

	buf_printf(
		&b, "%s/%s/%s", jv_str_or(ev->about, "metadata.uid", name), ev->reason,
		ev->message);
	ret = json_sprintf("%s.%016llx", name, (unsigned long long)str_hash(buf_view(&b)));
	buf_done(&b);
	return ret;
}

static json_t *event_new(const struct outcome_event *ev)
{
	const char *ns = jv_str_or(ev->about, "metadata.namespace", "");
	char now[CLOCK_TEXT];
	json_t *o = json_pack(
		"{s:s, s:s, s:{s:o, s:s}, s:{s:O?, s:O?, s:O?, s:O?}, s:s, s:s, s:s, s:i, s:s, "
		"s:s, "
		"s:{s:s}}",
		"apiVersion", "v1", "kind", "Event", "metadata", "name", name_of(ev), "namespace",
		*ns ? ns : "default", "involvedObject", "apiVersion",
		json_object_get(ev->about, "apiVersion"), "kind",
		json_object_get(ev->about, "kind"), "name", jv_at(ev->about, "metadata.name"),
		"uid", jv_at(ev->about, "metadata.uid"), "reason", ev->reason, "message",
		ev->message, "type", ev->is_warning ? "Warning" : "Normal", "count", 1,
		"firstTimestamp", clock_text_s(clock_wall_us(), now), "lastTimestamp", now,
		"source", "component", "slipway");

	if (*ns)
		jv_set_str(o, "involvedObject.namespace", ns);
	return o;
}

void event_log_add(struct event_log *l, const struct outcome_event *ev)
{
	struct pending *p = mem_alloc(sizeof(*p));

	list_init(&p->at);
	p->event = event_new(ev);
	pthread_mutex_lock(&l->lock);
	if (p->event && l->pending_n < EVENT_PENDING_MAX) {
		list_push_back(&l->pending, &p->at);
		l->pending_n++;
		p = NULL;
	}
	pthread_mutex_unlock(&l->lock);
	if (p)
		pending_free(p);
}

static struct str key_of(const json_t *event, char ret[KEY_MAX])
{
	int n = snprintf(
		ret, KEY_MAX, "%s/%s", jv_str_or(event, "metadata.namespace", ""),
		jv_str_or(event, "metadata.name", ""));

	return (struct str){ret, (size_t)MIN(n, KEY_MAX - 1)};
}

static int64_t last_of(const json_t *event)
{
	const char *text = jv_str(event, "lastTimestamp");
	int64_t at;

	if (!text)
		text = jv_str(event, "eventTime");
	if (!text)
		text = jv_str_or(event, "metadata.creationTimestamp", "");
	return clock_parse(str_of(text), &at, NULL) ? 0 : at;
}

void event_log_seen(struct event_log *l, const json_t *event, bool is_deleted)
{
	char text[KEY_MAX];
	struct str key = key_of(event, text);
	int64_t *at = NULL;

	if (!is_deleted) {
		at = mem_alloc(sizeof(*at));
		*at = last_of(event);
	}
	pthread_mutex_lock(&l->lock);
	free(is_deleted ? map_remove(&l->seen, key) : map_put(&l->seen, key, at));
	pthread_mutex_unlock(&l->lock);
}

void event_log_written(struct event_log *l, const char *ns, const char *name, int64_t now_us)
{
	char text[KEY_MAX];
	int n = snprintf(text, KEY_MAX, "%s/%s", ns, name);
	int64_t *at = mem_alloc(sizeof(*at));

	*at = now_us;
	pthread_mutex_lock(&l->lock);
	free(map_put(&l->seen, (struct str){text, (size_t)MIN(n, KEY_MAX - 1)}, at));
	pthread_mutex_unlock(&l->lock);
}

/* One that is there already happened again. */
static enum err_code count_up(
	struct event_log *l, struct store_key key, const json_t *event, json_t **ret, struct err *e)
{
	enum err_code code = store_get(l->store, key, ret, e);

	if (code)
		return code;
	if (clock_wall_us() - last_of(*ret) > keep_us) {
		json_object_set(*ret, "firstTimestamp", json_object_get(event, "firstTimestamp"));
		json_object_set_new(*ret, "count", json_integer(0));
	}
	json_object_set_new(*ret, "count", json_integer(jv_int(*ret, "count", 0) + 1));
	json_object_set(*ret, "lastTimestamp", json_object_get(event, "lastTimestamp"));
	return ERR_OK;
}

static struct store_key store_key_of(const json_t *event)
{
	return (struct store_key){
		"Event", jv_str_or(event, "metadata.namespace", ""),
		jv_str_or(event, "metadata.name", "")};
}

static enum err_code write_one(struct event_log *l, json_t *event, struct err *e)
{
	struct store_write w = {.verb = STORE_CREATE, .key = store_key_of(event), .object = event};
	CLEANUP(jv_drop) json_t *again = NULL;
	enum err_code code = store_write(l->store, &w, 1, e);

	if (code == ERR_EXISTS) {
		code = count_up(l, w.key, event, &again, e);
		w.verb = STORE_UPDATE;
		w.object = again;
		if (!code)
			code = store_write(l->store, &w, 1, e);
	}
	json_decref(w.ret);
	return code;
}

static bool is_seen(struct event_log *l, const json_t *event)
{
	char text[KEY_MAX];
	bool is;

	pthread_mutex_lock(&l->lock);
	is = map_get(&l->seen, key_of(event, text)) != NULL;
	pthread_mutex_unlock(&l->lock);
	return is;
}

/* All new ones in one transaction; one by one where that cannot be. */
static enum err_code write_batch(struct event_log *l, json_t **events, size_t n, struct err *e)
{
	struct store_write w[BATCH] = {0};
	bool is_all_new = n > 1;
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < n; i++) {
		w[i] = (struct store_write){
			.verb = STORE_CREATE, .key = store_key_of(events[i]), .object = events[i]};
		is_all_new &= !is_seen(l, events[i]);
		for (size_t j = 0; j < i; j++)
			is_all_new &= strcmp(w[i].key.name, w[j].key.name) != 0;
	}
	if (is_all_new) {
		code = store_write(l->store, w, n, e);
		for (size_t i = 0; i < n; i++)
			json_decref(w[i].ret);
		if (!code || code == ERR_UNAVAILABLE)
			return code;
	}
	for (size_t i = 0; i < n; i++) {
		code = write_one(l, events[i], e);
		if (code == ERR_UNAVAILABLE)
			return code;
	}
	return ERR_OK;
}

/* Events of a namespace that comes to an end would outlive it. */
static bool has_home(struct event_log *l, const json_t *event)
{
	const char *ns = jv_str_or(event, "metadata.namespace", "");

	return !strcmp(ns, "default") || index_is_open(l->index, ns);
}

static size_t take(struct event_log *l, struct list *ret, json_t **events)
{
	size_t n = 0;
	struct list *at;

	pthread_mutex_lock(&l->lock);
	while (n < BATCH && (at = list_pop_front(&l->pending))) {
		list_push_back(ret, at);
		events[n++] = list_entry(at, struct pending, at)->event;
		l->pending_n--;
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

static void give_back(struct event_log *l, struct list *taken)
{
	struct list *at;

	pthread_mutex_lock(&l->lock);
	while (!list_is_empty(taken)) {
		at = taken->prev;
		list_remove(at);
		list_push_front(&l->pending, at);
		l->pending_n++;
	}
	pthread_mutex_unlock(&l->lock);
}

enum err_code event_log_flush(struct event_log *l, struct err *e)
{
	json_t *events[BATCH];
	struct list taken, *at;
	enum err_code code = ERR_OK;
	size_t n, kept;

	list_init(&taken);
	while (!code && (n = take(l, &taken, events))) {
		kept = 0;
		for (size_t i = 0; i < n; i++)
			if (has_home(l, events[i]))
				events[kept++] = events[i];
		code = kept ? write_batch(l, events, kept, e) : ERR_OK;
		if (code)
			give_back(l, &taken);
		while ((at = list_pop_front(&taken)))
			pending_free(list_entry(at, struct pending, at));
	}
	return code;
}

/* Names of some that are over: "ns/name" each. */
static size_t find_old(struct event_log *l, int64_t now_us, char **ret)
{
	size_t n = 0;

	pthread_mutex_lock(&l->lock);
	map_for_each (slot, &l->seen)
		if (n < PRUNE_BATCH && now_us - *(int64_t *)slot->value > keep_us)
			ret[n++] = mem_strdup(slot->key);
	pthread_mutex_unlock(&l->lock);
	return n;
}

static enum err_code delete_old(struct event_log *l, char *key, struct err *e)
{
	char *slash = strchr(key, '/');
	struct store_write w = {.verb = STORE_DELETE};
	enum err_code code;

	*slash = 0;
	w.key = (struct store_key){"Event", key, slash + 1};
	code = store_write(l->store, &w, 1, e);
	json_decref(w.ret);
	*slash = '/';
	if (code && code != ERR_NOT_FOUND)
		return code;
	pthread_mutex_lock(&l->lock);
	free(map_remove(&l->seen, str_of(key)));
	pthread_mutex_unlock(&l->lock);
	return ERR_OK;
}

enum err_code event_log_prune(struct event_log *l, int64_t now_us, struct err *e)
{
	char *keys[PRUNE_BATCH];
	enum err_code code = ERR_OK;
	size_t n;

	do {
		n = find_old(l, now_us, keys);
		for (size_t i = 0; i < n; i++) {
			if (!code)
				code = delete_old(l, keys[i], e);
			free(keys[i]);
		}
	} while (n == PRUNE_BATCH && !code);
	return code;
}
