#include "api/watch.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/read.h"
#include "api/rotation.h"
#include "api/selection.h"
#include "api/status.h"
#include "api/table.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/wake.h"

/* One watch. Made by its handler, freed by the keeper; events come on the store's thread. */
struct watch {
	struct list at;
	struct watches *watches;
	struct http_stream *stream;
	struct store_watch *source; /* NULL until it has started */
	const struct kind *kind;
	enum form form;
	enum table_include include;
	struct selection selection; /* with texts of our own */
	char *ns, *name;
	bool wants_bookmarks;
	bool has_columns; /* the first table has told its columns */
	struct buf line; /* reused */
	struct buf early; /* lines from before there is a stream */
	int64_t until_ms;
	bool is_over; /* guarded by watches.lock */
};

struct watches {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list all;
	bool is_stopping;
};

static void watch_end(struct watch *w)
{
	pthread_mutex_lock(&w->watches->lock);
	w->is_over = true;
	pthread_cond_signal(&w->watches->wake);
	pthread_mutex_unlock(&w->watches->lock);
}

static void on_gone(void *arg)
{
	watch_end(arg);
}

static void watch_free(struct watch *w)
{
	store_watch_stop(w->source);
	if (w->stream)
		http_stream_close(w->stream);
	selection_done(&w->selection);
	buf_done(&w->line);
	buf_done(&w->early);
	free(w->ns);
	free(w->name);
	free(w);
}

/* Events as lines. */

static const char *const type_names[] = {
	[STORE_ADDED] = "ADDED",
	[STORE_MODIFIED] = "MODIFIED",
	[STORE_DELETED] = "DELETED",
	[STORE_BOOKMARK] = "BOOKMARK",
};

static void send_line(struct watch *w)
{
	if (w->stream)
		http_stream_write(w->stream, buf_view(&w->line));
	else
		buf_str(&w->early, buf_view(&w->line));
}

static void send_text(struct watch *w, const char *type, struct str object)
{
	buf_clear(&w->line);
	buf_printf(&w->line, "{\"type\":\"%s\",\"object\":", type);
	buf_str(&w->line, object);
	buf_puts(&w->line, "}\n");
	send_line(w);
}

static void send_value(struct watch *w, const char *type, const json_t *object)
{
	buf_clear(&w->line);
	buf_printf(&w->line, "{\"type\":\"%s\",\"object\":", type);
	jv_print(&w->line, object, false);
	buf_puts(&w->line, "}\n");
	send_line(w);
}

static json_t *table_of(struct watch *w, const json_t *object)
{
	json_t *t = table_new(w->kind, !w->has_columns);

	w->has_columns = true;
	jv_set_str(t, "metadata.resourceVersion", jv_str(object, "metadata.resourceVersion"));
	table_add(t, w->kind, object, w->include);
	return t;
}

/* A new password that no server takes yet: it is told when one does. */
static bool is_too_early(const struct watch *w, enum store_event_type type, struct str text)
{
	CLEANUP(jv_drop) json_t *o = NULL;

	return type != STORE_DELETED && rotation_may_be_pending(w->kind, text) &&
		!jv_parse(text, SIZE_MAX, &o, NULL) && rotation_is_pending(w->kind, o);
}

static void send_object(struct watch *w, enum store_event_type type, struct str text)
{
	CLEANUP(jv_drop) json_t *o = NULL;
	CLEANUP(jv_drop) json_t *other = NULL;

	if (is_too_early(w, type, text))
		return;
	if (w->selection.is_exact && w->form == FORM_OBJECT) {
		send_text(w, type_names[type], text);
		return;
	}
	if (jv_parse(text, SIZE_MAX, &o, NULL) || !selection_takes(&w->selection, o))
		return;
	if (w->form == FORM_TABLE)
		other = table_of(w, o);
	else if (w->form == FORM_METADATA)
		other = table_metadata(o);
	send_value(w, type_names[type], other ? other : o);
}

