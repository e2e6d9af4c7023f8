/* What the certificate authority promises: names come from the caller, keys stay where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/str.h"
#include "net/ca.h"

static struct arena arena;
static struct ca_cert ca;
static struct err err;

static int group_start(void **state)
{
	(void)state;
	return ca_new(&arena, "slipway test", &ca, &err) != ERR_OK;
}

static int group_end(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static X509 *parse(const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);

	BIO_free(in);
	assert_non_null(cert);
	return cert;
}

static bool is_trusted(X509 *cert, const char *ca_pem, int purpose)
{
	X509 *root = parse(ca_pem);
	X509_STORE *roots = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok;

	X509_STORE_add_cert(roots, root);
	X509_STORE_CTX_init(ctx, roots, cert, NULL);
	X509_STORE_CTX_set_purpose(ctx, purpose);
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
	ok = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(roots);
	X509_free(root);
	return ok;
}

static void subject_is(X509 *cert, int nid, const char *want)
{
	char got[100] = "";

	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), nid, got, sizeof(got));
	assert_string_equal(got, want);
}

static void issued_certificate_serves_its_hosts_both_ways(void **state)
{
	const char *hosts[] = {"localhost", "127.0.0.1", "::1", NULL};
	struct ca_name name = {"api", "slipway:servers", hosts, 90};
	struct ca_cert got;
	X509 *cert;

	(void)state;
	assert_int_equal(ca_issue(&arena, &ca, &name, &got, &err), ERR_OK);
	cert = parse(got.cert_pem);
	assert_true(is_trusted(cert, ca.cert_pem, X509_PURPOSE_SSL_SERVER));
	assert_true(is_trusted(cert, ca.cert_pem, X509_PURPOSE_SSL_CLIENT));
	assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
	subject_is(cert, NID_commonName, "api");
	subject_is(cert, NID_organizationName, "slipway:servers");
	assert_int_equal(X509_check_ca(cert), 0);
	X509_free(cert);
}

static void another_authority_is_not_ours(void **state)
{
	struct ca_name name = {"zone-a", "slipway:hosts", NULL, 1};
	struct ca_cert other, got;
	X509 *cert;

	(void)state;
	assert_int_equal(ca_new(&arena, "slipway test", &other, &err), ERR_OK);
	assert_int_equal(ca_issue(&arena, &other, &name, &got, &err), ERR_OK);
	cert = parse(got.cert_pem);
	assert_true(is_trusted(cert, other.cert_pem, X509_PURPOSE_SSL_CLIENT));
	assert_false(is_trusted(cert, ca.cert_pem, X509_PURPOSE_SSL_CLIENT));
	X509_free(cert);
}

static void request_gets_the_callers_name_not_its_own(void **state)
{
	struct ca_name name = {"zone-a", "slipway:hosts", NULL, 90};
	const char *key_pem, *csr_pem, *cert_pem;
	EVP_PKEY *key;
	X509 *cert;
	BIO *in;

	(void)state;
	assert_int_equal(ca_request(&arena, "admin", &key_pem, &csr_pem, &err), ERR_OK);
	assert_int_equal(ca_sign(&arena, &ca, csr_pem, &name, &cert_pem, &err), ERR_OK);
	cert = parse(cert_pem);
	subject_is(cert, NID_commonName, "zone-a");
	assert_true(is_trusted(cert, ca.cert_pem, X509_PURPOSE_SSL_CLIENT));
	in = BIO_new_mem_buf(key_pem, -1);
	key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	assert_int_equal(X509_check_private_key(cert, key), 1);
	BIO_free(in);
	EVP_PKEY_free(key);
	X509_free(cert);
}

/* Flips one byte in the base64 text at a time: each is refused, none crashes or asks a person. */
static void broken_request_is_refused(void **state)
{
	struct ca_name name = {"zone-a", "slipway:hosts", NULL, 90};
	const char *key_pem, *csr_pem, *cert_pem = NULL;
	const char *const bad[] = {
		"", "x", "-----BEGIN CERTIFICATE REQUEST-----\n",
		"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
		"-----BEGIN CERTIFICATE REQUEST-----\nProc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n"
		"-----END CERTIFICATE REQUEST-----\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ca_sign(&arena, &ca, bad[i], &name, &cert_pem, &err), ERR_INVALID);
	assert_int_equal(ca_request(&arena, "zone-a", &key_pem, &csr_pem, &err), ERR_OK);
	assert_int_equal(ca_sign(&arena, &ca, ca.cert_pem, &name, &cert_pem, &err), ERR_INVALID);
	for (size_t i = 40; i + 40 < strlen(csr_pem); i++) {
		char *text = arena_strdup(&arena, csr_pem);

		if (text[i] == '\n')
			continue;
		text[i] = text[i] == 'A' ? 'B' : 'A';
		if (strcmp(text, csr_pem) == 0)
			continue;
		assert_int_equal(ca_sign(&arena, &ca, text, &name, &cert_pem, &err), ERR_INVALID);
	}
	assert_null(cert_pem); /* untouched on failure */
}

static void weak_key_is_refused(void **state)
{
	struct ca_name name = {"zone-a", "slipway:hosts", NULL, 90};
	EVP_PKEY *key = EVP_RSA_gen(1024);
	X509_REQ *req = X509_REQ_new();
	BIO *out = BIO_new(BIO_s_mem());
	const char *cert_pem;

	(void)state;
	X509_REQ_set_pubkey(req, key);
	X509_REQ_sign(req, key, EVP_sha256());
	PEM_write_bio_X509_REQ(out, req);
	BIO_write(out, "", 1);
	char *text;
	BIO_get_mem_data(out, &text);
	assert_int_equal(ca_sign(&arena, &ca, text, &name, &cert_pem, &err), ERR_INVALID);
	BIO_free(out);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
}

static void bad_names_are_refused(void **state)
{
	char longest[66];
	const char *evil[] = {"a,DNS:b", NULL}, *empty[] = {"", NULL};
	struct ca_name names[] = {
		{"", "slipway:hosts", NULL, 1},
		{"zone-a", "slipway:hosts", evil, 1},
		{"zone-a", "slipway:hosts", empty, 1},
		{"\xff\xfe", "slipway:hosts", NULL, 1},
	};
	struct ca_name name = {longest, "slipway:hosts", NULL, 1};
	struct ca_cert got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(ca_issue(&arena, &ca, &names[i], &got, &err), ERR_INVALID);
	memset(longest, 'a', sizeof(longest));
	longest[65] = '\0';
	assert_int_equal(ca_issue(&arena, &ca, &name, &got, &err), ERR_LIMIT);
	longest[64] = '\0';
	assert_int_equal(ca_issue(&arena, &ca, &name, &got, &err), ERR_OK);
}

static void key_of_another_authority_is_noticed(void **state)
{
	struct ca_name name = {"zone-a", "slipway:hosts", NULL, 1};
	struct ca_cert other, mixed, got;

	(void)state;
	assert_int_equal(ca_new(&arena, "other", &other, &err), ERR_OK);
	mixed = (struct ca_cert){ca.cert_pem, other.key_pem};
	assert_int_equal(ca_issue(&arena, &mixed, &name, &got, &err), ERR_INVALID);
}

static void life_counts_from_begin_to_end(void **state)
{
	struct ca_name name = {"zone-a", "slipway:hosts", NULL, 90};
	struct ca_name too_long = {"zone-a", "slipway:hosts", NULL, 20000};
	struct ca_name over = {"zone-a", "slipway:hosts", NULL, 0};
	int64_t end, ca_end, now = (int64_t)time(NULL);
	struct ca_cert got;
	int percent;

	(void)state;
	assert_int_equal(ca_issue(&arena, &ca, &name, &got, &err), ERR_OK);
	assert_int_equal(ca_life(got.cert_pem, &end, &percent, &err), ERR_OK);
	assert_int_equal(percent, 0);
	assert_in_range(end, now + 90 * 86400 - 60, now + 90 * 86400 + 60);
	assert_int_equal(ca_life(ca.cert_pem, &ca_end, &percent, &err), ERR_OK);
	assert_true(ca_end > now + 3650LL * 86400);
	assert_int_equal(ca_issue(&arena, &ca, &too_long, &got, &err), ERR_OK);
	assert_int_equal(ca_life(got.cert_pem, &end, &percent, &err), ERR_OK);
	assert_true(end == ca_end); /* none outlives its authority */
	assert_int_equal(ca_issue(&arena, &ca, &over, &got, &err), ERR_OK);
	assert_int_equal(ca_life(got.cert_pem, &end, &percent, &err), ERR_OK);
	assert_int_equal(percent, 100);
	assert_int_equal(ca_life("nonsense", &end, &percent, &err), ERR_INVALID);
}

static void fingerprint_is_sha256_of_the_certificate(void **state)
{
	const char *one, *two;
	unsigned char hash[32];
	unsigned n = sizeof(hash);
	X509 *cert = parse(ca.cert_pem);
	unsigned first;

	(void)state;
	X509_digest(cert, EVP_sha256(), hash, &n);
	X509_free(cert);
	assert_int_equal(ca_fingerprint(&arena, ca.cert_pem, &one, &err), ERR_OK);
	assert_int_equal(ca_fingerprint(&arena, ca.cert_pem, &two, &err), ERR_OK);
	assert_string_equal(one, two);
	assert_int_equal(strlen(one), 64);
	assert_int_equal(sscanf(one, "%2x", &first), 1);
	assert_int_equal(first, hash[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issued_certificate_serves_its_hosts_both_ways),
		cmocka_unit_test(another_authority_is_not_ours),
		cmocka_unit_test(request_gets_the_callers_name_not_its_own),
		cmocka_unit_test(broken_request_is_refused),
		cmocka_unit_test(weak_key_is_refused),
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(key_of_another_authority_is_noticed),
		cmocka_unit_test(life_counts_from_begin_to_end),
		cmocka_unit_test(fingerprint_is_sha256_of_the_certificate),
	};

	return cmocka_run_group_tests_name("ca", tests, group_start, group_end);
}
