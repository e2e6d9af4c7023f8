#include "http/async.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "http/handle.h"
#include "http/lines.h"

enum {
	BODY_MAX_BYTES = 16 * 1024 * 1024,
	CONNECTIONS = 4, /* kept when idle */
	KEEP_BYTES = 4096, /* a spare call gives larger buffers back */
};

struct http_async {
	struct http_client_conf conf;
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer; /* libcurl's */
	uv_timer_t silence; /* the next deadline of a stream */
	unsigned open; /* libuv handles that have not been closed yet */
	unsigned depth; /* above 0: libcurl or a done() is below us on the stack */
	bool is_dying;
	bool is_in_curl; /* nothing may be added to or taken from the multi handle */
	struct list calls;
	struct http_call *spare; /* with its libcurl handle, for the next call */
};

struct http_call {
	struct list at;
	struct http_async *h;
	CURL *curl;
	char why[CURL_ERROR_SIZE];
	struct curl_slist *headers;
	struct buf request;
	struct buf body;
	struct lines lines;
	bool is_added; /* to the multi handle */
	bool is_cancelled;
	bool is_done;
	bool is_over; /* more came than we take */
	bool is_stopped; /* on_line said false */
	int timeout_ms;
	int64_t last_ms; /* when a stream last brought something */
	http_line *on_line;
	http_done *done;
	void *arg;
};

/* One of libcurl's sockets, as libuv sees it. */
struct async_socket {
	uv_poll_t poll;
	struct http_async *h;
	curl_socket_t fd;
};

static void async_step(struct http_async *h, curl_socket_t fd, int events);

static void closed_one(struct http_async *h)
{
	if (--h->open)
		return;
	handle_conf_done(&h->conf);
	free(h);
}

static void on_socket_closed(uv_handle_t *u)
{
	struct async_socket *s = container_of((uv_poll_t *)u, struct async_socket, poll);
	struct http_async *h = s->h;

	free(s);
	closed_one(h);
}

static void on_timer_closed(uv_handle_t *u)
{
	closed_one(u->data);
}

static void on_ready(uv_poll_t *u, int status, int events)
{
	struct async_socket *s = container_of(u, struct async_socket, poll);
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	async_step(s->h, s->fd, flags);
}

static struct async_socket *socket_new(struct http_async *h, curl_socket_t fd)
{
	struct async_socket *s = mem_alloc(sizeof(*s));
	int no = uv_poll_init_socket(h->loop, &s->poll, fd);

	assert(no == 0);
	s->h = h;
	s->fd = fd;
	h->open++;
	curl_multi_assign(h->multi, fd, s);
	return s;
}

/* libcurl says what it waits for on a socket. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *slot)
{
	struct http_async *h = arg;
	struct async_socket *s = slot;
	int events = 0;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			uv_close((uv_handle_t *)&s->poll, on_socket_closed);
		curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		events |= UV_READABLE;
	if (what != CURL_POLL_IN)
		events |= UV_WRITABLE;
	if (!s)
		s = socket_new(h, fd);
	uv_poll_start(&s->poll, events, on_ready);
	return 0;
}

static void on_time(uv_timer_t *t)
{
	async_step(t->data, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl says when it wants to be called next. */
static int on_want_time(CURLM *multi, long ms, void *arg)
{
	struct http_async *h = arg;

	(void)multi;
	if (ms < 0)
		uv_timer_stop(&h->timer);
	else
		uv_timer_start(&h->timer, on_time, (uint64_t)ms, 0);
	return 0;
}

static void call_reset(struct http_call *c)
{
	curl_slist_free_all(c->headers);
	c->headers = NULL;
	buf_clear(&c->request);
	buf_clear(&c->body);
	lines_done(&c->lines);
	if (c->request.cap > KEEP_BYTES)
		buf_done(&c->request);
	if (c->body.cap > KEEP_BYTES)
		buf_done(&c->body);
	c->is_added = c->is_cancelled = c->is_done = c->is_over = c->is_stopped = false;
}

static void call_free(struct http_call *c)
{
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->headers);
	buf_done(&c->request);
	buf_done(&c->body);
	lines_done(&c->lines);
	free(c);
}

