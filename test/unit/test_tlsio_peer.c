/* What net/tlsio promises about who the other end is: the right one or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/x509.h>

#include "net/tlsio_ctx.h"
#include "tlspair.h"

static struct err err;

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
		&p, server_new(NULL),
		client_new(tls_world.other_ca.cert_pem, NULL, "db.example", true));
	assert_refused(&p, "certificate is refused");
	tlspair_start(
		&p, server_new(NULL),
		client_new(tls_world.other_ca.cert_pem, NULL, "db.example", false));
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
		tlspair_start(
			&p, server_new(NULL),
			client_new(tls_world.ca.cert_pem, NULL, wrong[i], true));
		assert_refused(&p, "mismatch");
		tlspair_start(
			&p, server_new(NULL),
			client_new(tls_world.ca.cert_pem, NULL, wrong[i], false));
		tlspair_run(&p, ALL);
		assert_ready(&p);
		tlspair_done(&p);
	}
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		tlspair_start(
			&p, server_new(NULL),
			client_new(tls_world.ca.cert_pem, NULL, right[i], true));
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
		struct tlsio *t = client_new(tls_world.ca.cert_pem, NULL, names[i], true);
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
	assert_int_equal(
		ca_issue(&tls_world.arena, &tls_world.other_ca, &name, &stranger, &err), ERR_OK);
	tlspair_start(
		&p, server_new(tls_world.ca.cert_pem),
		client_new(tls_world.ca.cert_pem, &tls_world.client_cert, "db.example", true));
	tlspair_run(&p, ALL);
	assert_ready(&p);
	assert_passes(&p, ALL);
	tlspair_done(&p);
	for (int has_one = 0; has_one < 2; has_one++) {
		tlspair_start(
			&p, server_new(tls_world.ca.cert_pem),
			client_new(
				tls_world.ca.cert_pem, has_one ? &stranger : NULL, "db.example",
				true));
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
		{.cert_pem = "junk", .key_pem = tls_world.server_cert.key_pem, .is_server = true},
		{.cert_pem = tls_world.server_cert.cert_pem, .key_pem = "junk", .is_server = true},
		{.cert_pem = tls_world.server_cert.cert_pem,
		 .key_pem = tls_world.client_cert.key_pem,
		 .is_server = true},
		{.cert_pem = tls_world.server_cert.key_pem,
		 .key_pem = tls_world.server_cert.key_pem,
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
	const char *both = arena_printf(
		&tls_world.arena, "%s%s", tls_world.other_ca.cert_pem, tls_world.ca.cert_pem);
	const char *chain = arena_printf(
		&tls_world.arena, "%s%s", tls_world.server_cert.cert_pem, tls_world.ca.cert_pem);
	struct tlsio_conf conf = {
		.cert_pem = chain,
		.key_pem = tls_world.server_cert.key_pem,
		.is_server = true,
		.alpn = "postgresql"};
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
	struct ca_cert before = tls_world.server_cert;

	(void)state;
	pair_start(&old);
	tlspair_run(&old, ALL);
	assert_ready(&old);
	assert_int_equal(
		ca_issue(&tls_world.arena, &tls_world.ca, &name, &tls_world.server_cert, &err),
		ERR_OK);
	tlspair_start(
		&new, server_new(NULL),
		client_new(tls_world.ca.cert_pem, NULL, "new.example", true));
	tlspair_run(&new, ALL);
	tls_world.server_cert = before;
	assert_ready(&new);
	for (int i = 0; i < 3; i++) {
		assert_passes(&old, 10);
		assert_passes(&new, 10);
	}
	tlspair_done(&old);
	assert_passes(&new, 10);
	tlspair_done(&new);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_of_another_authority_is_refused),
		cmocka_unit_test(a_server_of_another_name_is_refused),
		cmocka_unit_test(names_that_would_match_others_are_refused),
		cmocka_unit_test(a_client_proves_who_it_is_where_that_is_asked),
		cmocka_unit_test(what_does_not_belong_together_is_refused),
		cmocka_unit_test(a_chain_and_several_authorities_are_taken),
		cmocka_unit_test(connections_outlive_a_change_of_certificate),
		cmocka_unit_test(both_ends_bind_to_the_same_certificate),
		cmocka_unit_test(the_hash_is_that_of_the_signature_but_never_a_weak_one),
	};

	return cmocka_run_group_tests(tests, tls_world_start, tls_world_end);
}
