/* What base/secret promises: sealed text opens only where it was sealed, with the key it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/secret.h"

static char dir[] = "/tmp/slipway-secret-XXXXXX";

static struct secret_key *key_new(const char *name)
{
	char path[64];
	struct secret_key *k = NULL;
	struct err e;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(secret_key_open(path, &k, &e), ERR_OK);
	return k;
}

static void sealed_text_opens_only_in_its_place_with_its_key(void **state)
{
	struct arena a = {0};
	struct secret_key *k = key_new("one"), *again = key_new("one"), *other = key_new("two");
	const char *sealed = secret_seal(&a, k, "here", STR("s3cret"));
	CLEANUP(secret_done) struct secret out = {0};
	struct err e;

	(void)state;
	assert_true(str_starts(str_of(sealed), "v1:"));
	assert_null(strstr(sealed, "s3cret"));
	assert_string_not_equal(sealed, secret_seal(&a, k, "here", STR("s3cret")));
	assert_int_equal(secret_open(k, "there", sealed, &out, &e), ERR_INVALID);
	assert_int_equal(secret_open(other, "here", sealed, &out, &e), ERR_INVALID);
	assert_null(out.p);
	assert_int_equal(secret_open(again, "here", sealed, &out, &e), ERR_OK);
	assert_true(str_is((struct str){(char *)out.p, out.n}, "s3cret"));
	secret_key_free(k);
	secret_key_free(again);
	secret_key_free(other);
	arena_done(&a);
}

static void a_changed_byte_is_noticed(void **state)
{
	struct arena a = {0};
	struct secret_key *k = key_new("one");
	const char *sealed = secret_seal(&a, k, "here", STR("x"));
	CLEANUP(secret_done) struct secret out = {0};

	(void)state;
	for (size_t i = 0; i < strlen(sealed); i++) {
		char *bad = arena_strdup(&a, sealed);

		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		assert_int_equal(secret_open(k, "here", bad, &out, NULL), ERR_INVALID);
		bad = arena_strndup(&a, sealed, i);
		assert_int_equal(secret_open(k, "here", bad, &out, NULL), ERR_INVALID);
	}
	secret_key_free(k);
	arena_done(&a);
}

static void a_key_file_that_others_read_or_that_is_cut_is_refused(void **state)
{
	char path[64];
	struct secret_key *k = NULL;
	struct stat st;
	struct err e;

	(void)state;
	secret_key_free(key_new("mode"));
	snprintf(path, sizeof(path), "%s/mode", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(secret_key_open(path, &k, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "chmod 600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 31), 0);
	assert_int_equal(secret_key_open(path, &k, &e), ERR_INVALID);
	assert_null(k);
}

static void base64_goes_round_and_is_strict(void **state)
{
	struct arena a = {0};
	char bytes[64];
	struct str out;

	(void)state;
	for (size_t n = 0; n < sizeof(bytes); n++) {
		bytes[n] = (char)(n * 37);
		assert_int_equal(
			secret_unbase64(
				&a, str_of(secret_base64(&a, (struct str){bytes, n})), &out, NULL),
			ERR_OK);
		assert_true(str_eq(out, (struct str){bytes, n}));
	}
	assert_int_equal(secret_unbase64(&a, STR("QQ"), &out, NULL), ERR_INVALID);
	assert_int_equal(secret_unbase64(&a, STR("Q Q="), &out, NULL), ERR_INVALID);
	assert_int_equal(secret_unbase64(&a, STR("QQ==x"), &out, NULL), ERR_INVALID);
	arena_done(&a);
}

static void a_hash_is_sha256_and_passwords_differ(void **state)
{
	struct arena a = {0};
	struct secret one = {0}, two = {0};

	(void)state;
	assert_string_equal(
		secret_hash(&a, STR("abc")),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	secret_random(&one, 32);
	secret_random(&two, 32);
	assert_int_equal(one.n, 32);
	assert_memory_not_equal(one.p, two.p, 32);
	assert_false(secret_eq((struct str){(char *)one.p, 32}, (struct str){(char *)two.p, 32}));
	assert_true(secret_eq((struct str){(char *)one.p, 32}, (struct str){(char *)one.p, 32}));
	secret_done(&one);
	secret_done(&two);
	arena_done(&a);
}

static int begin(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return dir_remove(dir, NULL) == ERR_OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_text_opens_only_in_its_place_with_its_key),
		cmocka_unit_test(a_changed_byte_is_noticed),
		cmocka_unit_test(a_key_file_that_others_read_or_that_is_cut_is_refused),
		cmocka_unit_test(base64_goes_round_and_is_strict),
		cmocka_unit_test(a_hash_is_sha256_and_passwords_differ),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
