/* The loop and its streams, on both of the kernel's interfaces. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "net/stream.h"

static enum loop_io io_kind;

struct end {
	struct stream stream;
	struct buf got;
	size_t take; /* most bytes of one data() */
	int opened, drained, ended, closed;
	enum err_code why;
	bool ends_loop; /* when it is closed or has got enough */
	size_t enough;
	bool pauses;
	struct end *echo; /* where what it gets goes */
};

static size_t on_data(struct stream *s, const char *p, size_t n)
{
	struct end *e = container_of(s, struct end, stream);
	size_t taken = e->take && e->take < n ? e->take : n;

	buf_add(&e->got, p, taken);
	if (e->echo) {
		stream_write(&e->echo->stream, p, taken);
		if (stream_is_full(&e->echo->stream))
			stream_pause(s);
	}
	if (e->pauses)
		stream_pause(s);
	if (e->enough && e->got.n >= e->enough)
		loop_end(s->loop);
	return taken;
}

static void on_opened(struct stream *s)
{
	container_of(s, struct end, stream)->opened++;
}

static void on_drained(struct stream *s)
{
	struct end *e = container_of(s, struct end, stream);

	e->drained++;
	if (e->echo)
		stream_resume(&e->echo->stream);
}

static void on_ended(struct stream *s, const struct err *why)
{
	struct end *e = container_of(s, struct end, stream);

	e->ended++;
	e->why = why->code;
	stream_close(s);
}

static void on_closed(struct stream *s)
{
	struct end *e = container_of(s, struct end, stream);

	e->closed++;
	if (e->ends_loop)
		loop_end(s->loop);
}

static const struct stream_ops ops = {
	.opened = on_opened,
	.data = on_data,
	.drained = on_drained,
	.ended = on_ended,
	.closed = on_closed};

static struct loop *a_loop(void)
{
	struct loop *l;
	struct err e = {0};

	if (loop_new(io_kind, &l, &e))
		fail_msg("%s", e.text);
	return l;
}

struct late {
	struct timer t;
	struct loop *loop;
};

static void too_late(struct timer *t)
{
	fail_msg("nothing came within ten seconds");
}

static void run(struct loop *l)
{
	struct timer limit = {0};

	loop_timer(l, &limit, 10 * 1000 * 1000, too_late);
	loop_run(l);
	loop_timer_stop(l, &limit);
}

static void on_enough(struct timer *t)
{
	struct late *late = container_of(t, struct late, t);

	loop_end(late->loop);
}

static void run_ms(struct loop *l, int ms)
{
	struct late late = {.loop = l};

	loop_timer(l, &late.t, ms * 1000, on_enough);
	loop_run(l);
}

static void pair(struct loop *l, struct end *e, int *ret_other)
{
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	stream_init(&e->stream, l, &ops, fds[0]);
	*ret_other = fds[1];
}

static void finish(struct loop *l, struct end *e, int other)
{
	e->ends_loop = true;
	if (!e->closed) {
		stream_close(&e->stream);
		run(l);
	}
	assert_int_equal(e->closed, 1);
	close(other);
	buf_done(&e->got);
	loop_free(l);
}

static void test_bytes_come_in_order_and_leftovers_again(void **state)
{
	struct loop *l = a_loop();
	struct end e = {.take = 3, .enough = 12};
	int other;

	pair(l, &e, &other);
	assert_int_equal(write(other, "hello ", 6), 6);
	run_ms(l, 20);
	assert_int_equal(e.got.n, 3); /* the rest waits for what comes behind it */
	for (int i = 0; i < 8 && e.got.n < 12; i++) {
		assert_int_equal(write(other, "w", 1), 1);
		if (e.got.n + 3 < 12)
			run_ms(l, 20);
	}
	assert_memory_equal(e.got.p, "hello w", 7);
	finish(l, &e, other);
}

static void test_a_paused_stream_is_silent_and_keeps_all(void **state)
{
	struct loop *l = a_loop();
	struct end e = {.pauses = true};
	int other;
	char block[5000] = {0};

	pair(l, &e, &other);
	assert_int_equal(write(other, "a", 1), 1);
	run_ms(l, 20);
	assert_int_equal(e.got.n, 1);
	assert_int_equal(write(other, block, sizeof(block)), sizeof(block));
	run_ms(l, 20);
	assert_int_equal(e.got.n, 1);
	e.pauses = false;
	e.enough = 1 + sizeof(block);
	stream_resume(&e.stream);
	run(l);
	assert_int_equal(e.got.n, 1 + sizeof(block));
	finish(l, &e, other);
}

