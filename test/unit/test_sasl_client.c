/* What codec/sasl promises of a client: bound where it can be, and no proof for a server that is
 * not as it should be. */
#include "codec/sasl.h"
#include "codec_test.h"

#define PLAIN "SCRAM-SHA-256"
#define PLUS "SCRAM-SHA-256-PLUS"
#define OFFER_PLAIN STR(PLAIN "\0\0")
#define OFFER_BOTH STR(PLUS "\0" PLAIN "\0\0")
#define NO_BINDING ((struct str){NULL, 0})

static void assert_text(const struct buf *b, const char *want)
{
	if (!str_is(buf_view(b), want))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(buf_view(b)), want);
}

static void a_client_chooses_by_what_is_offered(void **state)
{
	static const struct {
		struct str offer;
		bool is_tls, has_binding;
		const char *mechanism; /* NULL: SASL_BAD */
		const char *header;
	} cases[] = {
		{{PLAIN "\0", 15}, false, false, PLAIN, "n,,"},
		{{PLAIN "\0", 15}, true, true, PLAIN, "y,,"},
		{{PLAIN "\0", 15}, true, false, PLAIN, "n,,"},
		{{PLUS "\0" PLAIN "\0", 34}, true, true, PLUS, "p=tls-server-end-point,,"},
		{{PLUS "\0" PLAIN "\0", 34}, true, false, PLAIN, "n,,"}, /* Ed25519 */
		{{PLUS "\0" PLAIN "\0", 34}, false, false, NULL, NULL},
		{{PLUS "\0", 20}, true, false, NULL, NULL},
		{{PLUS "\0", 20}, true, true, PLUS, "p=tls-server-end-point,,"},
		{{"OAUTHBEARER\0", 13}, true, true, NULL, NULL},
		{{"OAUTHBEARER\0" PLAIN "\0", 27}, false, false, PLAIN, "n,,"},
		{{"", 1}, true, true, NULL, NULL},
		{{"", 0}, true, true, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl_client *c = sasl_client_new(
			STR("pencil"), cases[i].has_binding ? STR("hash") : NO_BINDING,
			cases[i].is_tls);
		CLEANUP(buf_done) struct buf out = {0};
		const char *mechanism = "";
		struct err e;

		assert_int_equal(
			sasl_client_first(c, cases[i].offer, &mechanism, &out, &e),
			cases[i].mechanism ? SASL_GO_ON : SASL_BAD);
		if (cases[i].mechanism) {
			assert_string_equal(mechanism, cases[i].mechanism);
			assert_true(str_starts(buf_view(&out), cases[i].header));
		}
		sasl_client_free(c);
	}
}

/* --- a client before a server that is not as it should be */
static struct sasl_client *client_begun(void)
{
	struct sasl_client *c = sasl_client_new(STR("pencil"), NO_BINDING, false);
	CLEANUP(buf_done) struct buf out = {0};
	const char *mechanism;
	struct err e;

	sasl_client_set_nonce(c, STR("abc"));
	assert_int_equal(sasl_client_first(c, OFFER_PLAIN, &mechanism, &out, &e), SASL_GO_ON);
	assert_text(&out, "n,,n=,r=abc");
	return c;
}

#define ZEROS_21 "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ZEROS_63 ZEROS_21 ZEROS_21 ZEROS_21

static void a_client_refuses_challenges_that_are_none(void **state)
{
	static const struct {
		const char *in;
		enum sasl_status want;
	} cases[] = {
		{"r=abcx,s=c2FsdA==,i=1", SASL_GO_ON},
		{"r=abcx,s=c2FsdA==,i=2,x=1", SASL_GO_ON},
		{"r=abcx,s=c2FsdA==,i=2,m=1", SASL_BAD},
		{"m=1,r=abcx,s=c2FsdA==,i=2", SASL_BAD},
		{"r=abc,s=c2FsdA==,i=2", SASL_BAD}, /* nothing of the server's */
		{"r=abdx,s=c2FsdA==,i=2", SASL_BAD},
		{"r=ab,s=c2FsdA==,i=2", SASL_BAD},
		{"r=abc x,s=c2FsdA==,i=2", SASL_BAD},
		{"s=c2FsdA==,r=abcx,i=2", SASL_BAD},
		{"r=abcx,i=2,s=c2FsdA==", SASL_BAD},
		{"r=abcx,s=,i=2", SASL_BAD},
		{"r=abcx,s=c2FsdA,i=2", SASL_BAD},
		{"r=abcx,s=c2FsdA==,i=", SASL_BAD},
		{"r=abcx,s=c2FsdA==,i=0", SASL_BAD},
		{"r=abcx,s=c2FsdA==,i=-1", SASL_BAD},
		{"r=abcx,s=c2FsdA==,i=100001", SASL_BAD},
		{"r=abcx,s=c2FsdA==,i=4294967297", SASL_BAD},
		{"r=abcx,s=c2FsdA==,i=18446744073709551617", SASL_BAD},
		{"r=abcx,s=c2FsdA==", SASL_BAD},
		{"r=abcx", SASL_BAD},
		{"e=other-error", SASL_BAD},
		{"", SASL_BAD},
		/* 64 bytes of salt, and 66 */
		{"r=abcx,s=" ZEROS_63 "AA==,i=2", SASL_GO_ON},
		{"r=abcx,s=" ZEROS_63 "AAAA,i=2", SASL_BAD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl_client *c = client_begun();
		CLEANUP(buf_done) struct buf out = {0};
		struct err e = {0};

		if (sasl_client_next(c, str_of(cases[i].in), &out, &e) != cases[i].want)
			fail_msg("case %zu: %s", i, e.text);
		assert_int_equal(out.n > 0, cases[i].want == SASL_GO_ON);
		sasl_client_free(c);
	}
}

static void a_client_believes_only_a_server_that_knows_the_verifier(void **state)
{
	static const struct {
		const char *in;
		enum sasl_status want;
	} cases[] = {
		{"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", SASL_WRONG},
		{"v=AAAA", SASL_BAD},
		{"v=", SASL_BAD},
		{"", SASL_BAD},
		{"x=1", SASL_BAD},
		{"e=invalid-proof", SASL_WRONG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl_client *c = client_begun();
		CLEANUP(buf_done) struct buf out = {0};
		struct err e = {0};

		assert_int_equal(
			sasl_client_next(c, STR("r=abcx,s=c2FsdA==,i=1"), &out, &e), SASL_GO_ON);
		assert_int_equal(sasl_client_final(c, str_of(cases[i].in), &e), cases[i].want);
		assert_true(e.text[0]);
		assert_null(strstr(e.text, "invalid-proof")); /* none of its words */
		assert_int_equal(sasl_client_final(c, str_of(cases[i].in), &e), SASL_BAD);
		sasl_client_free(c);
	}
}

static void a_client_without_a_password_says_so(void **state)
{
	struct sasl_client *c = sasl_client_new(STR(""), NO_BINDING, false);
	CLEANUP(buf_done) struct buf out = {0};
	const char *mechanism;
	struct err e;

	(void)state;
	assert_int_equal(sasl_client_first(c, OFFER_PLAIN, &mechanism, &out, &e), SASL_BAD);
	assert_non_null(strstr(e.text, "password"));
	sasl_client_free(c);
	c = sasl_client_new(STR("pencil"), NO_BINDING, false);
	assert_int_equal(sasl_client_next(c, STR("r=x,s=c2FsdA==,i=1"), &out, &e), SASL_BAD);
	assert_int_equal(sasl_client_final(c, STR("v=x"), &e), SASL_BAD);
	sasl_client_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_chooses_by_what_is_offered),
		cmocka_unit_test(a_client_refuses_challenges_that_are_none),
		cmocka_unit_test(a_client_believes_only_a_server_that_knows_the_verifier),
		cmocka_unit_test(a_client_without_a_password_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