static void send_bookmark(struct watch *w, int64_t revision, bool is_initial)
{
	CLEANUP(jv_drop) json_t *o = NULL;

	if (w->form == FORM_TABLE)
		o = table_new(w->kind, false);
	else
		o = json_pack(
			"{s:s, s:s, s:{s:n}}", "kind",
			w->form == FORM_METADATA ? "PartialObjectMetadata" : w->kind->name,
			"apiVersion",
			w->form == FORM_METADATA ? "meta.k8s.io/v1" : w->kind->api_version,
			"metadata", "creationTimestamp");
	jv_set(o, "metadata.resourceVersion", json_sprintf("%lld", (long long)revision));
	if (is_initial)
		json_object_set_new(
			jv_object_at(o, "metadata.annotations"), "k8s.io/initial-events-end",
			json_string("true"));
	send_value(w, type_names[STORE_BOOKMARK], o);
}

static void on_event(void *arg, const struct store_event *ev, enum err_code code)
{
	struct watch *w = arg;
	CLEANUP(jv_drop) json_t *status = NULL;

	if (code) {
		status = code == ERR_GONE ? status_expired("too old resource version")
					  : status_unavailable(1);
		send_value(w, "ERROR", status);
		watch_end(w);
	} else if (ev->type == STORE_BOOKMARK) {
		if (w->wants_bookmarks)
			send_bookmark(w, ev->revision, false);
	} else {
		send_object(w, ev->type, ev->text);
	}
}

/* The keeper. */

/* Takes what is over out of the list, and says when the next one will be. */
static int64_t take_over(struct watches *all, struct list *ret)
{
	int64_t now = clock_mono_ms(), next = now + 60000;

	list_for_each_safe (at, &all->all) {
		struct watch *w = list_entry(at, struct watch, at);

		if (w->is_over || w->until_ms <= now || all->is_stopping) {
			list_remove(&w->at);
			list_push_back(ret, &w->at);
		} else {
			next = MIN(next, w->until_ms);
		}
	}
	return next;
}

static void *keeper_run(void *arg)
{
	struct watches *all = arg;
	bool is_running = true;

	while (is_running) {
		struct list over, *at;
		int64_t next;

		list_init(&over);
		pthread_mutex_lock(&all->lock);
		next = take_over(all, &over);
		is_running = !all->is_stopping;
		if (is_running && list_is_empty(&over))
			wake_wait(&all->wake, &all->lock, next);
		pthread_mutex_unlock(&all->lock);
		while ((at = list_pop_front(&over)))
			watch_free(list_entry(at, struct watch, at));
	}
	return NULL;
}

enum err_code watches_new(struct watches **ret, struct err *e)
{
	struct watches *all = mem_alloc(sizeof(*all));

	list_init(&all->all);
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->wake, NULL);
	if (pthread_create(&all->thread, NULL, keeper_run, all)) {
		free(all);
		return err_set(e, ERR_LIMIT, "no thread for ending watches");
	}
	*ret = all;
	return ERR_OK;
}

