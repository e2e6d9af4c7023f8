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

#define ALPN "postgresql"
enum { ALL = SIZE_MAX };

static struct arena arena;
static struct ca_cert ca, other_ca, server_cert, client_cert;
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

static int group_start(void **state)
{
	const char *hosts[] = {"db.example", "127.0.0.1", "::1", NULL};
	struct ca_name server = {"gateway", "slipway:gateways", hosts, 90};
	struct ca_name client = {"app", NULL, NULL, 90};

	(void)state;
	return ca_new(&arena, "slipway test", &ca, &err) ||
		ca_new(&arena, "another", &other_ca, &err) ||
		ca_issue(&arena, &ca, &server, &server_cert, &err) ||
		ca_issue(&arena, &ca, &client, &client_cert, &err);
}

static int group_end(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

/* --- ends */
static struct tlsio_ctx *ctx_of(const struct tlsio_conf *conf)
{
	struct tlsio_ctx *c = NULL;

	if (tlsio_ctx_new(conf, &c, &err))
		fail_msg("%s", err.text);
	return c;
}

/* ca_pem: of the clients that it wants certificates of. */
static struct tlsio *server_new(const char *ca_pem)
{
	struct tlsio_conf conf = {
		.cert_pem = server_cert.cert_pem,
		.key_pem = server_cert.key_pem,
		.ca_pem = ca_pem,
		.alpn = ALPN,
		.is_server = true,
	};
	struct tlsio_ctx *c = ctx_of(&conf);
	struct tlsio *t = tlsio_new(c, NULL, false);

	tlsio_ctx_free(c); /* the connection keeps it */
	return t;
}

static struct tlsio *
client_new(const char *ca_pem, const struct ca_cert *me, const char *name, bool check)
{
	struct tlsio_conf conf = {
		.cert_pem = me ? me->cert_pem : NULL,
		.key_pem = me ? me->key_pem : NULL,
		.ca_pem = ca_pem,
		.alpn = ALPN,
	};
	struct tlsio_ctx *c = ctx_of(&conf);
	struct tlsio *t = tlsio_new(c, name, check);

	tlsio_ctx_free(c);
	return t;
}

static void pair_start(struct tlspair *p)
{
	tlspair_start(p, server_new(NULL), client_new(ca.cert_pem, NULL, "db.example", true));
}

static void assert_ready(const struct tlspair *p)
{
	if (!tlsio_is_ready(p->server))
		fail_msg("server: %s; client: %s", p->server_err.text, p->client_err.text);
	if (p->client)
		assert_true(tlsio_is_ready(p->client));
	assert_int_equal(p->server_status, TLSIO_OK);
	assert_int_equal(p->client_status, TLSIO_OK);
}

static void assert_got(struct buf *b, const char *text)
{
	assert_int_equal(b->n, strlen(text));
	assert_memory_equal(b->p, text, b->n);
	buf_clear(b);
}

static void assert_passes(struct tlspair *p, size_t piece)
{
	tlspair_say(p, false, "select 1", 8, piece);
	assert_got(&p->server_got, "select 1");
	tlspair_say(p, true, "one", 3, piece);
	assert_got(&p->client_got, "one");
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
		.cert_pem = server_cert.cert_pem,
		.key_pem = server_cert.key_pem,
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

/* --- who the other end is */
static void assert_refused(struct tlspair *p, const char *why)
{
	tlspair_run(p, ALL);
	assert_int_equal(p->client_status, TLSIO_BROKEN);
	if (!strstr(p->client_err.text, why))
		fail_msg("client: %s", p->client_err.text);
	assert_false(tlsio_is_ready(p->client));
	assert_int_equal(p->server_status, TLSIO_BROKEN); /* it was told by an alert */
	tlspair_done(p);
}

static void a_server_of_another_authority_is_refused(void **state)
{
	struct tlspair p;

	(void)state;
	tlspair_start(
		&p, server_new(NULL), client_new(other_ca.cert_pem, NULL, "db.example", true));
	assert_refused(&p, "certificate is refused");
	tlspair_start(
		&p, server_new(NULL), client_new(other_ca.cert_pem, NULL, "db.example", false));
	assert_refused(&p, "certificate is refused");
}

static void a_server_of_another_name_is_refused(void **state)
{
	static const char *const wrong[] = {"db.example.org", "example", "127.0.0.2", "::2",
					    "b.example",      "gateway"};
	static const char *const right[] = {"db.example", "DB.Example", "127.0.0.1", "::1"};
	struct tlspair p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		tlspair_start(&p, server_new(NULL), client_new(ca.cert_pem, NULL, wrong[i], true));
		assert_refused(&p, "mismatch");
		tlspair_start(&p, server_new(NULL), client_new(ca.cert_pem, NULL, wrong[i], false));
		tlspair_run(&p, ALL);
		assert_ready(&p);
		tlspair_done(&p);
	}
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		tlspair_start(&p, server_new(NULL), client_new(ca.cert_pem, NULL, right[i], true));
		tlspair_run(&p, ALL);
		assert_ready(&p);
		tlspair_done(&p);
	}
}

