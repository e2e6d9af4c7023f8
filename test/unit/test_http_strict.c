/* What the HTTPS server must not take: each request here has two readings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "http_fixture.h"

#define H "Host: h\r\n"

static const struct refusal {
	const char *what;
	struct str bytes;
	int status;
} refusals[] = {
	{"length and coding",
	 STR("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "0\r\n\r\nGET /x HTTP/1.1\r\n" H "\r\n"),
	 400},
	{"coding and length",
	 STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
	     "0\r\n\r\nGET /x HTTP/1.1\r\n" H "\r\n"),
	 400},
	{"two lengths",
	 STR("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc"), 400},
	{"two equal lengths",
	 STR("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400},
	{"list of lengths", STR("POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc"), 400},
	{"signed length", STR("POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc"), 400},
	{"negative length", STR("POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\nabc"), 400},
	{"hex length", STR("POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc"), 400},
	{"empty length", STR("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc"), 400},
	{"length over 2^64",
	 STR("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\nabc"), 413},
	{"two codings",
	 STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"
	     "0\r\n\r\n"),
	 400},
	{"coding list",
	 STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400},
	{"unknown coding", STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"), 400},
	{"coding with 1.0",
	 STR("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
	{"folded coding",
	 STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), 400},
	{"folded header", STR("GET / HTTP/1.1\r\n" H "X-Test: a\r\n b\r\n\r\n"), 400},
	{"folded last header", STR("GET / HTTP/1.1\r\nX-Test: a\r\n" H "\tb\r\n\r\n"), 400},
	{"bare LF after a header", STR("GET / HTTP/1.1\r\nX-Test: a\n" H "\r\n"), 400},
	{"bare LF after the last header", STR("GET / HTTP/1.1\r\nHost: h\n\r\n"), 400},
	{"bare LF after the request line", STR("GET / HTTP/1.1\n" H "\r\n"), 400},
	{"bare LF as the empty line", STR("GET / HTTP/1.1\r\n" H "\n"), 400},
	{"bare LF hides a coding",
	 STR("POST / HTTP/1.1\r\n" H "X-Test: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	 400},
	{"bare LF and a fold", STR("GET / HTTP/1.1\r\n" H "X-Test: a\r\n b\r\nA: b\nC: d\n\r\n"),
	 400},
	{"CR in a value", STR("GET / HTTP/1.1\r\n" H "X-Test: a\rb\r\n\r\n"), 400},
	{"NUL in a value", STR("GET / HTTP/1.1\r\n" H "X-Test: a\0b\r\n\r\n"), 400},
	{"NUL in a name", STR("GET / HTTP/1.1\r\n" H "X-T\0est: a\r\n\r\n"), 400},
	{"NUL in the target", STR("GET /a\0b HTTP/1.1\r\n" H "\r\n"), 400},
	{"escaped NUL in the path", STR("GET /a%00b HTTP/1.1\r\n" H "\r\n"), 400},
	{"escaped NUL in the query", STR("GET /a?q=%00 HTTP/1.1\r\n" H "\r\n"), 400},
	{"half an escape", STR("GET /a%2 HTTP/1.1\r\n" H "\r\n"), 400},
	{"no escape", STR("GET /a%zz HTTP/1.1\r\n" H "\r\n"), 400},
	{"control byte in the target", STR("GET /a\x01z HTTP/1.1\r\n" H "\r\n"), 400},
	{"two spaces", STR("GET  / HTTP/1.1\r\n" H "\r\n"), 400},
	{"tab for a space", STR("GET\t/ HTTP/1.1\r\n" H "\r\n"), 400},
	{"space in the target", STR("GET /a b HTTP/1.1\r\n" H "\r\n"), 0},
	{"no version", STR("GET /\r\n" H "\r\n"), 400},
	{"HTTP/2.0", STR("GET / HTTP/2.0\r\n" H "\r\n"), 505},
	{"HTTP/1.2", STR("GET / HTTP/1.2\r\n" H "\r\n"), 400},
	{"bad method", STR("G(T / HTTP/1.1\r\n" H "\r\n"), 400},
	{"no host", STR("GET / HTTP/1.1\r\n\r\n"), 400},
	{"two hosts", STR("GET / HTTP/1.1\r\n" H H "\r\n"), 400},
	{"space before the colon", STR("GET / HTTP/1.1\r\n" H "X-Test : a\r\n\r\n"), 400},
	{"no colon", STR("GET / HTTP/1.1\r\n" H "X-Test\r\n\r\n"), 400},
	{"empty name", STR("GET / HTTP/1.1\r\n" H ": a\r\n\r\n"), 400},
	{"bad chunk",
	 STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"),
	 400},
	{"negative chunk",
	 STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n"),
	 400},
	{"chunk over 2^64",
	 STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
	     "10000000000000001\r\nabc\r\n0\r\n\r\n"),
	 413},
};

/* libmicrohttpd repeats the tail of its own page for a bad length; but never a whole answer. */
static bool is_over_without_reply(struct talk *t)
{
	while (talk_more(t))
		;
	return errno != EAGAIN && (!t->in.n || !memmem(t->in.p, t->in.n, "HTTP/1.", 7));
}

/* Refused before a handler runs; and the connection ends, so that what came behind it cannot be
 * taken for a request. */
static void refuse_one(const struct refusal *x)
{
	int before = handled;
	struct talk_reply r;
	struct talk t;

	connect_as(&t, NULL);
	talk_send(&t, x->bytes.p, x->bytes.n);
	talk_reply(&t, &r);
	if (r.status != x->status || handled != before)
		fail_msg("%s: status %d, %d handled", x->what, r.status, handled - before);
	if (!is_over_without_reply(&t))
		fail_msg("%s: the connection stays open", x->what);
	talk_reply_done(&r);
	talk_close(&t);
}

static void ambiguous_request_is_refused_and_the_connection_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		refuse_one(&refusals[i]);
}

static void head_over_its_limit_is_refused(void **state)
{
	struct buf rq = {0};
	struct refusal big = {.what = "large header", .status = 431};
	struct refusal many = {.what = "many headers", .status = 431};
	struct refusal uri = {.what = "long target", .status = 414};

	(void)state;
	buf_puts(&rq, "GET / HTTP/1.1\r\nHost: h\r\nX-Big: ");
	while (rq.n < 20000)
		buf_putc(&rq, 'x');
	buf_puts(&rq, "\r\n\r\n");
	big.bytes = buf_view(&rq);
	refuse_one(&big);
	buf_clear(&rq);
	buf_puts(&rq, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 150; i++)
		buf_printf(&rq, "X-%d: y\r\n", i);
	buf_puts(&rq, "\r\n");
	many.bytes = buf_view(&rq);
	refuse_one(&many);
	buf_clear(&rq);
	buf_puts(&rq, "GET /");
	while (rq.n < 20000)
		buf_putc(&rq, 'x');
	buf_puts(&rq, " HTTP/1.1\r\nHost: h\r\n\r\n");
	uri.bytes = buf_view(&rq);
	refuse_one(&uri);
	buf_done(&rq);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ambiguous_request_is_refused_and_the_connection_ends),
		cmocka_unit_test(head_over_its_limit_is_refused),
	};

	return cmocka_run_group_tests_name("http_strict", tests, group_start, group_end);
}