/* Out of libcurl's hands; not in one of its callbacks. */
static void call_detach(struct http_call *c)
{
	if (c->is_added)
		curl_multi_remove_handle(c->h->multi, c->curl);
	c->is_added = false;
	list_remove(&c->at);
}

static void call_drop(struct http_call *c)
{
	struct http_async *h = c->h;

	if (h->spare || h->is_dying) {
		call_free(c);
		return;
	}
	call_reset(c);
	h->spare = c;
}

static enum err_code call_outcome(struct http_call *c, CURLcode no, struct err *e)
{
	const char *url = c->h->conf.base_url;

	if (no == CURLE_OK || c->is_stopped)
		return ERR_OK;
	if (c->is_over)
		return err_set(e, ERR_LIMIT, "%s: the answer is larger than we take", url);
	return handle_error(&c->h->conf, no, c->why, e);
}

/* The one place that calls done(). */
static void call_end(struct http_call *c, enum err_code code, const char *why)
{
	long status = 0;

	if (code == ERR_OK)
		curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	call_detach(c);
	c->is_done = true;
	c->done(c->arg, code, (int)status, buf_view(&c->body), code == ERR_OK ? NULL : why);
	call_drop(c);
}

static void reap(struct http_async *h)
{
	CURLMsg *msg;
	int left;

	while (!h->is_dying && (msg = curl_multi_info_read(h->multi, &left))) {
		struct http_call *c = NULL;
		CURLcode no = msg->data.result;
		struct err e = {0};
		enum err_code code;

		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &c);
		if (c->is_cancelled) {
			call_detach(c);
			call_drop(c);
			continue;
		}
		code = call_outcome(c, no, &e);
		call_end(c, code, e.text);
	}
}

static void call_add(struct http_call *c)
{
	CURLMcode no = curl_multi_add_handle(c->h->multi, c->curl);

	assert(no == CURLM_OK);
	c->is_added = true;
}

/* What could not be done while libcurl was on the stack. */
static void settle(struct http_async *h)
{
	list_for_each_safe (at, &h->calls) {
		struct http_call *c = list_entry(at, struct http_call, at);

		if (c->is_cancelled) {
			call_detach(c);
			call_drop(c);
		} else if (!c->is_added) {
			call_add(c);
		}
	}
}

static void async_destroy(struct http_async *h)
{
	struct list *at;

	while ((at = h->calls.next) != &h->calls) {
		struct http_call *c = list_entry(at, struct http_call, at);

		call_detach(c);
		call_free(c);
	}
	if (h->spare)
		call_free(h->spare);
	curl_multi_cleanup(h->multi); /* closes its sockets through on_socket */
	uv_close((uv_handle_t *)&h->timer, on_timer_closed);
	uv_close((uv_handle_t *)&h->silence, on_timer_closed);
}

static void enter(struct http_async *h)
{
	h->depth++;
}

static void leave(struct http_async *h)
{
	if (--h->depth == 0 && h->is_dying)
		async_destroy(h);
}

static void async_step(struct http_async *h, curl_socket_t fd, int events)
{
	int running;

	enter(h);
	h->is_in_curl = true;
	curl_multi_socket_action(h->multi, fd, events, &running);
	h->is_in_curl = false;
	reap(h);
	if (!h->is_dying)
		settle(h);
	leave(h);
}

/* The first stream that was silent too long, or NULL; *ret_wait_ms: until the next one may be. */
static struct http_call *find_silent(struct http_async *h, int64_t *ret_wait_ms)
{
	int64_t now = clock_mono_ms();

	*ret_wait_ms = -1;
	list_for_each (at, &h->calls) {
		struct http_call *c = list_entry(at, struct http_call, at);
		int64_t wait = c->last_ms + c->timeout_ms - now;

		if (!c->on_line || c->is_cancelled)
			continue;
		if (wait <= 0)
			return c;
		if (*ret_wait_ms < 0 || wait < *ret_wait_ms)
			*ret_wait_ms = wait;
	}
	return NULL;
}

static void on_silence(uv_timer_t *t)
{
	struct http_async *h = t->data;
	struct http_call *c;
	int64_t wait_ms = -1;

	enter(h);
	while (!h->is_dying && (c = find_silent(h, &wait_ms))) {
		char why[128];

		snprintf(
			why, sizeof(why), "%.80s: nothing came for %d ms", h->conf.base_url,
			c->timeout_ms);
		call_end(c, ERR_TIMEOUT, why);
	}
	if (!h->is_dying && wait_ms >= 0)
		uv_timer_start(&h->silence, on_silence, (uint64_t)wait_ms, 0);
	leave(h);
}

