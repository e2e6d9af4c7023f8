/* What the client on a libuv loop promises: done() once, whatever is cancelled, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/async.h"
#include "http_fixture.h"

static uv_loop_t loop;
static char base_url[64];

#define NOTHING ((struct str){NULL, 0})

static struct http_client_conf conf_for(uint16_t to, const char *ca_pem, const struct ca_cert *me)
{
	snprintf(base_url, sizeof(base_url), "https://127.0.0.1:%u", to);
	return (struct http_client_conf){
		.base_url = base_url,
		.ca_pem = ca_pem,
		.cert_pem = me ? me->cert_pem : NULL,
		.key_pem = me ? me->key_pem : NULL};
}

static struct http_async *async_for(const struct ca_cert *me)
{
	struct http_client_conf c = conf_for(port, ca.cert_pem, me);
	struct http_async *h;

	assert_int_equal(http_async_new(&loop, &c, &h, &err), ERR_OK);
	return h;
}

static int loop_start(void **state)
{
	(void)state;
	return uv_loop_init(&loop);
}

/* Whatever a test did, nothing stays open. */
static int loop_end(void **state)
{
	(void)state;
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

/* What became of one call. */
struct fate {
	struct http_async *h;
	struct http_call *call;
	struct http_call *other; /* cancelled by the first line or by done */
	int done;
	enum err_code code;
	int status;
	char body[200];
	char why[200];
	int lines;
	int stop_at; /* on_line says false at this line; 0: never */
	const char *next; /* done or the first line starts this one */
	struct fate *next_fate;
	bool cancels_itself;
	bool frees; /* at the first line, or in done */
	bool is_starting;
};

static void on_done(void *arg, enum err_code code, int status, struct str body, const char *why);

static void start(struct fate *f, const char *path, http_line *on_line, int timeout_ms)
{
	f->is_starting = true;
	f->call = http_async_call(f->h, "GET", path, NOTHING, timeout_ms, on_line, on_done, f);
	f->is_starting = false;
}

static void follow_up(struct fate *f)
{
	if (f->next) {
		f->next_fate->h = f->h;
		start(f->next_fate, f->next, NULL, 60000);
		f->next = NULL;
	}
	if (f->other)
		http_async_cancel(f->other);
	f->other = NULL;
	if (f->frees)
		http_async_free(f->h);
	f->frees = false;
}

static void on_done(void *arg, enum err_code code, int status, struct str body, const char *why)
{
	struct fate *f = arg;

	assert_false(f->is_starting); /* never from inside the call that started it */
	f->done++;
	f->code = code;
	f->status = status;
	snprintf(f->body, sizeof(f->body), "%.*s", (int)body.n, body.p);
	snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
	follow_up(f);
}

static bool on_line(void *arg, struct str line)
{
	struct fate *f = arg;

	assert_true(str_is(line, "0123456789abcdef") || str_is(line, "hello"));
	f->lines++;
	if (f->cancels_itself)
		http_async_cancel(f->call);
	follow_up(f);
	return f->lines != f->stop_at;
}

/* Turns the loop until the counter is n, at most a minute. */
static void turn_until(const int *counter, int n)
{
	int64_t end = clock_mono_ms() + 60000;

	while (*counter < n && clock_mono_ms() < end)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(*counter, n);
}

static void call_brings_status_and_body(void **state)
{
	struct fate f = {.h = async_for(&zone_cert)};

	(void)state;
	start(&f, "/who", NULL, 60000);
	assert_int_equal(f.done, 0);
	turn_until(&f.done, 1);
	assert_int_equal(f.code, ERR_OK);
	assert_int_equal(f.status, 200);
	assert_string_equal(f.body, "127.0.0.1|zone-a|slipway:hosts|");
	http_async_call(f.h, "POST", "/status?s=409", STR("{}"), 5000, NULL, on_done, &f);
	turn_until(&f.done, 2);
	assert_int_equal(f.status, 409);
	assert_string_equal(
		f.body, "POST status 409 type=application/json token=- accept=application/json");
	http_async_free(f.h);
}

static void many_calls_end_once_each(void **state)
{
	struct http_async *h = async_for(NULL);
	struct fate all[24] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i].h = h;
		start(&all[i], i % 15 ? "/a?q=1" : "/big", NULL, 60000);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		turn_until(&all[i].done, 1);
	http_async_free(h);
	uv_run(&loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_int_equal(all[i].done, 1);
		if (all[i].code)
			fail_msg("call %zu: %s", i, all[i].why);
	}
}

static void failures_say_what_happened(void **state)
{
	struct http_client_conf bad = conf_for(port, other_ca.cert_pem, NULL);
	struct http_client_conf absent = conf_for(1, ca.cert_pem, NULL);
	struct fate f = {0};

	(void)state;
	conf_for(port, NULL, NULL);
	assert_int_equal(http_async_new(&loop, &bad, &f.h, &err), ERR_OK);
	start(&f, "/", NULL, 60000);
	turn_until(&f.done, 1);
	assert_int_equal(f.code, ERR_UNAUTHORIZED);
	assert_non_null(strstr(f.why, "certificate"));
	http_async_free(f.h);
	conf_for(1, NULL, NULL);
	assert_int_equal(http_async_new(&loop, &absent, &f.h, &err), ERR_OK);
	start(&f, "/", NULL, 60000);
	turn_until(&f.done, 2);
	assert_int_equal(f.code, ERR_UNAVAILABLE);
	http_async_free(f.h);
}

