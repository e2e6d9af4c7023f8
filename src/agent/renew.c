#include "agent/renew.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/ca.h"

enum {
	LOOK_MS = 3600 * 1000,
	AGAIN_MS = 60 * 1000, /* after a failure */
	FIRST_MS = 5 * 1000,
	CALL_MS = 15 * 1000,
	PERCENT = 66,
	ANSWER_MAX = 256 << 10,
};

static void on_timer(uv_timer_t *timer);

static enum err_code take(struct renew *r, struct str body, struct err *e)
{
	CLEANUP(jv_drop) json_t *json = NULL;
	const char *cert;
	enum err_code code = jv_parse(body, ANSWER_MAX, &json, e);

	if (code)
		return code;
	cert = jv_str(json, "certificate");
	if (!cert)
		return err_set(e, ERR_INVALID, "the answer holds no certificate");
	code = identity_replace(r->data, cert, r->key_pem, e);
	if (code)
		return code;
	r->now = *r->id;
	r->now.cert_pem = arena_strdup(&r->arena, cert);
	r->now.key_pem = arena_strdup(&r->arena, r->key_pem);
	r->id = &r->now;
	return ERR_OK;
}

static void on_answer(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct renew *r = arg;
	struct err e = {0};

	r->call = NULL;
	if (code)
		err_set(&e, code, "%s", why);
	else if (status != 200)
		code = err_set(&e, ERR_INVALID, "the platform answered %d", status);
	else
		code = take(r, body, &e);
	mem_drop(&r->key_pem);
	uv_timer_start(&r->timer, on_timer, code ? AGAIN_MS : LOOK_MS, 0);
	if (code) {
		log_warn("certificate not renewed", "why=%s", log_q(e.text));
		return;
	}
	log_info("certificate renewed", "host=%s", r->id->name);
	r->on_renewed(r->arg, r->id);
}

void renew_begin(struct renew *r)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *body = json_object();
	const char *key, *csr;
	struct err e;

	if (r->call)
		return;
	if (ca_request(&a, r->id->name, &key, &csr, &e)) {
		log_warn("certificate not renewed", "why=%s", log_q(e.text));
		return;
	}
	mem_drop(&r->key_pem);
	r->key_pem = mem_strdup(key);
	jv_set_str(body, "csr", csr);
	r->call = http_async_call(
		r->link->http, "POST", "/agent/v1/renew", jv_text(&a, body), CALL_MS, NULL,
		on_answer, r);
}

static void on_timer(uv_timer_t *timer)
{
	struct renew *r = container_of(timer, struct renew, timer);
	int64_t not_after_s;
	int percent = 0;
	bool is_known;

	uv_timer_start(&r->timer, on_timer, LOOK_MS, 0);
	is_known = !ca_life(r->id->cert_pem, &not_after_s, &percent, NULL);
	if (is_known && not_after_s <= clock_wall_us() / 1000000)
		log_error(
			"the certificate of this host has expired", "host=%s remedy=%s",
			r->id->name,
			log_q("join again: slipway agent --join URL --zone ZONE --name NAME, with "
			      "a token for that name"));
	else if (!is_known || percent >= PERCENT)
		renew_begin(r);
}

void renew_init(struct renew *r, uv_loop_t *loop)
{
	uv_timer_init(loop, &r->timer);
	uv_timer_start(&r->timer, on_timer, FIRST_MS, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct renew *r = container_of((uv_timer_t *)handle, struct renew, timer);

	arena_done(&r->arena);
	r->closed(r);
}

void renew_close(struct renew *r, void (*closed)(struct renew *r))
{
	r->closed = closed;
	if (r->call)
		http_async_cancel(r->call);
	mem_drop(&r->key_pem);
	uv_close((uv_handle_t *)&r->timer, on_closed);
}
