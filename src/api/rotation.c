#include "api/rotation.h"

#include "base/clock.h"
#include "base/wake.h"

#include <pthread.h>

#include "api/selection.h"
#include "api/status.h"
#include "kinds/credential.h"

static const char *state_of(const json_t *secret)
{
	return json_string_value(
		json_object_get(jv_at(secret, "metadata.annotations"), CREDENTIAL_ROTATION));
}

bool rotation_is_pending(const struct kind *k, const json_t *object)
{
	return !strcmp(k->name, "Secret") &&
		!strcmp(jv_str_or(object, "type", ""), CREDENTIAL_TYPE) && state_of(object);
}

bool rotation_may_be_pending(const struct kind *k, struct str text)
{
	return !strcmp(k->name, "Secret") &&
		memmem(text.p, text.n, CREDENTIAL_ROTATION, strlen(CREDENTIAL_ROTATION));
}

/* Waiting for the end of one rotation: the watch thread looks, the worker sleeps. */
struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_over;
};

static void on_event(void *arg, const struct store_event *ev, enum err_code code)
{
	struct waiting *w = arg;
	bool is_over = code || ev->type == STORE_DELETED ||
		(ev->type != STORE_BOOKMARK &&
		 !memmem(ev->text.p, ev->text.n, CREDENTIAL_ROTATION, strlen(CREDENTIAL_ROTATION)));

	pthread_mutex_lock(&w->lock);
	w->is_over |= is_over;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static bool sleep_until_over(struct waiting *w)
{
	int64_t until_ms = clock_mono_ms() + ROTATION_WAIT_MS;
	bool is_over;

	pthread_mutex_lock(&w->lock);
	while (!w->is_over && wake_wait(&w->wake, &w->lock, until_ms))
		;
	is_over = w->is_over;
	pthread_mutex_unlock(&w->lock);
	return is_over;
}

static enum err_code
wait_for_end(struct call *c, struct store_key key, int64_t revision, struct err *e)
{
	struct store_filter filter = {.ns = key.ns, .name = key.name};
	struct waiting w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
	struct store_watch *watch;
	enum err_code code = store_watch_start(
		c->api->store, key.kind, &filter, revision, on_event, &w, &watch, e);
	bool is_over;

	if (code)
		return code;
	is_over = sleep_until_over(&w);
	store_watch_stop(watch);
	pthread_cond_destroy(&w.wake);
	pthread_mutex_destroy(&w.lock);
	if (is_over)
		return ERR_OK;
	return err_set(
		e, ERR_UNAVAILABLE,
		"the servers do not take the new password yet; the old one goes on working");
}

/* "pending" becomes "fetched"; *ret_revision is what to watch from. */
static enum err_code
say_fetched(struct call *c, struct store_key key, const json_t *o, int64_t *ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *next = json_deep_copy(o);
	struct store_write w = {.verb = STORE_UPDATE, .key = key, .object = next};
	enum err_code code;

	str_to_i64(str_of(jv_str_or(o, "metadata.resourceVersion", "0")), &w.if_revision);
	json_object_set_new(
		jv_object_at(next, "metadata.annotations"), CREDENTIAL_ROTATION,
		json_string("fetched"));
	code = store_write(c->api->store, &w, 1, e);
	if (code)
		return code;
	str_to_i64(str_of(jv_str_or(w.ret, "metadata.resourceVersion", "0")), ret);
	json_decref(w.ret);
	return ERR_OK;
}

static enum err_code finish(struct call *c, const json_t *o, struct err *e)
{
	struct store_key key = {
		"Secret", jv_str_or(o, "metadata.namespace", ""),
		jv_str_or(o, "metadata.name", "")};
	int64_t revision = 0;
	enum err_code code = ERR_OK;

	str_to_i64(str_of(jv_str_or(o, "metadata.resourceVersion", "0")), &revision);
	if (!strcmp(state_of(o), "pending"))
		code = say_fetched(c, key, o, &revision, e);
	if (code == ERR_CONFLICT || code == ERR_NOT_FOUND)
		return ERR_OK; /* it has moved on: whoever reads it again sees where to */
	return code ? code : wait_for_end(c, key, revision, e);
}

json_t *rotation_finish(struct call *c, json_t **object)
{
	struct store_key key = {"Secret", c->route.ns, c->route.name};
	enum { TRIES = 3 };
	struct err e = {0};
	enum err_code code = ERR_OK;

	for (int i = 0; i < TRIES && !code && rotation_is_pending(c->route.kind, *object); i++) {
		json_t *now = NULL;

		code = finish(c, *object, &e);
		if (!code)
			code = store_get(c->api->store, key, &now, &e);
		if (!code) {
			json_decref(*object);
			*object = now;
		}
	}
	if (!code && rotation_is_pending(c->route.kind, *object))
		code = err_set(&e, ERR_UNAVAILABLE, "the password changes too often to be read");
	if (code == ERR_UNAVAILABLE) {
		json_t *s = status_new(503, "ServiceUnavailable", "%s", e.text);

		json_object_set_new(s, "details", json_pack("{s:i}", "retryAfterSeconds", 2));
		return s;
	}
	return code ? status_of_err(c->route.kind, c->route.name, code, &e) : NULL;
}

json_t *rotation_finish_all(struct call *c)
{
	struct selection s;
	CLEANUP(jv_drop) json_t *items = NULL;
	struct err e = {0};
	json_t *status = selection_read(c, &s), *o;
	enum err_code code = ERR_OK;
	int64_t revision;
	size_t i;

	if (status)
		return status;
	code = store_list_json(c->api->store, "Secret", &s.store, &items, &revision, &e);
	json_array_foreach (items, i, o)
		if (!code && rotation_is_pending(c->route.kind, o))
			code = finish(c, o, &e);
	selection_done(&s);
	return code ? status_of_err(c->route.kind, NULL, code, &e) : NULL;
}
