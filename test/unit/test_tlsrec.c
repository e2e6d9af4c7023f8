/* What net/tlsrec promises: records of TLS 1.3 as RFC 8446 has them, and an end to what is none.
 * That others read and write the same is shown by test_tlsio, against OpenSSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "net/tlsrec.h"

enum { ALERT = 21, HANDSHAKE = 22, DATA = 23 };

static const unsigned char secret_a[TLSREC_SECRET_MAX] = {1};
static const unsigned char secret_b[TLSREC_SECRET_MAX] = {2};
static struct tlsrec_pool *pool;
static struct buf wire, plain, answer;
static struct err err;

/* Two ends: what is one's way in is the other's way out. */
static struct tlsrec *server, *client;

static int setup(void **state)
{
	(void)state;
	pool = mem_alloc(sizeof(*pool));
	server = tlsrec_new(pool, 0x1302, secret_a, secret_b);
	client = tlsrec_new(pool, 0x1302, secret_b, secret_a);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tlsrec_free(server);
	tlsrec_free(client);
	tlsrec_pool_done(pool);
	free(pool);
	buf_done(&wire);
	buf_done(&plain);
	buf_done(&answer);
	return 0;
}

/* The server gets what is on the wire. */
static enum tlsio_status carry(void)
{
	/* of its own length, so that reading behind it is noticed */
	CLEANUP(mem_drop) char *copy = mem_alloc(wire.n + !wire.n);
	enum tlsio_status status;

	memcpy(copy, wire.p, wire.n);
	err = (struct err){0};
	status = tlsrec_feed(server, copy, wire.n, &plain, &answer, &err);
	buf_clear(&wire);
	return status;
}

static void restart(void **state)
{
	teardown(state);
	setup(state);
}

static void records_are_what_the_protocol_allows(void **state)
{
	static const struct {
		unsigned char type;
		struct str body;
		enum tlsio_status want;
	} cases[] = {
		{DATA, {"select 1", 8}, TLSIO_OK},
		{DATA, {"", 0}, TLSIO_OK},
		{DATA, {"\0\0", 2}, TLSIO_OK}, /* zeros before the type are data */
		{ALERT, {"\1\0", 2}, TLSIO_END},
		{ALERT, {"\2\0", 2}, TLSIO_END},
		{ALERT, {"\1\x5a", 2}, TLSIO_OK}, /* user_canceled */
		{ALERT, {"\2\x14", 2}, TLSIO_BROKEN},
		{ALERT, {"\1\x64", 2}, TLSIO_BROKEN}, /* no_renegotiation is none of TLS 1.3's */
		{ALERT, {"\1", 1}, TLSIO_BROKEN},
		{ALERT, {"", 0}, TLSIO_BROKEN},
		{ALERT, {"\1\0\1\0", 4}, TLSIO_BROKEN},
		{HANDSHAKE, {"\x18\0\0\1\0", 5}, TLSIO_OK},
		{HANDSHAKE, {"\x18\0\0\1\1", 5}, TLSIO_OK},
		{HANDSHAKE, {"\x18\0\0\1\2", 5}, TLSIO_BROKEN},
		{HANDSHAKE, {"\x18\0\0\1", 4}, TLSIO_BROKEN},
		{HANDSHAKE, {"\x18\0\0\1\0\x18\0\0\1\0", 10}, TLSIO_BROKEN},
		{HANDSHAKE, {"\x18\0\0\2\0\0", 6}, TLSIO_BROKEN},
		{HANDSHAKE, {"\1\0\0\0", 4}, TLSIO_BROKEN}, /* ClientHello: a renegotiation */
		{HANDSHAKE, {"\x14\0\0\0", 4}, TLSIO_BROKEN},
		{HANDSHAKE, {"", 0}, TLSIO_BROKEN},
		{20, {"\1", 1}, TLSIO_BROKEN}, /* ChangeCipherSpec */
		{24, {"\1", 1}, TLSIO_BROKEN}, /* heartbeat */
		{0, {"", 0}, TLSIO_BROKEN}, /* padding and nothing else */
		{0, {"\0\0\0", 3}, TLSIO_BROKEN},
		{255, {"x", 1}, TLSIO_BROKEN},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum tlsio_status got;

		restart(state);
		tlsrec_put(client, cases[i].type, cases[i].body.p, cases[i].body.n, &wire);
		got = carry();
		if (got != cases[i].want)
			fail_msg("case %zu: %d: %s", i, (int)got, err.text);
		assert_int_equal(err.text[0] != '\0', got == TLSIO_BROKEN);
		assert_true(
			str_eq(buf_view(&plain), cases[i].type == DATA ? cases[i].body : STR("")));
	}
}

