#include "api/wants.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/status.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/wake.h"

/* One host's stream. It is freed by the sender, and by nobody else. */
struct line {
	struct list at;
	struct wants *wants;
	struct http_stream *stream;
	char *host;
	bool is_dirty; /* there is something to say */
	bool is_over; /* the client has gone, or another stream took its place */
};

struct wants {
	struct fleet *fleet;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list lines;
	struct map by_host; /* the newest line of each host */
	bool is_stopping;
};

static void on_change(void *arg, const char *host)
{
	struct wants *w = arg;
	struct line *l;

	pthread_mutex_lock(&w->lock);
	l = map_get(&w->by_host, str_of(host));
	if (l) {
		l->is_dirty = true;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
}

static void on_gone(void *arg)
{
	struct line *l = arg;

	pthread_mutex_lock(&l->wants->lock);
	l->is_over = true;
	pthread_cond_signal(&l->wants->wake);
	pthread_mutex_unlock(&l->wants->lock);
}

/* Takes the lines that are over out of the list; closing them waits for on_gone, so it is done
 * without the lock. */
static void lines_take_over(struct wants *w, struct list *ret)
{
	list_for_each_safe (at, &w->lines) {
		struct line *l = list_entry(at, struct line, at);

		if (!l->is_over && !w->is_stopping)
			continue;
		if (map_get(&w->by_host, str_of(l->host)) == l)
			map_remove(&w->by_host, str_of(l->host));
		list_remove(&l->at);
		list_push_back(ret, &l->at);
	}
}

static void lines_close(struct list *over)
{
	struct list *at;

	while ((at = list_pop_front(over))) {
		struct line *l = list_entry(at, struct line, at);

		http_stream_close(l->stream);
		free(l->host);
		free(l);
	}
}

/* Under the lock, which keeps the line alive; a write never blocks. */
static void line_send(struct wants *w, struct line *l, bool is_ping_due, struct buf *text)
{
	if (l->is_dirty) {
		buf_clear(text);
		fleet_wants(w->fleet, l->host, text);
		http_stream_write(l->stream, buf_view(text));
	} else if (is_ping_due) {
		http_stream_write(l->stream, STR("{\"type\":\"ping\"}\n"));
	}
	l->is_dirty = false;
}

static void lines_send(struct wants *w, bool is_ping_due, struct buf *text)
{
	list_for_each (at, &w->lines) {
		struct line *l = list_entry(at, struct line, at);

		if (!l->is_over)
			line_send(w, l, is_ping_due, text);
	}
}

static bool has_work(const struct wants *w)
{
	list_for_each (at, &w->lines) {
		const struct line *l = list_entry(at, struct line, at);

		if (l->is_dirty || l->is_over)
			return true;
	}
	return w->is_stopping;
}

/* Until something is to be done or the ping is due. */
static void wait_for_work(struct wants *w, int64_t until_ms)
{
	if (!has_work(w))
		wake_wait(&w->wake, &w->lock, until_ms);
}

static void *wants_run(void *arg)
{
	struct wants *w = arg;
	int64_t ping_ms = clock_mono_ms() + WANTS_PING_MS;
	struct buf text = {0};
	bool is_running = true;

	while (is_running) {
		struct list over;

		list_init(&over);
		pthread_mutex_lock(&w->lock);
		wait_for_work(w, ping_ms);
		lines_take_over(w, &over);
		lines_send(w, clock_mono_ms() >= ping_ms, &text);
		is_running = !w->is_stopping;
		pthread_mutex_unlock(&w->lock);
		lines_close(&over);
		if (clock_mono_ms() >= ping_ms)
			ping_ms = clock_mono_ms() + WANTS_PING_MS;
	}
	buf_done(&text);
	return NULL;
}

enum err_code wants_new(struct store *s, struct wants **ret, struct err *e)
{
	struct wants *w = mem_alloc(sizeof(*w));
	enum err_code code;

	list_init(&w->lines);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	code = fleet_new(s, on_change, w, &w->fleet, e);
	if (!code && pthread_create(&w->thread, NULL, wants_run, w))
		code = err_set(e, ERR_LIMIT, "no thread for sending wants");
	w->has_thread = !code;
	if (code) {
		wants_free(w);
		return code;
	}
	*ret = w;
	return ERR_OK;
}

void wants_free(struct wants *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	fleet_free(w->fleet);
	map_done(&w->by_host);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

struct fleet *wants_fleet(struct wants *w)
{
	return w->fleet;
}

/* A host that has just joined may not have come round to the fleet yet. */
static json_t *check_host(struct call *c)
{
	const struct kind *k = kind_by_name("Host");
	CLEANUP(jv_drop) json_t *host = NULL;
	struct err e = {0};
	enum err_code code = ERR_OK;

	if (!fleet_has_host(c->api->wants->fleet, c->user.name))
		code = store_get(
			c->api->store, (struct store_key){k->name, "", c->user.name}, &host, &e);
	return code ? status_of_err(k, c->user.name, code, &e) : NULL;
}

json_t *wants_handle(struct call *c)
{
	struct wants *w = c->api->wants;
	json_t *status = check_host(c);
	struct line *l, *before;

	if (status)
		return status;
	l = mem_alloc(sizeof(*l));
	l->wants = w;
	l->host = mem_strdup(c->user.name);
	l->is_dirty = true;
	l->stream = http_stream_new(c->rq, WANTS_STREAM_MAX, on_gone, l);
	c->rs->content_type = "application/json";
	c->rs->stream = l->stream;
	pthread_mutex_lock(&w->lock);
	before = map_put(&w->by_host, str_of(l->host), l);
	if (before)
		before->is_over = true;
	list_push_back(&w->lines, &l->at);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}
