/* What the HTTPS server promises, asked by raw TLS sockets: requests, bodies, certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "http_fixture.h"

static void request_reaches_handler_decoded(void **state)
{
	struct talk t;

	(void)state;
	connect_as(&t, NULL);
	ask(&t, "GET /a%20b/%C3%A9?x=1&q=a+b%26c HTTP/1.1\r\nHost: h\r\nX-TEST:  v w \r\n\r\n", 200,
	    "GET /a b/\xc3\xa9 q=a b&c x=v w n=0 ");
	ask(&t, "GET https://h/abs?q=%41 HTTP/1.1\r\nHost: h\r\n\r\n", 200,
	    "GET /abs q=A x=- n=0 ");
	ask(&t, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200,
	    "POST /p q=- x=- n=5 hello");
	ask(&t,
	    "LOCK /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
	    200, "LOCK /p q=- x=- n=5 abcde");
	ask(&t, "GET /quick HTTP/1.1\r\nHost: h\r\n\r\n", 200, "127.0.0.1|||");
	talk_close(&t);
}

static void response_names_the_request(void **state)
{
	struct talk_reply r;
	struct talk t;

	(void)state;
	connect_as(&t, NULL);
	talk_puts(&t, "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc-1\r\n\r\n");
	talk_reply(&t, &r);
	assert_non_null(strstr(r.head.p, "\r\nX-Request-Id: abc-1\r\n"));
	assert_non_null(strstr(r.head.p, "\r\nX-Answer: 42\r\n"));
	assert_non_null(strstr(r.head.p, "\r\nContent-Type: text/plain\r\n"));
	talk_reply_done(&r);
	talk_puts(&t, "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: a b\"c\r\n\r\n");
	talk_reply(&t, &r);
	assert_null(strstr(r.head.p, "\"c"));
	assert_non_null(strstr(r.head.p, "\r\nX-Request-Id: "));
	talk_reply_done(&r);
	talk_close(&t);
}

/* Each byte in a TLS record of its own. */
static void request_may_be_split_anywhere(void **state)
{
	static const char rq[] = "POST /s?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz";
	struct talk_reply r;
	struct talk t;

	(void)state;
	connect_as(&t, NULL);
	for (size_t i = 0; i < sizeof(rq) - 1; i++)
		talk_send(&t, rq + i, 1);
	talk_reply(&t, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body.p, "POST /s q=1 x=- n=3 xyz");
	talk_reply_done(&r);
	talk_close(&t);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct talk t;

	(void)state;
	connect_as(&t, NULL);
	ask(&t,
	    "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
	    "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n",
	    200, "GET /1 q=- x=- n=0 ");
	ask(&t, "", 200, "GET /2 q=- x=- n=0 ");
	ask(&t, "", 200, "GET /3 q=- x=- n=0 ");
	talk_close(&t);
}

/* A token of 8 KiB (a person's, from an identity provider) must get through. */
static void head_below_its_limit_is_fine(void **state)
{
	struct buf rq = {0};
	struct talk t;

	(void)state;
	buf_puts(&rq, "GET /ok HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ");
	while (rq.n < 8 * 1024)
		buf_putc(&rq, 'x');
	buf_puts(&rq, "\r\n");
	for (int i = 0; i < 40; i++)
		buf_printf(&rq, "X-Padding-%d: some value\r\n", i);
	buf_puts(&rq, "\r\n");
	connect_as(&t, NULL);
	ask(&t, rq.p, 200, "GET /ok q=- x=- n=0 ");
	ask(&t, rq.p, 200, "GET /ok q=- x=- n=0 ");
	talk_close(&t);
	buf_done(&rq);
}

