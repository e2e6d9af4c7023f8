#include "gateway/plane.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/boot.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "http/async.h"
#include "net/ca.h"
#include "net/pair.h"

enum {
	SILENCE_MS = 15 * 1000, /* three pings */
	AGAIN_MS = 50,
	AGAIN_MAX_MS = 5000,
	REPORT_MS = 1000,
	CALL_MS = 10 * 1000,
	LINE_BYTES_MAX = 16 << 20,
	LOOK_MS = 3600 * 1000, /* at the certificate */
	LOOK_FIRST_MS = 5 * 1000,
	LOOK_AGAIN_MS = 60 * 1000,
	RENEW_PERCENT = 66,
	PEM_MAX = 64 << 10,
};

enum { STREAM_AGAIN, REPORT, LOOK, TIMERS };

struct plane {
	uv_loop_t *loop;
	const struct plane_ops *ops;
	void *arg;
	char *url, *folder;
	struct http_async *http;
	struct http_call *stream, *post, *renewal;
	uv_timer_t timers[TIMERS];
	int failures; /* of the stream, in a row */
	bool is_dirty; /* something changed since the report that is on its way */
	unsigned seed;
	int64_t boot, reports;
	char *key_pem; /* of the certificate that is asked for */
	int handles;
};

static void on_again(uv_timer_t *timer);
static void on_report(uv_timer_t *timer);
static void on_look(uv_timer_t *timer);

static void after(struct plane *p, int which, int64_t ms)
{
	static const uv_timer_cb calls[TIMERS] = {on_again, on_report, on_look};

	uv_timer_start(&p->timers[which], calls[which], (uint64_t)ms, 0);
}

/* From half of ms to all of it: gateways that lost the same server do not come back as one. */
static int jitter(struct plane *p, int ms)
{
	return ms / 2 + rand_r(&p->seed) % (ms / 2 + 1);
}

/* --- routes */

static bool on_line(void *arg, struct str text)
{
	CLEANUP(jv_drop) json_t *line = NULL;
	struct plane *p = arg;
	struct err e = {0};

	p->failures = 0;
	if (jv_parse(text, LINE_BYTES_MAX, &line, &e)) {
		log_error("a line of routes is no JSON", "why=%s", log_q(e.text));
		return false;
	}
	if (strcmp(jv_str_or(line, "type", ""), "ping"))
		p->ops->line(p->arg, line);
	return true;
}

static void
on_stream_end(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct plane *p = arg;
	int wait_ms = MIN(AGAIN_MS << MIN(p->failures, 10), AGAIN_MAX_MS);

	p->stream = NULL;
	if (p->failures++ == 0 || status >= 400)
		log_warn(
			"the stream of routes has ended", "status=%d why=%s", status,
			log_q(code ? why : ""));
	after(p, STREAM_AGAIN, jitter(p, wait_ms));
}

static void on_again(uv_timer_t *timer)
{
	struct plane *p = timer->data;

	p->ops->begins(p->arg);
	p->stream = http_async_call(
		p->http, "GET", "/gateway/v1/routes", (struct str){0}, SILENCE_MS, on_line,
		on_stream_end, p);
}

/* --- reports */

static void
on_report_end(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct plane *p = arg;

	p->post = NULL;
	if (code || status != 200) {
		log_debug(
			"a report was not taken", "status=%d why=%s", status,
			log_q(code ? why : ""));
		if (!code)
			log_warn(
				"a report was refused", "status=%d body=%.*s", status,
				(int)MIN(body.n, (size_t)300), body.p);
		after(p, REPORT, jitter(p, REPORT_MS));
		return;
	}
	after(p, REPORT, p->is_dirty ? 0 : REPORT_MS);
}

static void on_report(uv_timer_t *timer)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct plane *p = timer->data;
	CLEANUP(jv_drop) json_t *report = p->ops->report(p->arg);

	json_object_set_new(report, "boot", json_integer(p->boot));
	json_object_set_new(report, "number", json_integer(++p->reports));
	p->is_dirty = false;
	p->post = http_async_call(
		p->http, "POST", "/gateway/v1/report", jv_text(&a, report), CALL_MS, NULL,
		on_report_end, p);
}

void plane_touch(struct plane *p)
{
	p->is_dirty = true;
	if (!p->post)
		after(p, REPORT, 0);
}

/* --- the certificate */

static enum err_code
text_of(struct plane *p, struct arena *a, const char *name, const char **ret, struct err *e)
{
	const char *path = arena_printf(a, "%s/%s", p->folder, name);
	struct str text;

	if (file_read(a, path, PEM_MAX, &text, e))
		return e->code;
	*ret = text.p;
	return ERR_OK;
}

