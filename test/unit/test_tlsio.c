/* What net/tlsio promises: bytes in any pieces, the right peer or none, and small when idle. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "net/tlsio_ctx.h"
#include "tlspair.h"

static struct err err;
static size_t ssl_bytes; /* what OpenSSL holds now */

/* --- OpenSSL's memory, counted */
static void *count_malloc(size_t n, const char *file, int line)
{
	void *p = malloc(n);

	(void)file;
	(void)line;
	ssl_bytes += p ? malloc_usable_size(p) : 0;
	return p;
}

static void count_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	ssl_bytes -= p ? malloc_usable_size(p) : 0;
	free(p);
}

static void *count_realloc(void *old, size_t n, const char *file, int line)
{
	void *p;

	(void)file;
	(void)line;
	ssl_bytes -= old ? malloc_usable_size(old) : 0;
	p = realloc(old, n);
	ssl_bytes += p ? malloc_usable_size(p) : 0;
	return p;
}

/* --- bytes */
static void bytes_pass_in_whatever_pieces_they_come(void **state)
{
	static const size_t pieces[] = {1, 2, 3, 5, 6, 7, 100, 1000, ALL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct tlspair p;

		pair_start(&p);
		assert_false(tlsio_is_ready(p.server));
		tlspair_run(&p, pieces[i]);
		assert_ready(&p);
		assert_string_equal(tlsio_version(p.server), "TLSv1.3");
		assert_string_equal(tlsio_cipher(p.server), tlsio_cipher(p.client));
		for (int k = 0; k < 3; k++)
			assert_passes(&p, pieces[i]);
		tlspair_done(&p);
	}
}

static void a_long_text_passes_both_ways(void **state)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 300000};
	CLEANUP(mem_drop) char *text = mem_alloc(300000);
	struct tlspair p;

	(void)state;
	for (size_t i = 0; i < 300000; i++)
		text[i] = (char)(i * 31 + i / 251);
	pair_start(&p);
	tlspair_run(&p, ALL);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (int from_server = 0; from_server < 2; from_server++) {
			struct buf *got = from_server ? &p.client_got : &p.server_got;

			tlspair_say(&p, from_server, text, sizes[i], 1 + i * 1000);
			assert_int_equal(got->n, sizes[i]);
			if (sizes[i])
				assert_memory_equal(got->p, text, sizes[i]);
			buf_clear(got);
		}
	}
	tlspair_done(&p);
}

static void text_that_comes_with_the_handshake_is_not_lost(void **state)
{
	struct tlspair p;

	(void)state;
	pair_start(&p);
	while (!tlsio_is_ready(p.client)) {
		struct buf in = p.to_server;

		p.to_server = (struct buf){0};
		tlsio_feed(p.server, in.p, in.n, &p.server_got, &p.to_client, &err);
		buf_done(&in);
		in = p.to_client;
		p.to_client = (struct buf){0};
		tlsio_feed(p.client, in.p, in.n, &p.client_got, &p.to_server, &err);
		buf_done(&in);
	}
	/* Its Finished message is still on its way. */
	assert_false(tlsio_is_ready(p.server));
	tlspair_say(&p, false, "at once", 7, ALL);
	assert_ready(&p);
	assert_got(&p.server_got, "at once");
	tlspair_done(&p);
}

static void close_notify_ends_and_what_stood_before_it_is_there(void **state)
{
	struct tlspair p;

	(void)state;
	pair_start(&p);
	tlspair_run(&p, ALL);
	tlsio_write(p.client, "last", 4, &p.to_server, &err);
	tlsio_close(p.client, &p.to_server);
	buf_puts(&p.to_server, "bytes behind the end are of nobody");
	tlspair_run(&p, ALL);
	assert_int_equal(p.server_status, TLSIO_END);
	assert_got(&p.server_got, "last");
	buf_puts(&p.to_server, "nor these");
	tlspair_run(&p, ALL);
	assert_int_equal(p.server_status, TLSIO_END);
	assert_int_equal(p.server_got.n, 0);
	/* The other way is still open. */
	assert_int_equal(tlsio_write(p.server, "bye", 3, &p.to_client, &err), TLSIO_OK);
	tlsio_close(p.server, &p.to_client);
	tlspair_run(&p, 1);
	assert_got(&p.client_got, "bye");
	assert_int_equal(p.client_status, TLSIO_END);
	tlspair_done(&p);
}

