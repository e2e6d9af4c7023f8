#include "api/lines.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/wake.h"

/* One client's stream. It is freed by the sender, and by nobody else. */
struct line {
	struct list at;
	struct lines *lines;
	struct http_stream *stream;
	char *client;
	int64_t position;
	bool is_dirty; /* there is something to say */
	bool is_over; /* the client has gone, or another stream took its place */
};

struct lines {
	lines_print *print;
	void *arg;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list all;
	struct map newest; /* by client: the newest line of each */
	bool is_stopping;
};

void lines_touch(struct lines *w, const char *client)
{
	struct line *one = NULL;

	pthread_mutex_lock(&w->lock);
	if (client)
		one = map_get(&w->newest, str_of(client));
	if (one)
		one->is_dirty = true;
	if (!client)
		list_for_each (at, &w->all)
			list_entry(at, struct line, at)->is_dirty = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static void on_gone(void *arg)
{
	struct line *l = arg;

	pthread_mutex_lock(&l->lines->lock);
	l->is_over = true;
	pthread_cond_signal(&l->lines->wake);
	pthread_mutex_unlock(&l->lines->lock);
}

/* Takes the lines that are over out of the list; closing them waits for on_gone, so it is done
 * without the lock. */
static void take_over(struct lines *w, struct list *ret)
{
	list_for_each_safe (at, &w->all) {
		struct line *l = list_entry(at, struct line, at);

		if (!l->is_over && !w->is_stopping)
			continue;
		if (map_get(&w->newest, str_of(l->client)) == l)
			map_remove(&w->newest, str_of(l->client));
		list_remove(&l->at);
		list_push_back(ret, &l->at);
	}
}

static void close_all(struct list *over)
{
	struct list *at;

	while ((at = list_pop_front(over))) {
		struct line *l = list_entry(at, struct line, at);

		http_stream_close(l->stream);
		free(l->client);
		free(l);
	}
}

/* Under the lock, which keeps the line alive; a write never blocks. */
static void line_send(struct lines *w, struct line *l, bool is_ping_due, struct buf *text)
{
	if (l->is_dirty) {
		buf_clear(text);
		w->print(w->arg, l->client, &l->position, text);
		if (text->n)
			http_stream_write(l->stream, buf_view(text));
	} else if (is_ping_due) {
		http_stream_write(l->stream, STR("{\"type\":\"ping\"}\n"));
	}
	l->is_dirty = false;
}

static void send_all(struct lines *w, bool is_ping_due, struct buf *text)
{
	list_for_each (at, &w->all) {
		struct line *l = list_entry(at, struct line, at);

		if (!l->is_over)
			line_send(w, l, is_ping_due, text);
	}
}

static bool has_work(const struct lines *w)
{
	list_for_each (at, &w->all) {
		const struct line *l = list_entry(at, struct line, at);

		if (l->is_dirty || l->is_over)
			return true;
	}
	return w->is_stopping;
}

/* Until something is to be done or the ping is due. */
static void wait_for_work(struct lines *w, int64_t until_ms)
{
	if (!has_work(w))
		wake_wait(&w->wake, &w->lock, until_ms);
}

static void *lines_run(void *arg)
{
	struct lines *w = arg;
	int64_t ping_ms = clock_mono_ms() + LINES_PING_MS;
	struct buf text = {0};
	bool is_running = true;

	while (is_running) {
		struct list over;

		list_init(&over);
		pthread_mutex_lock(&w->lock);
		wait_for_work(w, ping_ms);
		take_over(w, &over);
		send_all(w, clock_mono_ms() >= ping_ms, &text);
		is_running = !w->is_stopping;
		pthread_mutex_unlock(&w->lock);
		close_all(&over);
		if (clock_mono_ms() >= ping_ms)
			ping_ms = clock_mono_ms() + LINES_PING_MS;
	}
	buf_done(&text);
	return NULL;
}

enum err_code lines_new(lines_print *print, void *arg, struct lines **ret, struct err *e)
{
	struct lines *w = mem_alloc(sizeof(*w));

	w->print = print;
	w->arg = arg;
	list_init(&w->all);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->has_thread = !pthread_create(&w->thread, NULL, lines_run, w);
	if (!w->has_thread) {
		lines_free(w);
		return err_set(e, ERR_LIMIT, "no thread for sending lines");
	}
	*ret = w;
	return ERR_OK;
}

void lines_free(struct lines *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	map_done(&w->newest);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void lines_open(struct lines *w, struct call *c)
{
	struct line *l = mem_alloc(sizeof(*l)), *before;

	l->lines = w;
	l->client = mem_strdup(c->user.name);
	l->is_dirty = true;
	l->stream = http_stream_new(c->rq, LINES_STREAM_MAX, on_gone, l);
	c->rs->content_type = "application/json";
	c->rs->stream = l->stream;
	pthread_mutex_lock(&w->lock);
	before = map_put(&w->newest, str_of(l->client), l);
	if (before)
		before->is_over = true;
	list_push_back(&w->all, &l->at);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}