/* To OpenSSL these would be any name, and each below .example. */
static void names_that_would_match_others_are_refused(void **state)
{
	static const char *const names[] = {"", ".example"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct tlsio *t = client_new(ca.cert_pem, NULL, names[i], true);
		struct buf plain = {0}, send = {0};

		assert_int_equal(tlsio_feed(t, NULL, 0, &plain, &send, &err), TLSIO_BROKEN);
		assert_non_null(strstr(err.text, "name"));
		assert_int_equal(send.n, 0);
		tlsio_free(t);
		buf_done(&plain);
		buf_done(&send);
	}
}

static void a_client_proves_who_it_is_where_that_is_asked(void **state)
{
	struct ca_name name = {"app", NULL, NULL, 90};
	struct ca_cert stranger;
	struct tlspair p;

	(void)state;
	assert_int_equal(ca_issue(&arena, &other_ca, &name, &stranger, &err), ERR_OK);
	tlspair_start(
		&p, server_new(ca.cert_pem),
		client_new(ca.cert_pem, &client_cert, "db.example", true));
	tlspair_run(&p, ALL);
	assert_ready(&p);
	assert_passes(&p, ALL);
	tlspair_done(&p);
	for (int has_one = 0; has_one < 2; has_one++) {
		tlspair_start(
			&p, server_new(ca.cert_pem),
			client_new(ca.cert_pem, has_one ? &stranger : NULL, "db.example", true));
		tlspair_run(&p, ALL);
		assert_int_equal(p.server_status, TLSIO_BROKEN);
		assert_false(tlsio_is_ready(p.server));
		/* TLS 1.3: the client was through with the handshake before it was refused. */
		assert_int_equal(p.client_status, TLSIO_BROKEN);
		assert_non_null(strstr(p.client_err.text, "alert"));
		tlspair_done(&p);
	}
}

static void what_does_not_belong_together_is_refused(void **state)
{
	struct tlsio_conf cases[] = {
		{.cert_pem = "junk", .key_pem = server_cert.key_pem, .is_server = true},
		{.cert_pem = server_cert.cert_pem, .key_pem = "junk", .is_server = true},
		{.cert_pem = server_cert.cert_pem,
		 .key_pem = client_cert.key_pem,
		 .is_server = true},
		{.cert_pem = server_cert.key_pem,
		 .key_pem = server_cert.key_pem,
		 .is_server = true},
		{.ca_pem = "junk"},
		{.ca_pem = ""},
		{.ca_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tlsio_ctx *c = NULL;

		err = (struct err){0};
		assert_int_equal(tlsio_ctx_new(&cases[i], &c, &err), ERR_INVALID);
		assert_null(c);
		assert_non_null(strstr(err.text, "TLS"));
	}
}

static void a_chain_and_several_authorities_are_taken(void **state)
{
	const char *both = arena_printf(&arena, "%s%s", other_ca.cert_pem, ca.cert_pem);
	const char *chain = arena_printf(&arena, "%s%s", server_cert.cert_pem, ca.cert_pem);
	struct tlsio_conf conf = {
		.cert_pem = chain, .key_pem = server_cert.key_pem, .is_server = true, .alpn = ALPN};
	struct tlsio_ctx *c = ctx_of(&conf);
	struct tlspair p;

	(void)state;
	tlspair_start(&p, tlsio_new(c, NULL, false), client_new(both, NULL, "db.example", true));
	tlspair_run(&p, ALL);
	assert_ready(&p);
	tlspair_done(&p);
	tlsio_ctx_free(c);
}

static void connections_outlive_a_change_of_certificate(void **state)
{
	const char *hosts[] = {"new.example", NULL};
	struct ca_name name = {"gateway", NULL, hosts, 90};
	struct tlspair old, new;
	struct ca_cert before = server_cert;

	(void)state;
	pair_start(&old);
	tlspair_run(&old, ALL);
	assert_ready(&old);
	assert_int_equal(ca_issue(&arena, &ca, &name, &server_cert, &err), ERR_OK);
	tlspair_start(&new, server_new(NULL), client_new(ca.cert_pem, NULL, "new.example", true));
	tlspair_run(&new, ALL);
	server_cert = before;
	assert_ready(&new);
	for (int i = 0; i < 3; i++) {
		assert_passes(&old, 10);
		assert_passes(&new, 10);
	}
	tlspair_done(&old);
	assert_passes(&new, 10);
	tlspair_done(&new);
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

/* --- channel binding */
static void both_ends_bind_to_the_same_certificate(void **state)
{
	unsigned char server[TLSIO_BINDING_MAX], client[TLSIO_BINDING_MAX];
	struct tlspair p;

	(void)state;
	pair_start(&p);
	tlspair_run(&p, ALL);
	assert_int_equal(tlsio_binding(p.server, server), 32);
	assert_int_equal(tlsio_binding(p.client, client), 32);
	assert_memory_equal(server, client, 32);
	tlspair_done(&p);
}

/* A certificate that signs itself with a new key of that kind. */
static X509 *self_signed(EVP_PKEY *key, const EVP_MD *md)
{
	X509 *cert = X509_new();

	assert_non_null(key);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, md) > 0);
	EVP_PKEY_free(key);
	return cert;
}