static void set_held(void)
{
	is_held = true;
}

static void free_held(void)
{
	is_held = false;
}

static void late_answer_is_a_timeout(void **state)
{
	struct fate f = {.h = async_for(NULL)}, cancelled = {.h = f.h};

	(void)state;
	say(set_held);
	start(&cancelled, "/hold", NULL, 60000);
	start(&f, "/hold", NULL, 200);
	turn_until(&f.done, 1);
	assert_int_equal(f.code, ERR_TIMEOUT);
	http_async_cancel(cancelled.call);
	say(free_held);
	http_async_free(f.h);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(cancelled.done, 0);
	assert_true(wait_for(&holding, 0));
}

static void stream_brings_lines_until_its_end(void **state)
{
	struct fate f = {.h = async_for(NULL)}, some = {.h = f.h, .stop_at = 7};
	struct fate none = {.h = f.h};

	(void)state;
	start(&f, "/produce", on_line, 60000);
	start(&some, "/produce", on_line, 60000);
	start(&none, "/status?s=410", on_line, 60000);
	turn_until(&f.done, 1);
	turn_until(&some.done, 1);
	turn_until(&none.done, 1);
	assert_int_equal(f.code, ERR_OK);
	assert_int_equal(f.lines, 200);
	assert_int_equal(some.code, ERR_OK);
	assert_int_equal(some.lines, 7);
	assert_int_equal(none.status, 410);
	assert_true(str_starts(str_of(none.body), "GET status 410"));
	http_async_free(f.h);
}

/* The other stream has longer, and lives on. */
static void silent_stream_is_given_up_in_time(void **state)
{
	struct fate f = {.h = async_for(NULL)}, other = {.h = f.h};
	struct http_stream *first;
	int64_t begin;

	(void)state;
	gone = 0;
	start(&other, "/stream", on_line, 60000);
	turn_until(&other.lines, 1);
	first = made;
	begin = clock_mono_ms();
	start(&f, "/stream", on_line, 3000);
	turn_until(&f.done, 1);
	assert_in_range(clock_mono_ms() - begin, 2990, 60000);
	assert_int_equal(f.code, ERR_TIMEOUT);
	assert_int_equal(f.lines, 1);
	assert_true(wait_for(&gone, 1));
	http_stream_close(made);
	http_stream_write(first, STR("hello\n"));
	turn_until(&other.lines, 2);
	http_stream_close(first);
	turn_until(&other.done, 1);
	assert_int_equal(other.code, ERR_OK);
	http_async_free(f.h);
}

static void calls_may_start_and_end_in_callbacks(void **state)
{
	struct http_async *h = async_for(NULL);
	struct fate chained = {0}, from_line = {0}, held = {.h = h};
	struct fate f = {.h = h, .next = "/a", .next_fate = &chained};
	struct fate s = {.h = h, .next = "/a", .next_fate = &from_line};
	struct fate self = {.h = h, .cancels_itself = true};

	(void)state;
	say(set_held);
	start(&held, "/hold", NULL, 60000);
	s.other = held.call;
	start(&f, "/a", NULL, 60000);
	start(&s, "/produce", on_line, 60000);
	start(&self, "/produce", on_line, 60000);
	turn_until(&chained.done, 1);
	turn_until(&from_line.done, 1);
	turn_until(&s.done, 1);
	turn_until(&self.lines, 1);
	assert_int_equal(chained.code, ERR_OK);
	assert_int_equal(from_line.code, ERR_OK);
	say(free_held);
	http_async_free(h);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(held.done, 0);
	assert_int_equal(self.done, 0);
	assert_int_equal(self.lines, 1);
	assert_true(wait_for(&holding, 0));
}

static void all_may_be_freed_in_callbacks(void **state)
{
	struct fate from_line = {.h = async_for(NULL), .frees = true};
	struct fate from_done = {.h = async_for(NULL), .frees = true};
	struct fate from_silence = {.h = async_for(NULL)};
	struct fate other = {.h = from_done.h}, third = {.h = from_line.h};

	(void)state;
	start(&from_line, "/produce", on_line, 60000);
	start(&third, "/produce", on_line, 60000);
	start(&from_done, "/a", NULL, 60000);
	start(&other, "/silent", on_line, 60000);
	start(&from_silence, "/silent", on_line, 2000);
	turn_until(&from_silence.lines, 1);
	from_silence.frees = true;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(from_line.lines, 1);
	assert_int_equal(from_line.done, 0);
	assert_int_equal(from_done.done, 1);
	assert_int_equal(other.done, 0);
	assert_int_equal(from_silence.done, 1);
}

static void free_without_a_turn_of_the_loop_between(void **state)
{
	struct fate f = {.h = async_for(NULL)};

	(void)state;
	start(&f, "/a", NULL, 60000);
	http_async_free(f.h);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(f.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(call_brings_status_and_body, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(many_calls_end_once_each, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(failures_say_what_happened, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(late_answer_is_a_timeout, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(
			stream_brings_lines_until_its_end, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(
			silent_stream_is_given_up_in_time, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(
			calls_may_start_and_end_in_callbacks, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(
			all_may_be_freed_in_callbacks, loop_start, loop_end),
		cmocka_unit_test_setup_teardown(
			free_without_a_turn_of_the_loop_between, loop_start, loop_end),
	};

	return cmocka_run_group_tests_name("http_async", tests, group_start, group_end);
}
