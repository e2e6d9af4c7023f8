#include "agent/link.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

enum {
	SILENCE_MS = 15 * 1000, /* three pings */
	AGAIN_MS = 50,
	AGAIN_MAX_MS = 5000,
	REPORT_MS = 1000,
	REPORT_SOON_MS = 20, /* when there is nothing to say yet */
	CALL_MS = 10 * 1000,
	WANTS_MAX = 16 << 20,
	LEAVE_MS = 2000,
};

static void on_again(uv_timer_t *timer);
static void on_report(uv_timer_t *timer);

/* From half of ms to all of it: hosts that lost the same server do not come back as one. */
static uint64_t jitter(struct link *l, int ms)
{
	return (uint64_t)(ms / 2 + rand_r(&l->seed) % (ms / 2 + 1));
}

static bool on_line(void *arg, struct str line)
{
	CLEANUP(jv_drop) json_t *json = NULL;
	struct link *l = arg;
	struct err e;

	l->failures = 0;
	if (jv_parse(line, WANTS_MAX, &json, &e)) {
		log_error("the wants are no JSON", "why=%s", log_q(e.text));
		return false;
	}
	if (strcmp(jv_str_or(json, "type", ""), "wants") == 0)
		l->ops->wants(l->arg, json);
	return true;
}

static void
on_stream_end(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct link *l = arg;
	int wait_ms = MIN(AGAIN_MS << MIN(l->failures, 10), AGAIN_MAX_MS);

	(void)body;
	l->stream = NULL;
	if (l->failures++ == 0 || status >= 400)
		log_warn(
			"the stream of wants has ended", "status=%d why=%s", status,
			log_q(code ? why : ""));
	uv_timer_start(&l->again, on_again, jitter(l, wait_ms), 0);
}

static void on_again(uv_timer_t *timer)
{
	struct link *l = container_of(timer, struct link, again);

	l->stream = http_async_call(
		l->http, "GET", "/agent/v1/wants", (struct str){0}, SILENCE_MS, on_line,
		on_stream_end, l);
}

static void
on_report_end(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct link *l = arg;

	l->post = NULL;
	if (code || status != 200) {
		log_debug(
			"a report was not taken", "status=%d why=%s", status,
			log_q(code ? why : ""));
		if (!code)
			log_warn(
				"a report was refused", "status=%d body=%.*s", status,
				(int)MIN(body.n, (size_t)300), body.p);
		uv_timer_start(&l->report, on_report, jitter(l, REPORT_MS), 0);
		return;
	}
	l->has_spoken = true;
	uv_timer_start(&l->report, on_report, l->is_dirty ? 0 : REPORT_MS, 0);
}

/* Its number says which of two reports is the newer one. It does not stand in the report: one that
 * brings nothing new shall look like the last. */
static void post(struct link *l, const json_t *report, int limit_ms, http_done *on_end)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *path = arena_printf(
		&a, "/agent/v1/report?boot=%lld&sequence=%lld", (long long)l->boot,
		(long long)++l->reports);

	l->post = http_async_call(
		l->http, "POST", path, jv_text(&a, report), limit_ms, NULL, on_end, l);
}

static void on_report(uv_timer_t *timer)
{
	struct link *l = container_of(timer, struct link, report);
	CLEANUP(jv_drop) json_t *report = l->ops->report(l->arg);

	if (!report) {
		uv_timer_start(&l->report, on_report, REPORT_SOON_MS, 0);
		return;
	}
	l->is_dirty = false;
	post(l, report, CALL_MS, on_report_end);
}

/* Several changes in one turn of the loop make one report. */
void link_touch(struct link *l)
{
	l->is_dirty = true;
	if (!l->post && l->has_spoken && !l->is_leaving)
		uv_timer_start(&l->report, on_report, 0, 0);
}

static enum err_code http_open(struct link *l, const struct identity *id, struct err *e)
{
	const struct http_client_conf conf = {
		.base_url = id->url,
		.ca_pem = id->ca_pem,
		.cert_pem = id->cert_pem,
		.key_pem = id->key_pem,
	};

	return http_async_new(l->loop, &conf, &l->http, e);
}

enum err_code link_init(
	struct link *l, uv_loop_t *loop, const struct identity *id, const struct link_ops *ops,
	void *arg, struct err *e)
{
	enum err_code code;

	*l = (struct link){.loop = loop, .ops = ops, .arg = arg};
	code = http_open(l, id, e);
	if (code)
		return code;
	if (getrandom(&l->seed, sizeof(l->seed), 0) < 0)
		l->seed = (unsigned)(uintptr_t)l;
	uv_timer_init(loop, &l->again);
	uv_timer_init(loop, &l->report);
	uv_timer_start(&l->again, on_again, 0, 0);
	uv_timer_start(&l->report, on_report, 0, 0);
	return ERR_OK;
}

static void calls_cancel(struct link *l)
{
	if (l->stream)
		http_async_cancel(l->stream);
	if (l->post)
		http_async_cancel(l->post);
	l->stream = l->post = NULL;
}

enum err_code link_renew(struct link *l, const struct identity *id, struct err *e)
{
	struct http_async *old = l->http;
	enum err_code code = http_open(l, id, e);

	if (code) {
		l->http = old;
		return code;
	}
	calls_cancel(l);
	http_async_free(old);
	uv_timer_start(&l->again, on_again, 0, 0);
	uv_timer_start(&l->report, on_report, 0, 0);
	return ERR_OK;
}

static void one_closed(struct link *l)
{
	if (--l->handles == 0)
		l->closed(l);
}

static void on_again_closed(uv_handle_t *handle)
{
	one_closed(container_of((uv_timer_t *)handle, struct link, again));
}

static void on_report_closed(uv_handle_t *handle)
{
	one_closed(container_of((uv_timer_t *)handle, struct link, report));
}

void link_close(struct link *l, void (*closed)(struct link *l))
{
	l->closed = closed;
	l->handles = 2;
	calls_cancel(l);
	http_async_free(l->http);
	uv_close((uv_handle_t *)&l->again, on_again_closed);
	uv_close((uv_handle_t *)&l->report, on_report_closed);
}

static void on_left(uv_timer_t *timer)
{
	struct link *l = container_of(timer, struct link, again);

	link_close(l, l->closed);
}

/* The client must not be freed from inside its own call. */
static void
on_leave_end(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct link *l = arg;

	(void)body;
	l->post = NULL;
	if (code || status != 200)
		log_warn(
			"the last report was not taken", "status=%d why=%s", status,
			log_q(code ? why : ""));
	uv_timer_start(&l->again, on_left, 0, 0);
}

void link_leave(struct link *l, const json_t *report, void (*closed)(struct link *l))
{
	if (!l->has_spoken) {
		link_close(l, closed);
		return;
	}
	l->closed = closed;
	l->is_leaving = true;
	calls_cancel(l);
	uv_timer_stop(&l->again);
	uv_timer_stop(&l->report);
	post(l, report, LEAVE_MS, on_leave_end);
}