static void body_over_its_limit_gets_413(void **state)
{
	int before = handled;
	struct buf rq = {0};
	struct talk t;

	(void)state;
	buf_puts(&rq, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n");
	buf_reserve(&rq, 100001);
	memset(rq.p + rq.n, 'x', 100001);
	rq.n += 100001;
	rq.p[rq.n] = '\0';
	connect_as(&t, NULL);
	ask(&t, rq.p, 413, NULL);
	talk_close(&t);
	connect_as(&t, NULL);
	talk_puts(&t, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 12; i++) {
		talk_puts(&t, "2710\r\n");
		talk_send(&t, rq.p + 100, 10000);
		talk_puts(&t, "\r\n");
	}
	ask(&t, "0\r\n\r\n", 413, NULL);
	talk_close(&t);
	connect_as(&t, NULL);
	ask(&t,
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n"
	    "Expect: 100-continue\r\n\r\n",
	    413, NULL);
	talk_close(&t);
	connect_as(&t, NULL);
	ask(&t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413, NULL);
	talk_close(&t);
	assert_int_equal(handled, before);
	buf_done(&rq);
}

static void body_at_its_limit_is_fine(void **state)
{
	struct buf rq = {0};
	struct talk_reply r;
	struct talk t;

	(void)state;
	buf_puts(&rq, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
	buf_reserve(&rq, 100000);
	memset(rq.p + rq.n, 'x', 100000);
	connect_as(&t, NULL);
	talk_send(&t, rq.p, rq.n + 100000);
	talk_reply(&t, &r);
	assert_int_equal(r.status, 200);
	assert_true(str_starts(buf_view(&r.body), "POST / q=- x=- n=100000 xxx"));
	talk_reply_done(&r);
	talk_close(&t);
	buf_done(&rq);
}

static void large_answer_arrives_whole(void **state)
{
	struct talk_reply r;
	struct talk t;

	(void)state;
	connect_as(&t, NULL);
	talk_puts(&t, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_reply(&t, &r);
	assert_true(r.is_whole);
	assert_int_equal(r.body.n, 3 << 20);
	talk_reply_done(&r);
	talk_close(&t);
}

static void who_is(const struct ca_cert *me, int max_tls, const char *want)
{
	struct talk_reply r;
	struct talk t;

	assert_true(talk_open(&t, port, ca.cert_pem, me, max_tls));
	talk_puts(&t, "GET /who HTTP/1.1\r\nHost: h\r\n\r\n");
	talk_reply(&t, &r);
	if (!str_starts(buf_view(&r.body), want))
		fail_msg("want %s, got %s", want, r.body.p);
	talk_reply_done(&r);
	talk_close(&t);
}

static void only_our_certificates_name_a_peer(void **state)
{
	(void)state;
	who_is(NULL, 0, "127.0.0.1|||");
	who_is(&zone_cert, 0, "127.0.0.1|zone-a|slipway:hosts|");
	who_is(&zone_cert, TLS1_2_VERSION, "127.0.0.1|zone-a|slipway:hosts|");
	who_is(&foreign_cert, 0, "127.0.0.1|||The certificate is NOT trusted.");
	who_is(&foreign_cert, TLS1_2_VERSION, "127.0.0.1|||The certificate is NOT trusted.");
	who_is(&expired_cert, 0,
	       "127.0.0.1|||The certificate is NOT trusted. The certificate chain uses expired");
}

static void old_tls_is_refused(void **state)
{
	struct talk t;

	(void)state;
	assert_false(talk_open(&t, port, ca.cert_pem, NULL, TLS1_1_VERSION));
	talk_close(&t);
	assert_false(talk_open(&t, port, other_ca.cert_pem, NULL, 0));
	talk_close(&t);
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* libmicrohttpd would call GnuTLS again and again until the rest comes, or the second is over. */
static void half_a_handshake_costs_no_cpu(void **state)
{
	static const char hello[] = "\x16\x03\x01\x01\x24\x01\x00";
	struct http_server_conf c = conf();
	struct http_server *s;
	struct talk t;
	int64_t start;

	(void)state;
	c.idle_s = 1;
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	talk_open_plain(&t, http_server_port(s));
	start = cpu_ms();
	talk_send(&t, hello, sizeof(hello) - 1);
	while (talk_more(&t))
		;
	assert_in_range(cpu_ms() - start, 0, 300);
	talk_close(&t);
	http_server_stop(s);
}

/* One that began, one that never did, one that said nothing after it, and one in a head. */
static void whoever_stops_talking_is_let_go(void **state)
{
	struct http_server_conf c = conf();
	struct http_server *s;
	struct talk t[4];

	(void)state;
	c.idle_s = 1;
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	talk_open_plain(&t[0], http_server_port(s));
	talk_send(&t[0], "\x16\x03\x01\x01\x24\x01", 6);
	talk_open_plain(&t[1], http_server_port(s));
	assert_true(talk_open(&t[2], http_server_port(s), ca.cert_pem, NULL, 0));
	assert_true(talk_open(&t[3], http_server_port(s), ca.cert_pem, NULL, 0));
	talk_puts(&t[3], "GET / HTTP/1.1\r\nHo");
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		while (talk_more(&t[i]))
			;
		assert_int_not_equal(errno, EAGAIN);
		talk_close(&t[i]);
	}
	http_server_stop(s);
}

/* A ticket carries the certificate along; it is verified again. */
static void resumed_session_is_the_same_peer(void **state)
{
	SSL_SESSION *session;
	struct talk t, again;
	SSL *ssl;

	(void)state;
	connect_as(&t, &zone_cert);
	ask(&t, "GET /who HTTP/1.1\r\nHost: h\r\n\r\n", 200, "127.0.0.1|zone-a|slipway:hosts|");
	session = SSL_get1_session(t.ssl);
	talk_open_plain(&again, port);
	ssl = SSL_new(t.ctx);
	SSL_set_session(ssl, session);
	SSL_set1_host(ssl, "localhost");
	SSL_set_fd(ssl, again.fd);
	assert_int_equal(SSL_connect(ssl), 1);
	assert_true(SSL_session_reused(ssl));
	again.ssl = ssl;
	ask(&again, "GET /who HTTP/1.1\r\nHost: h\r\n\r\n", 200, "127.0.0.1|zone-a|slipway:hosts|");
	SSL_SESSION_free(session);
	talk_close(&again);
	talk_close(&t);
}

static long serial_of(struct talk *t)
{
	X509 *cert = SSL_get1_peer_certificate(t->ssl);
	long ret = ASN1_INTEGER_get(X509_get0_serialNumber(cert));
	unsigned long hash = X509_issuer_and_serial_hash(cert);

	X509_free(cert);
	return ret < 0 ? (long)hash : ret;
}

static void new_certificate_serves_new_connections(void **state)
{
	const char *hosts[] = {"localhost", NULL};
	struct ca_name name = {"api", "slipway:servers", hosts, 30};
	struct ca_cert next;
	struct talk old, new;

	(void)state;
	connect_as(&old, NULL);
	assert_int_equal(ca_issue(&arena, &ca, &name, &next, &err), ERR_OK);
	assert_int_equal(
		http_server_reload_cert(server, next.cert_pem, server_cert.key_pem, &err),
		ERR_INVALID);
	assert_int_equal(http_server_reload_cert(server, "x", next.key_pem, &err), ERR_INVALID);
	assert_int_equal(
		http_server_reload_cert(server, next.cert_pem, next.key_pem, &err), ERR_OK);
	connect_as(&new, NULL);
	assert_true(serial_of(&old) != serial_of(&new));
	ask(&old, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL);
	ask(&new, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL);
	talk_close(&old);
	talk_close(&new);
}

static void taken_port_is_a_conflict(void **state)
{
	struct http_server_conf c = conf();
	struct http_server *second = NULL;

	(void)state;
	c.port = port;
	assert_int_equal(http_server_start(&c, &second, &err), ERR_CONFLICT);
	assert_non_null(strstr(err.text, "in use by another program"));
	c.port = 0;
	c.address = "nowhere";
	assert_int_equal(http_server_start(&c, &second, &err), ERR_INVALID);
	c = conf();
	c.key_pem = zone_cert.key_pem;
	assert_int_equal(http_server_start(&c, &second, &err), ERR_INVALID);
	assert_null(second);
}

static void one_event_thread_without_tls_works_too(void **state)
{
	struct http_server_conf c = conf();
	struct http_server *s;
	struct talk t;

	(void)state;
	c.cert_pem = c.key_pem = c.client_ca_pem = NULL;
	c.event_threads = 1;
	c.address = "::1";
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	http_server_stop(s);
	c.address = "127.0.0.1";
	assert_int_equal(http_server_start(&c, &s, &err), ERR_OK);
	talk_open_plain(&t, http_server_port(s));
	ask(&t, "GET /who HTTP/1.1\r\nHost: h\r\n\r\n", 200, "127.0.0.1|||");
	ask(&t, "GET /quick HTTP/1.1\r\nHost: h\r\n\r\n", 200, "127.0.0.1|||");
	assert_int_equal(
		http_server_reload_cert(s, server_cert.cert_pem, server_cert.key_pem, &err),
		ERR_INVALID);
	talk_close(&t);
	http_server_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_reaches_handler_decoded),
		cmocka_unit_test(response_names_the_request),
		cmocka_unit_test(request_may_be_split_anywhere),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(head_below_its_limit_is_fine),
		cmocka_unit_test(body_over_its_limit_gets_413),
		cmocka_unit_test(body_at_its_limit_is_fine),
		cmocka_unit_test(large_answer_arrives_whole),
		cmocka_unit_test(only_our_certificates_name_a_peer),
		cmocka_unit_test(old_tls_is_refused),
		cmocka_unit_test(half_a_handshake_costs_no_cpu),
		cmocka_unit_test(whoever_stops_talking_is_let_go),
		cmocka_unit_test(resumed_session_is_the_same_peer),
		cmocka_unit_test(new_certificate_serves_new_connections),
		cmocka_unit_test(taken_port_is_a_conflict),
		cmocka_unit_test(one_event_thread_without_tls_works_too),
	};

	return cmocka_run_group_tests_name("http", tests, group_start, group_end);
}