static void test_the_end_is_told_once_behind_all_bytes(void **state)
{
	struct loop *l = a_loop();
	struct end e = {.pauses = true, .ends_loop = true};
	int other;

	pair(l, &e, &other);
	assert_int_equal(write(other, "abc", 3), 3);
	close(other);
	run_ms(l, 20);
	assert_int_equal(e.got.n, 3);
	assert_int_equal(e.ended, 0); /* it is paused */
	e.pauses = false;
	stream_resume(&e.stream);
	run(l);
	assert_int_equal(e.ended, 1);
	assert_int_equal(e.why, ERR_OK);
	finish(l, &e, -1);
}

static void test_a_reader_that_does_not_read_fills_it_and_drains_it(void **state)
{
	struct loop *l = a_loop();
	struct end e = {0};
	size_t all = 4 << 20, read_n = 0;
	char *block = mem_alloc(all);
	int other;

	pair(l, &e, &other);
	for (size_t i = 0; i < all; i++)
		block[i] = (char)(i * 31 >> 3);
	stream_write(&e.stream, block, all);
	assert_true(stream_is_full(&e.stream));
	run_ms(l, 30);
	assert_int_equal(e.drained, 0);
	while (read_n < all) {
		char in[65536];
		ssize_t n = read(other, in, sizeof(in));

		if (n < 0 && errno == EAGAIN) {
			run_ms(l, 1);
			continue;
		}
		assert_true(n > 0);
		assert_memory_equal(in, block + read_n, (size_t)n);
		read_n += (size_t)n;
	}
	run_ms(l, 5);
	assert_int_equal(e.drained, 1);
	assert_int_equal(stream_waiting(&e.stream), 0);
	free(block);
	finish(l, &e, other);
}

static void test_finish_sends_what_was_written(void **state)
{
	struct loop *l = a_loop();
	struct end e = {.ends_loop = true};
	char in[16];
	int other;

	pair(l, &e, &other);
	stream_write(&e.stream, "goodbye", 7);
	stream_finish(&e.stream);
	run(l);
	assert_int_equal(read(other, in, sizeof(in)), 7);
	assert_int_equal(read(other, in, sizeof(in)), 0);
	finish(l, &e, other);
}

static void test_a_closed_stream_says_nothing_more(void **state)
{
	struct loop *l = a_loop();
	struct end e = {.ends_loop = true};
	int other;

	pair(l, &e, &other);
	assert_int_equal(write(other, "x", 1), 1);
	stream_close(&e.stream);
	stream_close(&e.stream);
	run(l);
	assert_int_equal(e.got.n + (size_t)e.ended, 0);
	finish(l, &e, other);
}

static void test_a_broken_pipe_is_an_end_with_a_reason(void **state)
{
	struct loop *l = a_loop();
	struct end e = {.ends_loop = true};
	struct linger reset = {.l_onoff = 1};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	struct err err = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other;

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(
		stream_connect(&e.stream, l, &ops, (struct sockaddr *)&a, n, &err), ERR_OK);
	stream_write(&e.stream, "early", 5); /* before it is connected: it goes then */
	run_ms(l, 20);
	assert_int_equal(e.opened, 1);
	other = accept(fd, NULL, NULL);
	assert_int_equal(read(other, (char[8]){0}, 8), 5);
	assert_int_equal(setsockopt(other, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(other);
	run(l);
	assert_int_equal(e.ended, 1);
	assert_int_not_equal(e.why, ERR_OK);
	finish(l, &e, fd);
}

static void test_a_refused_connection_is_told(void **state)
{
	struct loop *l = a_loop();
	struct end e = {.ends_loop = true};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	struct err err = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0); /* nobody listens */
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(
		stream_connect(&e.stream, l, &ops, (struct sockaddr *)&a, n, &err), ERR_OK);
	run(l);
	assert_int_equal(e.opened, 0);
	assert_int_equal(e.ended, 1);
	assert_int_not_equal(e.why, ERR_OK);
	finish(l, &e, fd);
}

struct door {
	struct listener listener;
	int n, fds[64];
};

static void on_taken(struct listener *n, int fd)
{
	struct door *d = container_of(n, struct door, listener);

	d->fds[d->n++] = fd;
	if (d->n == 64)
		loop_end(n->loop);
}

static void test_a_listener_takes_all_who_come_until_it_stops(void **state)
{
	struct loop *l = a_loop();
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	struct door d = {.listener = {.taken = on_taken}};
	int clients[64], one;

	d.listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(d.listener.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(d.listener.fd, 128), 0);
	assert_int_equal(getsockname(d.listener.fd, (struct sockaddr *)&a, &n), 0);
	loop_listen(l, &d.listener);
	for (int i = 0; i < 64; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&a, n), 0);
	}
	run(l);
	loop_listen_stop(&d.listener);
	one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	run_ms(l, 10);
	assert_int_equal(connect(one, (struct sockaddr *)&a, n), 0); /* the kernel's queue */
	run_ms(l, 20);
	assert_int_equal(d.n, 64);
	for (int i = 0; i < 64; i++) {
		close(clients[i]);
		close(d.fds[i]);
	}
	close(one);
	close(d.listener.fd);
	loop_free(l);
}