static void a_record_that_was_touched_breaks_the_connection(void **state)
{
	(void)state;
	for (size_t at = 5; at < 30; at += 3) {
		struct tlspair p;

		pair_start(&p);
		tlspair_run(&p, ALL);
		assert_passes(&p, ALL);
		tlsio_write(p.client, "select 1", 8, &p.to_server, &err);
		p.to_server.p[at] = (char)(p.to_server.p[at] ^ 0x10);
		tlspair_run(&p, ALL);
		assert_int_equal(p.server_status, TLSIO_BROKEN);
		assert_int_equal(p.server_got.n, 0);
		assert_non_null(strstr(p.server_err.text, "TLS"));
		/* The other end is told, and nothing can be sent any more. */
		assert_int_equal(p.client_status, TLSIO_BROKEN);
		assert_int_equal(tlsio_write(p.server, "x", 1, &p.to_client, &err), TLSIO_BROKEN);
		assert_int_equal(p.to_client.n, 0);
		tlspair_done(&p);
	}
}

/* A record that comes twice, or not at all. */
static void records_come_once_and_in_order(void **state)
{
	(void)state;
	for (int is_lost = 0; is_lost < 2; is_lost++) {
		struct tlspair p;
		struct buf again = {0};

		pair_start(&p);
		tlspair_run(&p, ALL);
		tlsio_write(p.client, "a", 1, &p.to_server, &err);
		if (is_lost)
			buf_clear(&p.to_server);
		else
			buf_str(&again, buf_view(&p.to_server));
		tlsio_write(p.client, "b", 1, &p.to_server, &err);
		buf_str(&p.to_server, buf_view(&again));
		tlspair_run(&p, ALL);
		assert_int_equal(p.server_status, TLSIO_BROKEN);
		assert_got(&p.server_got, is_lost ? "" : "ab");
		buf_done(&again);
		tlspair_done(&p);
	}
}

static void a_flood_of_garbage_breaks_and_costs_nothing(void **state)
{
	static const char *const firsts[] = {
		"", "\x16\x03\x01", "\x16\x03\x01\x40\x00\x01", "GET / HTTP/1.1\r\n\r\n",
		"\x80\x2e\x01"};
	struct tlsio_conf conf = {
		.cert_pem = tls_world.server_cert.cert_pem,
		.key_pem = tls_world.server_cert.key_pem,
		.is_server = true};
	struct tlsio_ctx *c = ctx_of(&conf);
	CLEANUP(mem_drop) unsigned char *flood = mem_alloc(1 << 20);
	struct buf plain = {0}, send = {0};

	(void)state;
	srandom(1);
	for (size_t i = 0; i < 1 << 20; i++)
		flood[i] = (unsigned char)random();
	for (size_t i = 0; i < 200; i++) {
		struct tlsio *t = tlsio_new(c, NULL, false);
		const char *first = firsts[i % ARRAY_LEN(firsts)];
		enum tlsio_status status;

		buf_clear(&send);
		tlsio_feed(t, first, i % 5 == 2 ? 6 : strlen(first), &plain, &send, &err);
		status = tlsio_feed(
			t, (char *)flood + 100 * i, (1 << 20) - 100 * i, &plain, &send, &err);
		assert_int_equal(status, TLSIO_BROKEN);
		assert_false(tlsio_is_ready(t));
		assert_int_equal(plain.n, 0);
		assert_true(send.n < 100); /* an alert */
		tlsio_free(t);
	}
	buf_done(&plain);
	buf_done(&send);
	tlsio_ctx_free(c);
}

/* --- clients that are not ours */
static SSL *raw_client(int max_version, const char *alpn, size_t alpn_n)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *s;

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ctx, max_version);
	s = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (alpn)
		SSL_set_alpn_protos(s, (const unsigned char *)alpn, (unsigned int)alpn_n);
	return s;
}

