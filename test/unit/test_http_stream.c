/* What streams promise, whoever leaves first; and the server's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/clock.h"
#include "http_fixture.h"

static void stream_gives_each_write_at_once_and_ends(void **state)
{
	struct http_stream *s;
	struct talk t;
	char line[32];

	(void)state;
	s = stream_open(&t, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		assert_true(http_stream_write(s, str_of(line)));
		assert_true(talk_until(&t, line));
	}
	assert_true(http_stream_is_open(s));
	http_stream_close(s);
	assert_true(talk_until(&t, "\r\n0\r\n\r\n"));
	ask(&t, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET /next q=- x=- n=0 ");
	assert_int_equal(gone, 0);
	talk_close(&t);
}

/* It sent nothing and reads nothing: nobody but the watch on its socket can tell. */
static void silent_client_that_leaves_is_noticed_at_once(void **state)
{
	struct http_stream *s;
	struct talk t;
	int64_t start;

	(void)state;
	s = stream_open(&t, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	start = clock_mono_ms();
	talk_close(&t);
	assert_true(wait_for(&gone, 1));
	assert_true(clock_mono_ms() - start < 3000);
	assert_false(http_stream_is_open(s));
	assert_false(http_stream_write(s, STR("x")));
	http_stream_close(s);
}

static void client_that_does_not_read_is_cut_off(void **state)
{
	static char part[4096];
	struct http_stream *s;
	struct talk t;
	size_t n = 0;

	(void)state;
	memset(part, 'x', sizeof(part));
	s = stream_open(&t, "GET /stream?max=100000 HTTP/1.1\r\nHost: h\r\n\r\n");
	while (http_stream_write(s, (struct str){part, sizeof(part)}))
		assert_true(
			(n += sizeof(part)) < 64 << 20); /* what the kernel holds, and the max */
	assert_true(wait_for(&gone, 1));
	assert_false(http_stream_is_open(s));
	http_stream_close(s);
	talk_close(&t);
}

static void write_over_the_limit_at_once_cuts_off_too(void **state)
{
	struct http_stream *s;
	struct talk t;

	(void)state;
	s = stream_open(&t, "GET /stream?max=6 HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_false(http_stream_write(s, STR("1234567")));
	assert_true(wait_for(&gone, 1));
	assert_false(talk_more(&t));
	http_stream_close(s);
	talk_close(&t);
}

static void producer_may_close_in_on_gone(void **state)
{
	struct talk t;

	(void)state;
	stream_open(&t, "GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_close(&t);
	assert_true(wait_for(&gone, 1));
}

static void nobody_is_told_of_a_stream_that_was_closed(void **state)
{
	struct talk t;

	(void)state;
	http_stream_close(stream_open(&t, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"));
	talk_close(&t);
	connect_as(&t, NULL);
	ask(&t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL);
	talk_close(&t);
	assert_int_equal(gone, 0);
}

static void http_1_0_stream_ends_with_the_connection(void **state)
{
	struct http_stream *s;
	struct talk t;

	(void)state;
	s = stream_open(&t, "GET /stream HTTP/1.0\r\n\r\n");
	assert_true(http_stream_write(s, STR("more\n")));
	assert_true(talk_until(&t, "more\n"));
	http_stream_close(s);
	assert_false(talk_more(&t));
	talk_close(&t);
}

/* Requests and streams from many threads, half of them dropped in the middle. */
static void *visit(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct talk_reply r;
	struct talk t;

	for (int i = 0; i < 15; i++) {
		int kind = rand_r(&seed) % 4;

		if (!talk_open(&t, port, ca.cert_pem, kind & 1 ? &zone_cert : NULL, 0))
			return (void *)1;
		talk_puts(&t, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
		talk_puts(&t, "GET /produce HTTP/1.1\r\nHost: h\r\n\r\n");
		talk_reply(&t, &r);
		talk_reply_done(&r);
		if (kind > 1) {
			talk_reply(&t, &r);
			if (!r.is_whole || r.body.n != 200 * 17)
				return (void *)1;
			talk_reply_done(&r);
		}
		talk_close(&t);
	}
	return NULL;
}

static void streams_and_requests_survive_clients_that_come_and_go(void **state)
{
	pthread_t threads[8];
	void *ret;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, visit, (void *)(uintptr_t)(i + 1));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &ret);
		assert_null(ret);
	}
}

static void free_held(void)
{
	is_held = false;
}

static void *stop_server(void *arg)
{
	http_server_stop(arg);
	return NULL;
}

/* A handler that runs is waited for and its answer goes out; a stream ends; new requests get 503.
 */
static void stop_waits_for_handlers_and_ends_streams(void **state)
{
	struct http_server_conf c = conf();
	struct http_server *s;
	struct talk busy, stream;
	struct http_stream *made_here;
	struct talk_reply r;
	uint16_t main_port = port;
	pthread_t stopper;

	(void)state;
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	port = http_server_port(s);
	made_here = stream_open(&stream, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
	is_held = true;
	connect_as(&busy, NULL);
	talk_puts(&busy, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(wait_for(&holding, 1));
	assert_int_equal(pthread_create(&stopper, NULL, stop_server, s), 0);
	assert_true(talk_until(&stream, "\r\n0\r\n\r\n"));
	assert_true(wait_for(&gone, 1));
	ask(&stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 503, NULL);
	say(free_held);
	talk_reply(&busy, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body.p, "/hold");
	talk_reply_done(&r);
	pthread_join(stopper, NULL);
	assert_false(http_stream_is_open(made_here));
	http_stream_close(made_here);
	talk_close(&busy);
	talk_close(&stream);
	port = main_port;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_gives_each_write_at_once_and_ends),
		cmocka_unit_test(silent_client_that_leaves_is_noticed_at_once),
		cmocka_unit_test(client_that_does_not_read_is_cut_off),
		cmocka_unit_test(write_over_the_limit_at_once_cuts_off_too),
		cmocka_unit_test(producer_may_close_in_on_gone),
		cmocka_unit_test(nobody_is_told_of_a_stream_that_was_closed),
		cmocka_unit_test(http_1_0_stream_ends_with_the_connection),
		cmocka_unit_test(streams_and_requests_survive_clients_that_come_and_go),
		cmocka_unit_test(stop_waits_for_handlers_and_ends_streams),
	};

	return cmocka_run_group_tests_name("http_stream", tests, group_start, group_end);
}