static enum err_code http_open(struct plane *p, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct http_client_conf conf = {.base_url = p->url};

	if (text_of(p, &a, "ca.crt", &conf.ca_pem, e) ||
	    text_of(p, &a, "gateway.crt", &conf.cert_pem, e) ||
	    text_of(p, &a, "gateway.key", &conf.key_pem, e))
		return e->code;
	return http_async_new(p->loop, &conf, &p->http, e);
}

static void cancel_all(struct plane *p)
{
	struct http_call **const calls[] = {&p->stream, &p->post, &p->renewal};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (*calls[i])
			http_async_cancel(*calls[i]);
		*calls[i] = NULL;
	}
}

enum err_code plane_reopen(struct plane *p, struct err *e)
{
	struct http_async *old = p->http;

	if (http_open(p, e)) {
		p->http = old;
		return e->code;
	}
	cancel_all(p);
	http_async_free(old);
	after(p, STREAM_AGAIN, 0);
	after(p, REPORT, 0);
	after(p, LOOK, LOOK_FIRST_MS);
	return ERR_OK;
}

static enum err_code take(struct plane *p, int status, struct str body, struct err *e)
{
	CLEANUP(jv_drop) json_t *answer = NULL;
	const char *cert;

	if (status != 200)
		return err_set(e, ERR_INVALID, "the platform answered %d", status);
	if (jv_parse(body, PEM_MAX, &answer, e))
		return e->code;
	cert = jv_str(answer, "certificate");
	if (!cert)
		return err_set(e, ERR_INVALID, "the answer holds no certificate");
	return pair_replace(p->folder, "gateway", cert, p->key_pem, e);
}

static void on_renewed(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct plane *p = arg;
	struct err e = {0};

	p->renewal = NULL;
	if (code)
		(void)err_set(&e, code, "%s", why);
	else
		code = take(p, status, body, &e);
	mem_drop(&p->key_pem);
	after(p, LOOK, code ? LOOK_AGAIN_MS : LOOK_MS);
	if (!code)
		code = plane_reopen(p, &e);
	if (code) {
		log_warn("certificate not renewed", "why=%s", log_q(e.text));
		return;
	}
	log_info("certificate renewed", "folder=%s", p->folder);
	p->ops->renewed(p->arg);
}

static void renew(struct plane *p)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *body = json_object();
	const char *key, *csr;
	struct err e = {0};

	if (ca_request(&a, "gateway", &key, &csr, &e)) {
		log_warn("certificate not renewed", "why=%s", log_q(e.text));
		return;
	}
	mem_drop(&p->key_pem);
	p->key_pem = mem_strdup(key);
	jv_set_str(body, "csr", csr);
	p->renewal = http_async_call(
		p->http, "POST", "/gateway/v1/renew", jv_text(&a, body), CALL_MS, NULL, on_renewed,
		p);
}

static void on_look(uv_timer_t *timer)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct plane *p = timer->data;
	const char *cert;
	int64_t not_after_s;
	int percent = 0;

	after(p, LOOK, LOOK_MS);
	if (text_of(p, &a, "gateway.crt", &cert, NULL) ||
	    ca_life(cert, &not_after_s, &percent, NULL))
		return;
	if (not_after_s <= clock_wall_us() / 1000000)
		log_error(
			"the certificate of this gateway has expired", "folder=%s remedy=%s",
			p->folder,
			log_q("where 'slipway up' runs it, start that again; else join again"));
	else if (percent >= RENEW_PERCENT && !p->renewal)
		renew(p);
}

/* --- its life */

static void plane_drop(struct plane *p)
{
	mem_drop(&p->key_pem);
	free(p->url);
	free(p->folder);
	free(p);
}

enum err_code plane_new(
	uv_loop_t *loop, const struct plane_conf *c, const struct plane_ops *ops, void *arg,
	struct plane **ret, struct err *e)
{
	struct plane *p = mem_alloc(sizeof(*p));

	p->loop = loop;
	p->ops = ops;
	p->arg = arg;
	p->url = mem_strdup(c->url);
	p->folder = mem_strdup(c->folder);
	if (boot_next(c->folder, &p->boot, e) || http_open(p, e)) {
		plane_drop(p);
		return e->code;
	}
	if (getrandom(&p->seed, sizeof(p->seed), 0) < 0)
		p->seed = (unsigned)p->boot;
	for (int i = 0; i < TIMERS; i++) {
		uv_timer_init(loop, &p->timers[i]);
		p->timers[i].data = p;
	}
	after(p, STREAM_AGAIN, 0);
	after(p, REPORT, 0);
	after(p, LOOK, LOOK_FIRST_MS);
	*ret = p;
	return ERR_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct plane *p = handle->data;

	if (--p->handles == 0)
		plane_drop(p);
}

void plane_free(struct plane *p)
{
	if (!p)
		return;
	cancel_all(p);
	http_async_free(p->http);
	p->handles = TIMERS;
	for (int i = 0; i < TIMERS; i++)
		uv_close((uv_handle_t *)&p->timers[i], on_closed);
}