static void the_protocol_is_agreed_on_or_left_open(void **state)
{
	static const struct {
		struct str offer;
		bool is_ready, has_alpn;
	} cases[] = {
		{{NULL, 0}, true, false},
		{{"\12postgresql", 11}, true, true},
		{{"\2h2\12postgresql", 14}, true, true},
		{{"\12postgresql\2h2", 14}, true, true},
		{{"\2h2", 3}, false, false},
		{{"\2h2\10http/1.1", 12}, false, false},
		{{"\11postgresq", 10}, false, false},
		{{"\13postgresqlx", 12}, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tlspair p;

		tlspair_start_raw(
			&p, server_new(NULL),
			raw_client(TLS1_3_VERSION, cases[i].offer.p, cases[i].offer.n));
		tlspair_run(&p, ALL);
		assert_int_equal(tlsio_is_ready(p.server), cases[i].is_ready);
		assert_int_equal(tlsio_has_alpn(p.server), cases[i].has_alpn);
		assert_int_equal(p.server_status, cases[i].is_ready ? TLSIO_OK : TLSIO_BROKEN);
		if (cases[i].is_ready)
			assert_passes(&p, ALL);
		tlspair_done(&p);
	}
}

static void tls_1_2_is_spoken_and_nothing_older(void **state)
{
	struct tlspair p;

	(void)state;
	tlspair_start_raw(&p, server_new(NULL), raw_client(TLS1_2_VERSION, NULL, 0));
	tlspair_run(&p, 7);
	assert_ready(&p);
	assert_string_equal(tlsio_version(p.server), "TLSv1.2");
	assert_passes(&p, 7);
	tlspair_done(&p);
	tlspair_start_raw(&p, server_new(NULL), raw_client(TLS1_1_VERSION, NULL, 0));
	tlspair_run(&p, ALL);
	assert_int_equal(p.server_status, TLSIO_BROKEN);
	assert_int_equal(p.client_status, TLSIO_BROKEN);
	tlspair_done(&p);
}

/* CVE-2009-3555, and a way to make a server work for nothing. */
static void nobody_renegotiates(void **state)
{
	struct tlspair p;

	(void)state;
	tlspair_start_raw(&p, server_new(NULL), raw_client(TLS1_2_VERSION, NULL, 0));
	tlspair_run(&p, ALL);
	assert_ready(&p);
	SSL_renegotiate(p.raw);
	SSL_do_handshake(p.raw);
	tlspair_run(&p, ALL);
	assert_int_equal(p.client_status, TLSIO_BROKEN); /* it was told: no_renegotiation */
	tlspair_done(&p);
}

static void keys_are_renewed_when_the_client_asks(void **state)
{
	struct tlspair p;

	(void)state;
	tlspair_start_raw(&p, server_new(NULL), raw_client(TLS1_3_VERSION, NULL, 0));
	tlspair_run(&p, ALL);
	for (int i = 0; i < 5; i++) {
		SSL_key_update(
			p.raw, i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
		assert_passes(&p, 3);
		assert_passes(&p, ALL);
	}
	tlspair_done(&p);
}

static void no_ticket_is_given_out(void **state)
{
	struct tlspair p;

	(void)state;
	tlspair_start_raw(&p, server_new(NULL), raw_client(TLS1_3_VERSION, NULL, 0));
	tlspair_run(&p, ALL);
	assert_passes(&p, ALL);
	assert_false(SSL_SESSION_is_resumable(SSL_get_session(p.raw)));
	tlspair_done(&p);
	tlspair_start_raw(&p, server_new(NULL), raw_client(TLS1_2_VERSION, NULL, 0));
	tlspair_run(&p, ALL);
	assert_false(SSL_SESSION_has_ticket(SSL_get_session(p.raw)));
	tlspair_done(&p);
}

static void each_suite_of_tls_1_3_is_spoken(void **state)
{
	static const char *const suites[] = {
		"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		SSL *raw = raw_client(TLS1_3_VERSION, NULL, 0);
		struct tlspair p;

		SSL_set_ciphersuites(raw, suites[i]);
		tlspair_start_raw(&p, server_new(NULL), raw);
		tlspair_run(&p, 11);
		assert_ready(&p);
		assert_string_equal(tlsio_cipher(p.server), suites[i]);
		for (int k = 0; k < 3; k++)
			assert_passes(&p, 11);
		tlsio_close(p.server, &p.to_client);
		tlspair_run(&p, ALL);
		assert_int_equal(p.client_status, TLSIO_END);
		tlspair_done(&p);
	}
}

static void a_flood_of_key_updates_breaks(void **state)
{
	struct tlspair p;

	(void)state;
	tlspair_start_raw(&p, server_new(NULL), raw_client(TLS1_3_VERSION, NULL, 0));
	tlspair_run(&p, ALL);
	assert_ready(&p);
	for (int i = 0; i < 100 && p.server_status == TLSIO_OK; i++) {
		SSL_key_update(p.raw, SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(p.raw);
		tlspair_run(&p, ALL);
	}
	assert_int_equal(p.server_status, TLSIO_BROKEN);
	tlspair_done(&p);
}

static void keys_are_renewed_before_they_are_worn_out(void **state)
{
	struct tlsio_conf conf = {
		.cert_pem = tls_world.server_cert.cert_pem,
		.key_pem = tls_world.server_cert.key_pem,
		.is_server = true};
	struct tlsio_ctx *c = ctx_of(&conf);
	struct tlspair p;
	size_t before;

	(void)state;
	c->pool.new_key_after = 3;
	tlspair_start_raw(&p, tlsio_new(c, NULL, false), raw_client(TLS1_3_VERSION, NULL, 0));
	tlspair_run(&p, ALL);
	for (int i = 0; i < 20; i++)
		assert_passes(&p, 100);
	assert_int_equal(tlsio_write(p.server, "x", 1, &p.to_client, &err), TLSIO_OK);
	before = p.to_client.n;
	assert_int_equal(tlsio_write(p.server, "x", 1, &p.to_client, &err), TLSIO_OK);
	assert_true(p.to_client.n - before > before); /* with a KeyUpdate before it */
	tlspair_done(&p);
	tlsio_ctx_free(c);
}

/* --- memory */
enum { IDLE = 50, BUSY = TLSREC_SLOTS / 2, IDLE_BYTES_MAX = 600 };

/* More connections than have a keyed cipher: OpenSSL holds nothing for those that are silent, and
 * they go on when they speak again. */
static void an_idle_connection_is_small(void **state)
{
	struct tlsio_conf conf = {
		.cert_pem = tls_world.server_cert.cert_pem,
		.key_pem = tls_world.server_cert.key_pem,
		.is_server = true};
	struct tlsio_ctx *c = ctx_of(&conf);
	CLEANUP(mem_drop) struct tlspair *p = mem_alloc((BUSY + IDLE) * sizeof(*p));
	size_t before = 0;

	(void)state;
	for (int i = 0; i < BUSY + IDLE; i++) {
		if (i == BUSY)
			before = ssl_bytes;
		tlspair_start_raw(
			&p[i], tlsio_new(c, NULL, false), raw_client(TLS1_3_VERSION, NULL, 0));
		tlspair_run(&p[i], ALL);
		assert_passes(&p[i], ALL);
		if (i >= IDLE) {
			SSL_free(p[i].raw);
			p[i].raw = NULL;
		}
	}
	print_message(
		"an idle connection: %zu bytes, and %zu of OpenSSL's\n", tlsio_bytes(p[0].server),
		(ssl_bytes - before) / IDLE);
	assert_true(tlsio_bytes(p[0].server) < IDLE_BYTES_MAX);
	assert_true(ssl_bytes <= before + IDLE * 16);
	for (int i = 0; i < BUSY + IDLE; i++) {
		if (p[i].raw)
			assert_passes(&p[i], ALL);
		tlspair_done(&p[i]);
	}
	tlsio_ctx_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_pass_in_whatever_pieces_they_come),
		cmocka_unit_test(a_long_text_passes_both_ways),
		cmocka_unit_test(text_that_comes_with_the_handshake_is_not_lost),
		cmocka_unit_test(close_notify_ends_and_what_stood_before_it_is_there),
		cmocka_unit_test(a_record_that_was_touched_breaks_the_connection),
		cmocka_unit_test(records_come_once_and_in_order),
		cmocka_unit_test(a_flood_of_garbage_breaks_and_costs_nothing),
		cmocka_unit_test(the_protocol_is_agreed_on_or_left_open),
		cmocka_unit_test(tls_1_2_is_spoken_and_nothing_older),
		cmocka_unit_test(nobody_renegotiates),
		cmocka_unit_test(keys_are_renewed_when_the_client_asks),
		cmocka_unit_test(no_ticket_is_given_out),
		cmocka_unit_test(each_suite_of_tls_1_3_is_spoken),
		cmocka_unit_test(a_flood_of_key_updates_breaks),
		cmocka_unit_test(keys_are_renewed_before_they_are_worn_out),
		cmocka_unit_test(an_idle_connection_is_small),
	};

	/* Before OpenSSL takes any memory. */
	if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
		return 1;
	return cmocka_run_group_tests(tests, tls_world_start, tls_world_end);
}