/* The bytes of padding are ours to take off: a record of the longest text and more is too long. */
static void padding_is_taken_off(void **state)
{
	(void)state;
	tlsrec_put(client, 0, "abc\x17\0\0\0", 7, &wire);
	assert_int_equal(carry(), TLSIO_OK);
	assert_true(str_is(buf_view(&plain), "abc"));
}

static void heads_are_not_trusted(void **state)
{
	static const struct {
		struct str head;
		enum tlsio_status want;
	} cases[] = {
		{{"\x17\3\3\0\0", 5}, TLSIO_BROKEN},
		{{"\x17\3\3\0\x10", 5}, TLSIO_BROKEN},
		{{"\x17\3\3\0\x11", 5}, TLSIO_OK}, /* waits for the rest */
		{{"\x17\3\3\x41\0", 5}, TLSIO_OK},
		{{"\x17\3\3\x41\1", 5}, TLSIO_BROKEN},
		{{"\x17\3\3\xff\xff", 5}, TLSIO_BROKEN},
		{{"\x14\3\3\0\1\1", 6}, TLSIO_BROKEN},
		{{"\x15\3\3\0\2\2\x28", 7}, TLSIO_BROKEN}, /* an alert that is not encrypted */
		{{"\x16\3\3\0\x11", 5}, TLSIO_BROKEN},
		{{"GET / HTTP/1.1", 14}, TLSIO_BROKEN},
		{{"\x17\3\3\0", 4}, TLSIO_OK},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		restart(state);
		buf_str(&wire, cases[i].head);
		if (carry() != cases[i].want)
			fail_msg("case %zu", i);
		assert_int_equal(plain.n, 0);
		assert_int_equal(answer.n > 0, cases[i].want == TLSIO_BROKEN); /* an alert */
	}
}

/* Empty records: 32 in a row, and not one more. What carries data begins the count anew. */
static void silence_has_an_end(void **state)
{
	enum tlsio_status status = TLSIO_OK;
	int n = 0;

	(void)state;
	for (; n < 100 && status == TLSIO_OK; n++) {
		if (n == 30)
			tlsrec_write(client, "x", 1, &wire);
		tlsrec_put(client, DATA, "", 0, &wire);
		status = carry();
	}
	assert_int_equal(status, TLSIO_BROKEN);
	assert_int_equal(n, 30 + 33);
}

/* Four times as many directions as there are keyed ciphers, each in turn. */
static void connections_share_a_few_ciphers(void **state)
{
	enum { N = TLSREC_SLOTS };
	static const unsigned int suites[] = {0x1301, 0x1302, 0x1303};
	struct tlsrec *s[N], *c[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		unsigned int suite = suites[i % ARRAY_LEN(suites)];

		s[i] = tlsrec_new(pool, suite, secret_a, secret_b);
		c[i] = tlsrec_new(pool, suite, secret_b, secret_a);
	}
	for (size_t k = 0; k < 4 * N; k++) {
		size_t i = k * 7 % N;
		char text[20];

		snprintf(text, sizeof(text), "text %zu", k);
		buf_clear(&plain);
		tlsrec_write(c[i], text, strlen(text), &wire);
		tlsrec_write(c[i], text, strlen(text), &wire);
		assert_int_equal(
			tlsrec_feed(s[i], wire.p, wire.n, &plain, &answer, &err), TLSIO_OK);
		buf_clear(&wire);
		assert_int_equal(plain.n, 2 * strlen(text));
		assert_memory_equal(plain.p, text, strlen(text));
	}
	for (size_t i = 0; i < N; i++) {
		tlsrec_free(s[i]);
		tlsrec_free(c[i]);
	}
}

static void unknown_suites_are_left_to_openssl(void **state)
{
	(void)state;
	assert_null(tlsrec_new(pool, 0x1304, secret_a, secret_b));
	assert_null(tlsrec_new(pool, 0, secret_a, secret_b));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_are_what_the_protocol_allows),
		TEST(padding_is_taken_off),
		TEST(heads_are_not_trusted),
		TEST(silence_has_an_end),
		TEST(connections_share_a_few_ciphers),
		TEST(unknown_suites_are_left_to_openssl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