static void on_ready(struct watch *w)
{
	char c;

	assert_int_equal(read(w->fd, &c, 1), 1);
	if (c == 'z') {
		loop_unwatch(w);
		loop_end(w->loop);
	}
}

static void test_a_watch_tells_as_long_as_there_is_something(void **state)
{
	struct loop *l = a_loop();
	struct watch w = {.ready = on_ready};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	w.fd = fds[0];
	loop_watch(l, &w);
	assert_int_equal(write(fds[1], "abcz!", 5), 5);
	run(l);
	run_ms(l, 20);
	assert_int_equal(read(fds[0], (char[4]){0}, 4), 1); /* it was left alone */
	close(fds[0]);
	close(fds[1]);
	loop_free(l);
}

/* --- timers */

struct shot {
	struct timer t;
	int n, *order, *at;
	struct timers *ts;
	struct timer *stops, *starts;
};

static void on_shot(struct timer *t)
{
	struct shot *s = container_of(t, struct shot, t);

	s->order[(*s->at)++] = s->n;
	if (s->stops)
		timer_stop(s->ts, s->stops);
	if (s->starts)
		timer_start(s->ts, s->starts, 0, on_shot);
}

static void test_timers_fire_in_order_and_not_once_stopped(void **state)
{
	struct timers ts = {0};
	int order[300], at = 0;
	struct shot s[200] = {0};

	for (int i = 0; i < 200; i++) {
		s[i] = (struct shot){.n = i, .order = order, .at = &at, .ts = &ts};
		timer_start(&ts, &s[i].t, (i * 73) % 200, on_shot);
	}
	for (int i = 0; i < 200; i += 3)
		timer_stop(&ts, &s[i].t);
	timer_start(&ts, &s[0].t, 1000, on_shot); /* and one later again */
	timers_fire(&ts, 500);
	for (int i = 1; i < at; i++)
		assert_true(order[i - 1] * 73 % 200 <= order[i] * 73 % 200);
	assert_int_equal(at, 200 - 67);
	assert_int_equal(timers_next(&ts), 1000);
	timers_fire(&ts, 1000);
	assert_int_equal(order[at - 1], 0);
	assert_int_equal(timers_next(&ts), INT64_MAX);
	timers_done(&ts);
}

static void test_a_timer_stopped_in_its_round_does_not_fire(void **state)
{
	struct timers ts = {0};
	int order[8], at = 0;
	struct shot a = {.n = 1, .order = order, .at = &at, .ts = &ts}, b = a, c = a;

	b.n = 2;
	c.n = 3;
	a.stops = &b.t;
	a.starts = &a.t; /* itself, for now: the next round's */
	timer_start(&ts, &a.t, 1, on_shot);
	timer_start(&ts, &b.t, 2, on_shot);
	timer_start(&ts, &c.t, 3, on_shot);
	a.starts = NULL;
	timers_fire(&ts, 10);
	assert_int_equal(at, 2);
	assert_int_equal(order[1], 3);
	timers_done(&ts);
}

#define BOTH(name) cmocka_unit_test(name)
static const struct CMUnitTest loop_tests[] = {
	BOTH(test_bytes_come_in_order_and_leftovers_again),
	BOTH(test_a_paused_stream_is_silent_and_keeps_all),
	BOTH(test_the_end_is_told_once_behind_all_bytes),
	BOTH(test_a_reader_that_does_not_read_fills_it_and_drains_it),
	BOTH(test_finish_sends_what_was_written),
	BOTH(test_a_closed_stream_says_nothing_more),
	BOTH(test_a_broken_pipe_is_an_end_with_a_reason),
	BOTH(test_a_refused_connection_is_told),
	BOTH(test_a_listener_takes_all_who_come_until_it_stops),
	BOTH(test_a_watch_tells_as_long_as_there_is_something),
};

static const struct CMUnitTest timer_tests[] = {
	cmocka_unit_test(test_timers_fire_in_order_and_not_once_stopped),
	cmocka_unit_test(test_a_timer_stopped_in_its_round_does_not_fire),
};

int main(void)
{
	struct loop *l;
	int failed = cmocka_run_group_tests_name("timers", timer_tests, NULL, NULL);

	io_kind = LOOP_EPOLL;
	failed += cmocka_run_group_tests_name("epoll", loop_tests, NULL, NULL);
	io_kind = LOOP_URING;
	if (loop_new(LOOP_URING, &l, NULL)) {
		printf("this kernel has no io_uring that will do: epoll was tested alone\n");
		return failed;
	}
	loop_free(l);
	return failed + cmocka_run_group_tests_name("io_uring", loop_tests, NULL, NULL);
}
