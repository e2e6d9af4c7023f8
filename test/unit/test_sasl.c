/* What codec/sasl promises: a login of SCRAM-SHA-256 as the RFCs and PostgreSQL have it, no way
 * around it, and nothing that tells a missing role from a wrong password. */
#include "base/secret.h"
#include "codec/sasl.h"
#include "codec_test.h"

#define PLAIN "SCRAM-SHA-256"
#define PLUS "SCRAM-SHA-256-PLUS"
#define OFFER_PLAIN STR(PLAIN "\0\0")
#define OFFER_BOTH STR(PLUS "\0" PLAIN "\0\0")
#define NO_BINDING ((struct str){NULL, 0})

static const unsigned char secret[32] = "thirty-two bytes that are secret";
/* RFC 7677, section 3, with "pencil". */
#define PENCIL                                                                                     \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"                                             \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static struct scram verifier_of(const char *text)
{
	struct scram s;
	struct err e;

	if (scram_parse(str_of(text), &s, &e))
		fail_msg("%s", e.text);
	return s;
}

/* One of few iterations: tests need not take long. */
static struct scram quick(const char *password, const char *salt)
{
	CLEANUP(arena_done) struct arena a = {0};

	return verifier_of(scram_verifier(&a, str_of(password), str_of(salt), 2));
}

static struct sasl_server *pencil_server(struct str binding)
{
	struct scram v = verifier_of(PENCIL);

	return sasl_server_new(STR("user"), &v, 1, binding, secret);
}

static void assert_text(const struct buf *b, const char *want)
{
	if (!str_is(buf_view(b), want))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(buf_view(b)), want);
}