void watches_free(struct watches *all)
{
	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	all->is_stopping = true;
	pthread_cond_signal(&all->wake);
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	pthread_cond_destroy(&all->wake);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* The beginning of a watch. */

static bool is_true(struct call *c, const char *name)
{
	const char *text = call_query(c, name, "");

	return !strcmp(text, "true") || !strcmp(text, "1");
}

static json_t *read_timeout(struct call *c, int64_t *ret_until_ms)
{
	const char *text = call_query(c, "timeoutSeconds", NULL);
	int64_t now = clock_mono_ms();
	uint64_t s = WATCH_TIMEOUT_S + (uint64_t)now % WATCH_TIMEOUT_S;

	if (text && !str_to_u64(str_of(text), &s))
		return status_bad_request(
			"timeoutSeconds: Invalid value: \"%s\": must be a number", text);
	if (!s)
		s = WATCH_TIMEOUT_S;
	*ret_until_ms = now + (int64_t)MIN(s, (uint64_t)WATCH_TIMEOUT_MAX_S) * 1000;
	return NULL;
}

static json_t *check_initial(struct call *c)
{
	const char *match = call_query(c, "resourceVersionMatch", "");

	if (is_true(c, "sendInitialEvents")) {
		if (strcmp(match, "NotOlderThan") != 0)
			return status_bad_option(
				"ListOptions", "resourceVersionMatch", "FieldValueForbidden",
				"Forbidden: sendInitialEvents requires setting "
				"resourceVersionMatch to NotOlderThan");
		return NULL;
	}
	if (*match)
		return status_bad_option(
			"ListOptions", "resourceVersionMatch", "FieldValueForbidden",
			"Forbidden: resourceVersionMatch is forbidden for watch unless "
			"sendInitialEvents is provided");
	return NULL;
}

static bool on_initial(void *arg, const char *ns, const char *name, struct str text)
{
	struct watch *w = arg;

	(void)ns;
	(void)name;
	send_object(w, STORE_ADDED, text);
	return w->early.n <= WATCH_STREAM_MAX;
}

/* All there is now, as ADDED; *ret_revision is where the watch goes on. */
static enum err_code
send_initial(struct call *c, struct watch *w, int64_t *ret_revision, struct err *e)
{
	enum err_code code = store_list(
		c->api->store, w->kind->name, &w->selection.store, 0, NULL, on_initial, w,
		ret_revision, e);

	if (!code && is_true(c, "sendInitialEvents") && w->wants_bookmarks)
		send_bookmark(w, *ret_revision, true);
	return code;
}

static struct watch *watch_make(struct call *c, struct selection *selection, int64_t until_ms)
{
	struct watch *w = mem_alloc(sizeof(*w));

	w->watches = c->api->watches;
	w->kind = c->route.kind;
	w->form = c->accept.form;
	w->selection = *selection;
	*selection = (struct selection){0};
	/* the request's texts end with it */
	w->ns = w->selection.store.ns ? mem_strdup(w->selection.store.ns) : NULL;
	w->name = w->selection.store.name ? mem_strdup(w->selection.store.name) : NULL;
	w->selection.store.ns = w->ns;
	w->selection.store.name = w->name;
	w->wants_bookmarks = is_true(c, "allowWatchBookmarks");
	w->until_ms = until_ms;
	table_include_parse(http_query(c->rq, "includeObject"), &w->include);
	return w;
}

/* What there is now, where the query asks for it; *revision becomes where to go on. */
static json_t *watch_begin(struct call *c, struct watch *w, int64_t *revision)
{
	bool has_initial = *revision <= 0 || is_true(c, "sendInitialEvents");
	struct err e = {0};
	enum err_code code = ERR_OK;
	json_t *status = NULL;
	int retry_s = 1;

	if (!store_is_up(c->api->store, &retry_s))
		return status_unavailable(retry_s);
	if (has_initial && w->form == FORM_OBJECT && !strcmp(w->kind->name, "Secret"))
		status = rotation_finish_all(c); /* to be told it is to have fetched it */
	if (status)
		return status;
	if (has_initial)
		code = send_initial(c, w, revision, &e);
	if (!code && w->early.n > WATCH_STREAM_MAX)
		return status_too_large(WATCH_STREAM_MAX);
	return code ? status_of_err(w->kind, NULL, code, &e) : NULL;
}

/* From here on there is a stream; also a revision that is too old is said in it, as Kubernetes'
 * watch cache does. */
static void watch_follow(struct call *c, struct watch *w, int64_t revision)
{
	struct err e = {0};
	enum err_code code;

	w->stream = http_stream_new(c->rq, WATCH_STREAM_MAX, on_gone, w);
	c->rs->content_type = "application/json";
	c->rs->stream = w->stream;
	http_stream_write(w->stream, buf_view(&w->early));
	buf_done(&w->early);
	code = store_watch_start(
		c->api->store, w->kind->name, &w->selection.store, revision, on_event, w,
		&w->source, &e);
	if (code)
		on_event(w, NULL, code);
}

static void watch_add(struct watch *w)
{
	pthread_mutex_lock(&w->watches->lock);
	list_push_back(&w->watches->all, &w->at);
	pthread_cond_signal(&w->watches->wake);
	pthread_mutex_unlock(&w->watches->lock);
}

json_t *watch_handle(struct call *c)
{
	struct selection selection = {0};
	int64_t asked = -1, until_ms = 0;
	json_t *status = read_timeout(c, &until_ms);
	struct watch *w;

	if (!status)
		status = read_revision(c, &asked);
	if (!status)
		status = check_initial(c);
	if (!status)
		status = selection_read(c, &selection);
	if (status)
		return status;
	w = watch_make(c, &selection, until_ms);
	status = watch_begin(c, w, &asked);
	if (status) {
		watch_free(w);
		return status;
	}
	watch_follow(c, w, asked);
	watch_add(w);
	return NULL;
}