static void the_hash_is_that_of_the_signature_but_never_a_weak_one(void **state)
{
	static const struct {
		const char *key, *signed_by, *bound_by;
	} cases[] = {
		{"EC", "SHA256", "SHA256"}, {"EC", "SHA384", "SHA384"}, {"EC", "SHA512", "SHA512"},
		{"EC", "SHA1", "SHA256"},   {"RSA", "MD5", "SHA256"},   {"RSA", "SHA224", "SHA224"},
		{"ED25519", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const EVP_MD *md =
			cases[i].signed_by ? EVP_get_digestbyname(cases[i].signed_by) : NULL;
		EVP_PKEY *key = strcmp(cases[i].key, "EC") == 0 ? EVP_EC_gen("P-256")
			: strcmp(cases[i].key, "RSA") == 0
			? EVP_RSA_gen(1024)
			: EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		X509 *cert = self_signed(key, md);
		unsigned char got[TLSIO_BINDING_MAX], want[EVP_MAX_MD_SIZE];
		unsigned int n = 0;

		if (cases[i].bound_by)
			X509_digest(cert, EVP_get_digestbyname(cases[i].bound_by), want, &n);
		assert_int_equal(tlsio_cert_binding(cert, got), n);
		assert_memory_equal(got, want, n);
		X509_free(cert);
	}
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
		.cert_pem = server_cert.cert_pem,
		.key_pem = server_cert.key_pem,
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
		.cert_pem = server_cert.cert_pem,
		.key_pem = server_cert.key_pem,
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
		cmocka_unit_test(a_server_of_another_authority_is_refused),
		cmocka_unit_test(a_server_of_another_name_is_refused),
		cmocka_unit_test(names_that_would_match_others_are_refused),
		cmocka_unit_test(a_client_proves_who_it_is_where_that_is_asked),
		cmocka_unit_test(what_does_not_belong_together_is_refused),
		cmocka_unit_test(a_chain_and_several_authorities_are_taken),
		cmocka_unit_test(connections_outlive_a_change_of_certificate),
		cmocka_unit_test(the_protocol_is_agreed_on_or_left_open),
		cmocka_unit_test(tls_1_2_is_spoken_and_nothing_older),
		cmocka_unit_test(nobody_renegotiates),
		cmocka_unit_test(keys_are_renewed_when_the_client_asks),
		cmocka_unit_test(no_ticket_is_given_out),
		cmocka_unit_test(both_ends_bind_to_the_same_certificate),
		cmocka_unit_test(the_hash_is_that_of_the_signature_but_never_a_weak_one),
		cmocka_unit_test(each_suite_of_tls_1_3_is_spoken),
		cmocka_unit_test(a_flood_of_key_updates_breaks),
		cmocka_unit_test(keys_are_renewed_before_they_are_worn_out),
		cmocka_unit_test(an_idle_connection_is_small),
	};

	/* Before OpenSSL takes any memory. */
	if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
		return 1;
	return cmocka_run_group_tests(tests, group_start, group_end);
}