static bool collect(struct http_call *c, struct str bytes)
{
	c->is_over = bytes.n > BODY_MAX_BYTES - c->body.n;
	if (!c->is_over)
		buf_str(&c->body, bytes);
	return !c->is_over;
}

static bool give_line(void *arg, struct str line)
{
	struct http_call *c = arg;

	return c->on_line(c->arg, line) && !c->is_cancelled;
}

static size_t on_bytes(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	struct str bytes = {p, size * n};
	enum lines_end end;
	long status = 0;

	c->last_ms = clock_mono_ms();
	if (c->is_cancelled)
		return 0; /* ends the transfer */
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (!c->on_line || status != 200)
		return collect(c, bytes) ? bytes.n : 0;
	end = lines_feed(&c->lines, bytes, give_line, c);
	c->is_stopped = end == LINES_STOP;
	c->is_over = end == LINES_TOO_LONG;
	return end == LINES_MORE ? bytes.n : 0;
}

static void timers_init(struct http_async *h)
{
	uv_timer_init(h->loop, &h->timer);
	uv_timer_init(h->loop, &h->silence);
	h->timer.data = h->silence.data = h;
	h->open = 2;
}

enum err_code http_async_new(
	uv_loop_t *loop, const struct http_client_conf *conf, struct http_async **ret,
	struct err *e)
{
	enum err_code code = handle_init(e);
	struct http_async *h;

	if (code != ERR_OK)
		return code;
	h = mem_alloc(sizeof(*h));
	h->conf = handle_conf_copy(conf);
	h->loop = loop;
	list_init(&h->calls);
	timers_init(h);
	h->multi = curl_multi_init();
	assert(h->multi);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_want_time);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
	*ret = h;
	return ERR_OK;
}

void http_async_free(struct http_async *h)
{
	if (!h)
		return;
	enter(h);
	h->is_dying = true;
	list_for_each (at, &h->calls)
		list_entry(at, struct http_call, at)->is_cancelled = true;
	leave(h);
}

static struct http_call *call_take(struct http_async *h)
{
	struct http_call *c = h->spare;

	h->spare = NULL;
	if (c)
		return c;
	c = mem_alloc(sizeof(*c));
	c->h = h;
	list_init(&c->at);
	c->curl = handle_new(&h->conf, c->why);
	curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	return c;
}

/* A stream's silence is bounded by our own timer, a call's whole by libcurl's. */
static void call_limit(struct http_call *c)
{
	struct http_async *h = c->h;
	uint64_t wait = (uint64_t)c->timeout_ms;

	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, c->on_line ? 0L : (long)c->timeout_ms);
	if (!c->on_line)
		return;
	if (!uv_is_active((uv_handle_t *)&h->silence) || uv_timer_get_due_in(&h->silence) > wait)
		uv_timer_start(&h->silence, on_silence, wait, 0);
}

struct http_call *http_async_call(
	struct http_async *h, const char *method, const char *path_and_query, struct str json_body,
	int timeout_ms, http_line *on_line, http_done *done, void *arg)
{
	struct http_call *c = call_take(h);
	struct handle_request rq = {.method = method, .path_and_query = path_and_query};

	assert(!h->is_dying && timeout_ms > 0);
	if (json_body.p) {
		buf_str(&c->request, json_body);
		rq.content_type = "application/json";
		rq.body = buf_view(&c->request);
	}
	c->why[0] = '\0';
	c->timeout_ms = timeout_ms;
	c->last_ms = clock_mono_ms();
	c->on_line = on_line;
	c->done = done;
	c->arg = arg;
	handle_prepare(c->curl, &h->conf, &rq, &c->headers);
	call_limit(c);
	list_push_back(&h->calls, &c->at);
	if (!h->is_in_curl)
		call_add(c);
	return c;
}

void http_async_cancel(struct http_call *c)
{
	if (c->is_done) /* from its own done() */
		return;
	c->is_cancelled = true;
	if (c->h->is_in_curl)
		return; /* settle() does the rest */
	call_detach(c);
	call_drop(c);
}