/* --- the exchange */
static void the_example_of_rfc_7677_passes(void **state)
{
	struct sasl_server *s = pencil_server(NO_BINDING);
	CLEANUP(buf_done) struct buf out = {0};
	struct err e;

	(void)state;
	sasl_server_set_nonce(s, STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
	assert_int_equal(
		sasl_server_first(s, STR(PLAIN), STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &out, &e),
		SASL_GO_ON);
	assert_text(
		&out,
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	buf_clear(&out);
	assert_int_equal(
		sasl_server_final(
			s,
			STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
			    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
			&out, &e),
		SASL_DONE);
	assert_text(&out, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	sasl_server_free(s);
}

/* Both ends, talking to each other. */
struct talk {
	struct sasl_server *server;
	struct sasl_client *client;
	struct buf first, challenge, final, outcome; /* the four messages */
	enum sasl_status server_status, client_status;
	struct err server_err, client_err;
};

static void talk_done(struct talk *t)
{
	sasl_server_free(t->server);
	sasl_client_free(t->client);
	buf_done(&t->first);
	buf_done(&t->challenge);
	buf_done(&t->final);
	buf_done(&t->outcome);
}

/* As far as it goes. offer: what the client gets to see of the server's. */
static void talk_run(struct talk *t, struct str offer)
{
	const char *mechanism = "";

	t->client_status =
		sasl_client_first(t->client, offer, &mechanism, &t->first, &t->client_err);
	if (t->client_status != SASL_GO_ON)
		return;
	t->server_status = sasl_server_first(
		t->server, str_of(mechanism), buf_view(&t->first), &t->challenge, &t->server_err);
	if (t->server_status != SASL_GO_ON)
		return;
	t->client_status =
		sasl_client_next(t->client, buf_view(&t->challenge), &t->final, &t->client_err);
	if (t->client_status != SASL_GO_ON)
		return;
	t->server_status =
		sasl_server_final(t->server, buf_view(&t->final), &t->outcome, &t->server_err);
	if (t->server_status == SASL_DONE)
		t->client_status =
			sasl_client_final(t->client, buf_view(&t->outcome), &t->client_err);
}

static void a_client_and_a_server_prove_themselves_to_each_other(void **state)
{
	struct scram v = quick("pencil", "salt");
	static const struct {
		struct str binding;
		struct str offer;
		const char *header;
	} cases[] = {
		{{NULL, 0}, {PLAIN "\0", 15}, "n,,"},
		{{"12345678901234567890123456789012", 32},
		 {PLUS "\0" PLAIN "\0", 34},
		 "p=tls-server-end-point,,"},
		{{"x", 1}, {PLAIN "\0" PLUS "\0", 34}, "p=tls-server-end-point,,"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct talk t = {
			.server = sasl_server_new(STR("app"), &v, 1, cases[i].binding, secret),
			.client = sasl_client_new(
				STR("pencil"), cases[i].binding, cases[i].binding.n > 0),
		};

		talk_run(&t, cases[i].offer);
		assert_int_equal(t.server_status, SASL_DONE);
		assert_int_equal(t.client_status, SASL_DONE);
		assert_true(str_starts(buf_view(&t.first), cases[i].header));
		talk_done(&t);
	}
}

static void a_wrong_password_is_wrong(void **state)
{
	static const char *const passwords[] = {"Pencil", "pencil ", "penci", "p\xc3\xa4ncil"};
	struct scram v = quick("pencil", "salt");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct talk t = {
			.server = sasl_server_new(STR("app"), &v, 1, NO_BINDING, secret),
			.client = sasl_client_new(str_of(passwords[i]), NO_BINDING, false),
		};

		talk_run(&t, OFFER_PLAIN);
		assert_int_equal(t.server_status, SASL_WRONG);
		assert_int_equal(t.outcome.n, 0);
		talk_done(&t);
	}
}

static void each_of_two_passwords_passes_during_a_rotation(void **state)
{
	struct scram v[] = {quick("new", "salt"), quick("old", "salt"), quick("third", "other")};
	static const struct {
		const char *password;
		enum sasl_status want;
	} cases[] = {{"new", SASL_DONE}, {"old", SASL_DONE}, {"third", SASL_WRONG}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct talk t = {
			.server = sasl_server_new(STR("app"), v, 3, NO_BINDING, secret),
			.client = sasl_client_new(str_of(cases[i].password), NO_BINDING, false),
		};

		talk_run(&t, OFFER_PLAIN);
		assert_int_equal(t.server_status, cases[i].want);
		if (cases[i].want == SASL_DONE)
			assert_int_equal(t.client_status, SASL_DONE);
		talk_done(&t);
	}
}

static void an_unknown_role_is_told_what_a_wrong_password_is_told(void **state)
{
	char challenges[3][200];
	struct scram real = verifier_of(PENCIL);
	static const struct str names[] = {{"nobody", 6}, {"nobody", 6}, {"somebody", 8}};
	struct talk known = {
		.server = sasl_server_new(STR("app"), &real, 1, NO_BINDING, secret),
		.client = sasl_client_new(STR("wrong"), NO_BINDING, false),
	};

	(void)state;
	talk_run(&known, OFFER_PLAIN);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct talk t = {
			.server = sasl_server_new(names[i], NULL, 0, NO_BINDING, secret),
			.client = sasl_client_new(STR("wrong"), NO_BINDING, false),
		};

		talk_run(&t, OFFER_PLAIN);
		assert_int_equal(t.server_status, SASL_WRONG);
		assert_int_equal(t.outcome.n, 0);
		assert_string_equal(t.server_err.text, known.server_err.text);
		assert_int_equal(t.challenge.n, known.challenge.n); /* nonces, salt, iterations */
		assert_int_equal(t.final.n, known.final.n);
		snprintf(challenges[i], sizeof(challenges[i]), "%s", strstr(t.challenge.p, ",s="));
		talk_done(&t);
	}
	/* The salt of a name is the same each time, as a real one's is; other names have others. */
	assert_string_equal(challenges[0], challenges[1]);
	assert_string_not_equal(challenges[0], challenges[2]);
	assert_non_null(strstr(challenges[0], ",i=4096"));
	talk_done(&known);
}

static void a_mock_depends_on_the_secret(void **state)
{
	static const unsigned char other[32] = "another";
	struct sasl_server *a = sasl_server_new(STR("nobody"), NULL, 0, NO_BINDING, secret);
	struct sasl_server *b = sasl_server_new(STR("nobody"), NULL, 0, NO_BINDING, other);
	CLEANUP(buf_done) struct buf out_a = {0}, out_b = {0};
	struct err e;

	(void)state;
	sasl_server_set_nonce(a, STR("n"));
	sasl_server_set_nonce(b, STR("n"));
	sasl_server_first(a, STR(PLAIN), STR("n,,n=,r=x"), &out_a, &e);
	sasl_server_first(b, STR(PLAIN), STR("n,,n=,r=x"), &out_b, &e);
	assert_int_equal(out_a.n, out_b.n);
	assert_string_not_equal(out_a.p, out_b.p);
	sasl_server_free(a);
	sasl_server_free(b);
}

static void nonces_are_never_the_same(void **state)
{
	struct scram v = quick("pencil", "salt");
	char seen[2][200], sent[2][200];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct talk t = {
			.server = sasl_server_new(STR("app"), &v, 1, NO_BINDING, secret),
			.client = sasl_client_new(STR("pencil"), NO_BINDING, false),
		};

		talk_run(&t, OFFER_PLAIN);
		snprintf(sent[i], sizeof(sent[i]), "%s", t.first.p);
		snprintf(
			seen[i], sizeof(seen[i]), "%.*s", SASL_NONCE,
			t.challenge.p + 2 + SASL_NONCE);
		assert_int_equal(strlen(seen[i]), SASL_NONCE);
		assert_int_equal(t.first.n, strlen("n,,n=,r=") + SASL_NONCE);
		talk_done(&t);
	}
	assert_string_not_equal(seen[0], seen[1]);
	assert_string_not_equal(sent[0], sent[1]);
}

/* --- channel binding (RFC 5802, section 6) */
static void flags_and_mechanisms_must_agree(void **state)
{
	static const struct {
		const char *mechanism, *first;
		bool has_tls;
		enum sasl_status want;
	} cases[] = {
		{PLAIN, "n,,n=,r=x", false, SASL_GO_ON},
		{PLAIN, "n,,n=,r=x", true, SASL_GO_ON}, /* it does not know how to bind */
		{PLAIN, "y,,n=,r=x", false, SASL_GO_ON},
		{PLAIN, "y,,n=,r=x", true, SASL_BAD}, /* somebody took the offer away */
		{PLAIN, "p=tls-server-end-point,,n=,r=x", true, SASL_BAD},
		{PLAIN, "p=tls-server-end-point,,n=,r=x", false, SASL_BAD},
		{PLUS, "p=tls-server-end-point,,n=,r=x", true, SASL_GO_ON},
		{PLUS, "p=tls-server-end-point,,n=,r=x", false, SASL_BAD},
		{PLUS, "p=tls-unique,,n=,r=x", true, SASL_BAD},
		{PLUS, "p=,,n=,r=x", true, SASL_BAD},
		{PLUS, "p=tls-server-end-points,,n=,r=x", true, SASL_BAD},
		{PLUS, "n,,n=,r=x", true, SASL_BAD},
		{PLUS, "y,,n=,r=x", true, SASL_BAD},
		{"SCRAM-SHA-1", "n,,n=,r=x", false, SASL_BAD},
		{"SCRAM-SHA-256-", "n,,n=,r=x", false, SASL_BAD},
		{"", "n,,n=,r=x", false, SASL_BAD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl_server *s =
			pencil_server(cases[i].has_tls ? STR("a certificate") : NO_BINDING);
		CLEANUP(buf_done) struct buf out = {0};
		struct err e = {0};

		if (sasl_server_first(
			    s, str_of(cases[i].mechanism), str_of(cases[i].first), &out, &e) !=
		    cases[i].want)
			fail_msg("case %zu: %s", i, e.text);
		assert_int_equal(out.n > 0, cases[i].want == SASL_GO_ON);
		assert_int_equal(e.text[0] != '\0', cases[i].want == SASL_BAD);
		sasl_server_free(s);
	}
}

static void who_stands_between_is_found_out(void **state)
{
	struct scram v = quick("pencil", "salt");
	struct talk taken_away = {
		.server = sasl_server_new(STR("app"), &v, 1, STR("certificate"), secret),
		.client = sasl_client_new(STR("pencil"), STR("certificate"), true),
	};
	struct talk another = {
		.server = sasl_server_new(STR("app"), &v, 1, STR("certificate"), secret),
		.client = sasl_client_new(STR("pencil"), STR("the one of another"), true),
	};

	(void)state;
	talk_run(&taken_away, OFFER_PLAIN);
	assert_true(str_starts(buf_view(&taken_away.first), "y,,"));
	assert_int_equal(taken_away.server_status, SASL_BAD);
	talk_run(&another, OFFER_BOTH);
	assert_int_equal(another.server_status, SASL_BAD);
	assert_non_null(strstr(another.server_err.text, "channel binding"));
	assert_int_equal(another.outcome.n, 0);
	talk_done(&taken_away);
	talk_done(&another);
}

/* --- messages that are none */
static void first_messages_that_are_none_are_refused(void **state)
{
	static const struct str cases[] = {
		{"", 0},
		{"n", 1},
		{"n,", 2},
		{"n,,", 3},
		{"n,,n=", 5},
		{"n,,r=x", 6},
		{"n,,r=x,n=", 9}, /* out of order */
		{"n,,n=,r=", 8},
		{"n,,n=,r=a b", 11},
		{"n,,n=,r=a\x7f", 10},
		{"n,,n=,r=\xc3\xa4", 10},
		{"n,,n=,r=x,", 10},
		{"n,,n=,r=x,junk", 14},
		{"n,,n=,r=x,1=junk", 16},
		{"n,,n=,r=x,m=must", 16},
		{"n,,m=must,n=,r=x", 16},
		{"n,a=admin,n=,r=x", 16},
		{"n,junk,n=,r=x", 13},
		{"N,,n=,r=x", 9},
		{"x,,n=,r=x", 9},
		{",,n=,r=x", 8},
		{"n=,,n=,r=x", 10},
		{"n,,n=,r=x\0,", 11},
		{"n,,n=\0,r=x", 10},
		{"n,,n=,r=x\0", 10},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl_server *s = pencil_server(NO_BINDING);
		CLEANUP(buf_done) struct buf out = {0};
		struct err e = {0};

		if (sasl_server_first(s, STR(PLAIN), cases[i], &out, &e) != SASL_BAD)
			fail_msg("case %zu", i);
		assert_int_equal(out.n, 0);
		assert_true(e.text[0]);
		sasl_server_free(s);
	}
}

static void extensions_that_need_not_be_known_are_read_over(void **state)
{
	struct sasl_server *s = pencil_server(NO_BINDING);
	CLEANUP(buf_done) struct buf out = {0};
	struct err e;

	(void)state;
	assert_int_equal(
		sasl_server_first(s, STR(PLAIN), STR("n,,n=*,r=x,x=1,Y="), &out, &e), SASL_GO_ON);
	sasl_server_free(s);
}

static void messages_have_a_longest(void **state)
{
	CLEANUP(buf_done) struct buf in = {0}, out = {0};
	struct err e;

	(void)state;
	for (size_t n = SASL_MESSAGE_MAX; n <= SASL_MESSAGE_MAX + 1; n++) {
		struct sasl_server *s = pencil_server(NO_BINDING);

		buf_clear(&in);
		buf_puts(&in, "n,,n=,r=");
		while (in.n < n)
			buf_putc(&in, 'x');
		assert_int_equal(
			sasl_server_first(s, STR(PLAIN), buf_view(&in), &out, &e),
			n <= SASL_MESSAGE_MAX ? SASL_GO_ON : SASL_BAD);
		sasl_server_free(s);
	}
}

/* The RFC's example with this as its final message. */
static enum sasl_status final_of(struct str in, struct err *e)
{
	struct sasl_server *s = pencil_server(NO_BINDING);
	CLEANUP(buf_done) struct buf out = {0};
	enum sasl_status status;

	sasl_server_set_nonce(s, STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
	sasl_server_first(s, STR(PLAIN), STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &out, e);
	buf_clear(&out);
	status = sasl_server_final(s, in, &out, e);
	assert_int_equal(out.n > 0, status == SASL_DONE);
	sasl_server_free(s);
	return status;
}

#define NONCE "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void final_messages_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *in;
		enum sasl_status want;
	} cases[] = {
		{"c=biws," NONCE "," PROOF, SASL_DONE},
		{"c=biws," NONCE ",x=1," PROOF, SASL_WRONG}, /* read over, but another text */
		{"c=biws," NONCE ",m=1," PROOF, SASL_BAD},
		{NONCE ",c=biws," PROOF, SASL_BAD}, /* out of order */
		{"c=biws," PROOF "," NONCE, SASL_BAD},
		{PROOF, SASL_BAD},
		{"c=biws," NONCE, SASL_BAD},
		{"c=biws," NONCE ",", SASL_BAD},
		{"c=biws," NONCE "," PROOF ",", SASL_BAD},
		{"c=biws," NONCE "," PROOF ",x=1", SASL_BAD},
		{"c=biws," NONCE "," PROOF "," PROOF, SASL_BAD},
		{"c=biws," NONCE "x," PROOF, SASL_BAD},
		{"c=biws,r=rOprNGfwEbeRWgbNEkqO," PROOF, SASL_BAD}, /* only the client's own */
		{"c=biws,r=," PROOF, SASL_BAD},
		{"c=eSws," NONCE "," PROOF, SASL_BAD}, /* y, but it said n */
		{"c=," NONCE "," PROOF, SASL_BAD},
		{"c=biws=," NONCE "," PROOF, SASL_BAD},
		{"c=biws," NONCE ",p=dHzb", SASL_BAD},
		{"c=biws," NONCE ",p=", SASL_BAD},
		{"c=biws," NONCE ",p=!Hzbzapwik4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SASL_BAD},
		{"c=biws," NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ", SASL_BAD},
		{"c=biws," NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR=", SASL_BAD},
		{"c=biws," NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SASL_WRONG},
		{"", SASL_BAD},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};

		if (final_of(str_of(cases[i].in), &e) != cases[i].want)
			fail_msg("case %zu: %s", i, e.text);
	}
}

static void messages_out_of_turn_are_refused(void **state)
{
	struct sasl_server *s = pencil_server(NO_BINDING);
	CLEANUP(buf_done) struct buf out = {0};
	struct str first = STR("n,,n=,r=x");
	struct err e;

	(void)state;
	assert_int_equal(sasl_server_final(s, STR("c=biws,r=x,p=x"), &out, &e), SASL_BAD);
	assert_int_equal(sasl_server_first(s, STR(PLAIN), first, &out, &e), SASL_BAD);
	sasl_server_free(s);
	s = pencil_server(NO_BINDING);
	assert_int_equal(sasl_server_first(s, STR(PLAIN), first, &out, &e), SASL_GO_ON);
	assert_int_equal(sasl_server_first(s, STR(PLAIN), first, &out, &e), SASL_BAD);
	assert_int_equal(sasl_server_final(s, STR("c=biws,r=x,p=x"), &out, &e), SASL_BAD);
	sasl_server_free(s);
	sasl_server_free(NULL);
	sasl_client_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_7677_passes),
		cmocka_unit_test(a_client_and_a_server_prove_themselves_to_each_other),
		cmocka_unit_test(a_wrong_password_is_wrong),
		cmocka_unit_test(each_of_two_passwords_passes_during_a_rotation),
		cmocka_unit_test(an_unknown_role_is_told_what_a_wrong_password_is_told),
		cmocka_unit_test(a_mock_depends_on_the_secret),
		cmocka_unit_test(nonces_are_never_the_same),
		cmocka_unit_test(flags_and_mechanisms_must_agree),
		cmocka_unit_test(who_stands_between_is_found_out),
		cmocka_unit_test(first_messages_that_are_none_are_refused),
		cmocka_unit_test(extensions_that_need_not_be_known_are_read_over),
		cmocka_unit_test(messages_have_a_longest),
		cmocka_unit_test(final_messages_that_are_none_are_refused),
		cmocka_unit_test(messages_out_of_turn_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
