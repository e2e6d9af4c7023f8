/* What codec/scram promises: the verifiers that PostgreSQL makes, and nothing weaker. */
#include "base/secret.h"
#include "codec/scram.h"
#include "codec_test.h"

/* Made by PostgreSQL 15 (CREATE ROLE ... PASSWORD, then pg_authid.rolpassword). */
static const struct {
	const char *password, *verifier;
} vectors[] = {
	{"pencil",
	 "SCRAM-SHA-256$4096:JQLZUmAgBAzU/nJ2ap4itA==$"
	 "AiHo6cEYei7erPqzWWxdLSwJ3N5mbrYJAMYX2cRr0Hk=:"
	 "m6zRn/EGlFQ5+/tQCWuZCbEGTLBhP022zWoQQrn7dbA="},
	{"a",
	 "SCRAM-SHA-256$4096:bdabMqq42mEBh2I7SpbuhQ==$"
	 "GM8lQmwh8mmFOBwmnvkrT1xxMuW1K8+d6iOm6DG8a64=:"
	 "jPRrLisW8kIA/FbGwqPOT6rmBygy30kK8VsZbuzsm9g="},
	{"N7fmXQ2zr8vLkD0sYbT5wEaJ9uHcGp4i",
	 "SCRAM-SHA-256$4096:SY6diN4o3DnPFKq1I3WNQg==$"
	 "M8iOxFwadoBd5LhZ7nJu5O4Lu1PPXEN5d1+xlMkBfWA=:"
	 "Z66e8oMajjmo7vh7w/qXshprgII1pe38mTsnKNfOAVM="},
	{"spaces & $ymbols: \"quoted\" \\back ~",
	 "SCRAM-SHA-256$4096:DvhZJQzKLVAqaNp3ZJ/GRw==$"
	 "mDziVPysMQscSOoAuqbLcHLl26IXPLeII6Iso/1EFE8=:"
	 "BVXM51B5YQg/pV1bLqt/K3XuiFG2rJ4TAjDtupWI3Ho="},
	/* RFC 7677, section 3: the salt and iterations of its example with "pencil". */
	{"pencil",
	 "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	 "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	 "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
};

static void verifiers_are_those_of_postgresql(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct scram s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		assert_int_equal(scram_parse(str_of(vectors[i].verifier), &s, &e), ERR_OK);
		assert_string_equal(
			scram_verifier(
				&a, str_of(vectors[i].password),
				(struct str){(const char *)s.salt, s.salt_n}, s.iterations),
			vectors[i].verifier);
	}
}

static void only_the_right_password_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct str verifier = str_of(vectors[i].verifier);
		struct str password = str_of(vectors[i].password);

		assert_true(scram_check(verifier, password));
		assert_false(scram_check(verifier, STR("Pencil")));
		assert_false(scram_check(verifier, STR("")));
		assert_false(scram_check(verifier, (struct str){password.p, password.n - 1}));
		assert_false(scram_check((struct str){verifier.p, verifier.n - 1}, password));
	}
}

static void passwords_that_need_saslprep_are_refused(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	char salt[SCRAM_SALT_MAX + 1] = {1};

	(void)state;
	assert_null(scram_verifier(&a, STR("p\xc3\xa4sswort"), STR("salt"), 4096));
	assert_null(scram_verifier(&a, STR(""), STR("salt"), 4096));
	assert_null(scram_verifier(&a, STR("a\0b"), STR("salt"), 4096));
	assert_null(scram_verifier(&a, STR("a"), STR(""), 4096));
	assert_null(scram_verifier(&a, STR("a"), STR("salt"), 0));
	assert_null(scram_verifier(&a, STR("a"), STR("salt"), SCRAM_ITERATIONS_MAX + 1));
	assert_null(scram_verifier(&a, STR("a"), (struct str){salt, sizeof(salt)}, 1));
	assert_non_null(scram_verifier(&a, STR("a"), (struct str){salt, SCRAM_SALT_MAX}, 1));
}

static void what_is_no_verifier_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"md5f2bb1f1a8d8a4a1d1c1e1b1f1a1d1c1e",
		"SCRAM-SHA-256$4096",
		"SCRAM-SHA-256$4096:$x:y",
		"SCRAM-SHA-256$0:c2FsdA==$AiHo6cEYei7erPqzWWxdLSwJ3N5mbrYJAMYX2cRr0Hk=:"
		"m6zRn/EGlFQ5+/tQCWuZCbEGTLBhP022zWoQQrn7dbA=",
		"SCRAM-SHA-256$4096:c2FsdA==$c2hvcnQ=:m6zRn/EGlFQ5+/tQCWuZCbEGTLBhP022zWoQQrn7dbA=",
		"SCRAM-SHA-256$4096:c2FsdA==$AiHo6cEYei7erPqzWWxdLSwJ3N5mbrYJAMYX2cRr0Hk=:",
		"SCRAM-SHA-256$4096:!$AiHo6cEYei7erPqzWWxdLSwJ3N5mbrYJAMYX2cRr0Hk=:"
		"m6zRn/EGlFQ5+/tQCWuZCbEGTLBhP022zWoQQrn7dbA=",
		"SCRAM-SHA-256$99999999:c2FsdA==$AiHo6cEYei7erPqzWWxdLSwJ3N5mbrYJAMYX2cRr0Hk=:"
		"m6zRn/EGlFQ5+/tQCWuZCbEGTLBhP022zWoQQrn7dbA=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scram s = {.iterations = 7};
		struct err e = {0};

		assert_int_not_equal(scram_parse(str_of(cases[i]), &s, &e), ERR_OK);
		assert_int_equal(s.iterations, 7);
		assert_true(e.text[0]);
		assert_false(scram_check(str_of(cases[i]), STR("pencil")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verifiers_are_those_of_postgresql),
		cmocka_unit_test(only_the_right_password_passes),
		cmocka_unit_test(passwords_that_need_saslprep_are_refused),
		cmocka_unit_test(what_is_no_verifier_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
