/* What the blocking client promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/client.h"
#include "http/lines.h"
#include "http_fixture.h"

static char base_url[64];

static struct http_client *client_for(uint16_t to, const char *ca_pem, const struct ca_cert *me)
{
	struct http_client_conf c = {
		.base_url = base_url,
		.ca_pem = ca_pem,
		.token = "s3cret",
		.cert_pem = me ? me->cert_pem : NULL,
		.key_pem = me ? me->key_pem : NULL,
		.timeout_ms = 30000};
	struct http_client *h;

	snprintf(base_url, sizeof(base_url), "https://127.0.0.1:%u/", to);
	assert_int_equal(http_client_new(&c, &h, &err), ERR_OK);
	return h;
}

static void
call_is(struct http_client *h, const char *method, const char *path, const char *type,
	struct str body, int status, const char *want)
{
	struct http_reply r;

	if (http_client_call(h, method, path, type, body, &r, &err) != ERR_OK)
		fail_msg("%s %s: %s", method, path, err.text);
	assert_int_equal(r.status, status);
	assert_string_equal(buf_view(&r.body).p, want);
	buf_done(&r.body);
}

#define NOTHING ((struct str){NULL, 0})

static void call_brings_status_body_and_headers(void **state)
{
	struct http_client *h = client_for(port, ca.cert_pem, &zone_cert);
	struct http_reply r;

	(void)state;
	call_is(h, "GET", "/a?q=1", NULL, NOTHING, 200, "GET /a q=1 x=- n=0 ");
	call_is(h, "GET", "/who", NULL, NOTHING, 200, "127.0.0.1|zone-a|slipway:hosts|");
	call_is(h, "POST", "/p", "text/x", STR("body"), 200, "POST /p q=- x=- n=4 body");
	call_is(h, "POST", "/p", "text/x", STR(""), 200, "POST /p q=- x=- n=0 ");
	call_is(h, "PATCH", "/status?s=409", "application/merge-patch+json", STR("{}"), 409,
		"PATCH status 409 type=application/merge-patch+json token=Bearer s3cret "
		"accept=application/json");
	call_is(h, "DELETE", "/status?s=404", NULL, NOTHING, 404,
		"DELETE status 404 type=- token=Bearer s3cret accept=application/json");
	call_is(h, "HEAD", "/a", NULL, NOTHING, 200, "");
	call_is(h, "GET", "/a", NULL, NOTHING, 200, "GET /a q=- x=- n=0 ");
	assert_int_equal(
		http_client_call(h, "GET", "/status?s=503&retry=7", NULL, NOTHING, &r, &err),
		ERR_OK);
	assert_int_equal(r.retry_after_s, 7);
	assert_string_equal(r.content_type, "application/json");
	buf_done(&r.body);
	assert_int_equal(http_client_call(h, "GET", "/big", NULL, NOTHING, &r, &err), ERR_OK);
	assert_int_equal(r.body.n, 3 << 20);
	buf_done(&r.body);
	http_client_free(h);
}

static void fails(struct http_client *h, const char *path, enum err_code code, const char *text)
{
	struct http_reply r = {.status = 77};

	assert_int_equal(http_client_call(h, "GET", path, NULL, NOTHING, &r, &err), code);
	assert_int_equal(r.status, 77); /* untouched on failure */
	if (!strstr(err.text, text))
		fail_msg("want '%s' in '%s'", text, err.text);
	http_client_free(h);
}

static void server_of_another_authority_is_not_talked_to(void **state)
{
	int before = handled;

	(void)state;
	fails(client_for(port, other_ca.cert_pem, NULL), "/", ERR_UNAUTHORIZED, "certificate");
	fails(client_for(port, NULL, NULL), "/", ERR_UNAUTHORIZED, "certificate");
	fails(client_for(port, "nonsense", NULL), "/", ERR_INVALID, "CA's certificate");
	assert_int_equal(handled, before);
}

static void only_who_says_so_trusts_anyone(void **state)
{
	struct http_client_conf c = {
		.base_url = base_url,
		.trusts_anyone = true,
		.accept = "text/x",
		.timeout_ms = 30000};
	struct http_client *h;

	(void)state;
	http_client_free(client_for(port, NULL, NULL)); /* sets base_url */
	assert_int_equal(http_client_new(&c, &h, &err), ERR_OK);
	call_is(h, "GET", "/status?s=200", NULL, NOTHING, 200,
		"GET status 200 type=- token=- accept=text/x");
	http_client_free(h);
}

/* Signed by our CA, but it names another host. */
static void server_of_another_name_is_not_talked_to(void **state)
{
	struct http_server_conf c = conf();
	struct http_server *s;

	(void)state;
	c.cert_pem = zone_cert.cert_pem;
	c.key_pem = zone_cert.key_pem;
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	fails(client_for(http_server_port(s), ca.cert_pem, NULL), "/", ERR_UNAUTHORIZED,
	      "127.0.0.1");
	http_server_stop(s);
}

static void absent_server_is_unavailable(void **state)
{
	struct http_server_conf c = conf();
	struct http_server *s;
	uint16_t free_port;

	(void)state;
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	free_port = http_server_port(s);
	http_server_stop(s);
	fails(client_for(free_port, ca.cert_pem, NULL), "/", ERR_UNAVAILABLE, "https://127.0.0.1:");
}

static void set_held(void)
{
	is_held = true;
}

static void free_held(void)
{
	is_held = false;
}

static void every_call_has_a_deadline(void **state)
{
	struct http_client_conf c = {
		.base_url = base_url, .ca_pem = ca.cert_pem, .timeout_ms = 200};
	struct http_client *h;
	int64_t start = clock_mono_ms();

	(void)state;
	say(set_held);
	http_client_free(client_for(port, ca.cert_pem, NULL)); /* sets base_url */
	assert_int_equal(http_client_new(&c, &h, &err), ERR_OK);
	fails(h, "/hold", ERR_TIMEOUT, "timed out");
	assert_true(clock_mono_ms() - start < 15000);
	say(free_held);
	assert_true(wait_for(&holding, 0));
}

/* The kept connection is dead, and the call works all the same. */
static void server_that_came_back_is_found(void **state)
{
	struct http_server_conf c = conf();
	struct http_client *h;
	struct http_server *s;

	(void)state;
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	c.port = http_server_port(s);
	h = client_for(c.port, ca.cert_pem, NULL);
	call_is(h, "GET", "/a", NULL, NOTHING, 200, "GET /a q=- x=- n=0 ");
	http_server_stop(s);
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	call_is(h, "POST", "/a", "text/x", STR("1"), 200, "POST /a q=- x=- n=1 1");
	http_client_free(h);
	http_server_stop(s);
}

struct count {
	int n;
	int stop_at; /* 0: never */
};

static bool count_line(void *arg, struct str line)
{
	struct count *c = arg;

	assert_true(str_is(line, "0123456789abcdef") || str_is(line, "hello"));
	return ++c->n != c->stop_at;
}

static void stream_brings_lines_until_its_end(void **state)
{
	struct http_client *h = client_for(port, ca.cert_pem, NULL);
	struct count all = {0}, some = {.stop_at = 3};
	int status = 0;

	(void)state;
	assert_int_equal(
		http_client_stream(h, "/produce", 0, count_line, &all, &status, &err), ERR_OK);
	assert_int_equal(status, 200);
	assert_int_equal(all.n, 200);
	assert_int_equal(
		http_client_stream(h, "/produce", 5000, count_line, &some, &status, &err), ERR_OK);
	assert_int_equal(some.n, 3);
	assert_int_equal(
		http_client_stream(h, "/status?s=410", 0, count_line, &all, &status, &err), ERR_OK);
	assert_int_equal(status, 410);
	assert_true(strstr(err.text, "GET status 410") != NULL);
	call_is(h, "GET", "/a", NULL, NOTHING, 200, "GET /a q=- x=- n=0 ");
	http_client_free(h);
}

static void silent_stream_is_given_up(void **state)
{
	struct http_client *h = client_for(port, ca.cert_pem, NULL);
	int64_t start = clock_mono_ms();
	struct count c = {0};
	int status = 0;

	(void)state;
	gone = 0;
	assert_int_equal(
		http_client_stream(h, "/stream", 1500, count_line, &c, &status, &err), ERR_TIMEOUT);
	assert_int_equal(c.n, 1);
	assert_true(clock_mono_ms() - start < 15000);
	http_client_free(h);
	assert_true(wait_for(&gone, 1));
	http_stream_close(made);
}

static bool keep_line(void *arg, struct str line)
{
	struct buf *all = arg;

	buf_putc(all, '[');
	buf_str(all, line);
	buf_putc(all, ']');
	return true;
}

static void lines_are_the_same_wherever_they_were_split(void **state)
{
	static const char text[] = "one\ntwo\r\n\nthree and more\nrest";

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		struct lines l = {0};
		struct buf all = {0};

		for (size_t at = 0; at < sizeof(text) - 1; at += step) {
			struct str part = {text + at, MIN(step, sizeof(text) - 1 - at)};

			assert_int_equal(lines_feed(&l, part, keep_line, &all), LINES_MORE);
		}
		assert_string_equal(all.p, "[one][two][][three and more]");
		lines_done(&l);
		buf_done(&all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_brings_status_body_and_headers),
		cmocka_unit_test(server_of_another_authority_is_not_talked_to),
		cmocka_unit_test(only_who_says_so_trusts_anyone),
		cmocka_unit_test(server_of_another_name_is_not_talked_to),
		cmocka_unit_test(absent_server_is_unavailable),
		cmocka_unit_test(every_call_has_a_deadline),
		cmocka_unit_test(server_that_came_back_is_found),
		cmocka_unit_test(stream_brings_lines_until_its_end),
		cmocka_unit_test(silent_stream_is_given_up),
		cmocka_unit_test(lines_are_the_same_wherever_they_were_split),
	};

	return cmocka_run_group_tests_name("http_client", tests, group_start, group_end);
}
