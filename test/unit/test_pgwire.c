/* What codec/pgwire promises: the protocol's bytes, both ways, and no trust in any length. */
#include "codec/pgwire.h"
#include "codec_test.h"

static struct str bytes_of(const struct buf *b)
{
	return buf_view(b);
}

/* The one message that b is, of that type. */
static struct str body_of(const struct buf *b, char type)
{
	struct pgw_msg m;
	size_t used;

	assert_int_equal(pgw_next(bytes_of(b), 1 << 20, &m, &used), PGW_MSG);
	assert_int_equal(used, b->n);
	assert_int_equal(m.type, type);
	return m.body;
}

static void assert_str(struct str got, const char *want)
{
	assert_non_null(got.p);
	if (!str_is(got, want))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(got), want);
}

static void assert_bytes(struct str got, struct str want)
{
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.p, want.p, want.n);
}

/* A session's start of the parameters, which end in NUL bytes. */
#define START(b, version, literal) pgw_put_start(b, version, STR(literal))

/* --- messages */
static void conversation(struct buf *b)
{
	struct pgw_error e = {"ERROR", "42P01", "no such table", "detail", "hint"};
	struct str row[] = {STR("one"), {NULL, 0}, STR("")};
	const char *names[] = {"a", "b", "c", NULL};

	pgw_put_auth_ok(b);
	pgw_put_auth_sasl(b, true);
	pgw_put_parameter(b, STR("client_encoding"), STR("UTF8"));
	pgw_put_key(b, 4711, STR("key!"));
	pgw_put_columns(b, names);
	pgw_put_row(b, row, ARRAY_LEN(row));
	pgw_put_complete(b, "SELECT 1");
	pgw_put_error(b, &e);
	pgw_put_ready(b, 'I');
	pgw_put_parse(b, STR("s1"), STR("select $1"), STR(""));
	pgw_put_bind(b, STR(""), STR("s1"), row, ARRAY_LEN(row));
	pgw_put_sync(b);
}

static void a_stream_cut_anywhere_asks_for_more_and_gives_the_same(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	size_t at = 0, messages = 0;

	(void)state;
	conversation(&b);
	while (at < b.n) {
		struct pgw_msg m;
		size_t used = 0;
		struct str rest = {b.p + at, b.n - at};

		assert_int_equal(pgw_next(rest, 1000, &m, &used), PGW_MSG);
		for (size_t n = 0; n < used; n++) {
			/* of its own length, so that a look behind it is noticed */
			CLEANUP(mem_drop) char *copy = mem_alloc(n + !n);
			struct pgw_msg unset = {.type = '?'};
			size_t unused = 7;

			memcpy(copy, rest.p, n);
			assert_int_equal(
				pgw_next((struct str){copy, n}, 1000, &unset, &unused), PGW_MORE);
			assert_int_equal(unset.type, '?');
			assert_int_equal(unused, 7);
		}
		at += used;
		messages++;
	}
	assert_int_equal(messages, 12);
	assert_int_equal(at, b.n);
}

static void lengths_are_not_trusted(void **state)
{
	static const struct {
		const char *head;
		uint32_t max;
		enum pgw_status want;
	} cases[] = {
		{"Q\0\0\0\0", 1000, PGW_BAD},
		{"Q\0\0\0\3", 1000, PGW_BAD},
		{"Q\0\0\0\4", 0, PGW_MSG},
		{"Q\0\0\0\5", 0, PGW_BAD},
		{"Q\0\0\3\354", 1000, PGW_MORE}, /* 1004: the longest */
		{"Q\0\0\3\355", 1000, PGW_BAD},
		{"Q\177\377\377\377", 1000, PGW_BAD},
		{"Q\177\377\377\377", UINT32_MAX, PGW_MORE},
		{"Q\377\377\377\377", 1000, PGW_BAD},
		{"Q\377\377\377\377", UINT32_MAX, PGW_MORE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pgw_msg m;
		size_t used;
		char type;
		uint32_t body;

		assert_int_equal(
			pgw_next((struct str){cases[i].head, 5}, cases[i].max, &m, &used),
			cases[i].want);
		assert_int_equal(
			pgw_head(cases[i].head, 5, cases[i].max, &type, &body),
			cases[i].want == PGW_BAD ? PGW_BAD : PGW_MSG);
	}
}

/* --- the first packet */
static enum pgw_status start_of(const struct buf *b, struct pgw_start *ret, const char **ret_why)
{
	size_t used = 0;
	enum pgw_status status = pgw_start_next(bytes_of(b), ret, &used, ret_why);

	if (status == PGW_MSG)
		assert_int_equal(used, b->n);
	return status;
}

static void a_start_cut_anywhere_asks_for_more(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct pgw_start s;
	const char *why = "";
	size_t used;

	(void)state;
	START(&b, PGW_VERSION_3_0, "user\0app\0database\0payments-prod.orders\0");
	for (size_t n = 0; n < b.n; n++) {
		CLEANUP(mem_drop) char *copy = mem_alloc(n + !n);

		memcpy(copy, b.p, n);
		assert_int_equal(pgw_start_next((struct str){copy, n}, &s, &used, &why), PGW_MORE);
	}
	buf_puts(&b, "and more");
	assert_int_equal(pgw_start_next(bytes_of(&b), &s, &used, &why), PGW_MSG);
	assert_int_equal(used, b.n - strlen("and more"));
}

static void a_session_starts_with_its_parameters(void **state)
{
	CLEANUP(buf_done) struct buf b = {0}, again = {0};
	struct pgw_start s;
	struct str rest, name, value;
	const char *why = "";

	(void)state;
	START(&b, PGW_VERSION_3_2, "user\0app\0options\0-c x=1\0user\0other\0_pq_.a\0\0");
	assert_int_equal(start_of(&b, &s, &why), PGW_MSG);
	assert_int_equal(s.kind, PGW_START_SESSION);
	assert_int_equal(s.version, PGW_VERSION_3_2);
	assert_str(pgw_param(s.params, "user"), "other"); /* the last one, as PostgreSQL does */
	assert_str(pgw_param(s.params, "options"), "-c x=1");
	assert_str(pgw_param(s.params, "_pq_.a"), "");
	assert_null(pgw_param(s.params, "database").p);
	rest = s.params;
	assert_true(pgw_param_next(&rest, &name, &value));
	assert_str(name, "user");
	assert_str(value, "app");
	for (int i = 0; i < 3; i++)
		assert_true(pgw_param_next(&rest, &name, &value));
	assert_false(pgw_param_next(&rest, &name, &value));
	pgw_put_start(&again, s.version, s.params);
	assert_bytes(bytes_of(&again), bytes_of(&b));
}

/* A packet of that code and that body. */
static void packet(struct buf *b, uint32_t code, struct str body)
{
	buf_clear(b);
	pgw_put_u32(b, (uint32_t)body.n + 8);
	pgw_put_u32(b, code);
	buf_str(b, body);
}

static void parameters_that_are_no_pairs_are_refused(void **state)
{
	static const struct {
		struct str body;
		const char *why;
	} cases[] = {
		{{"", 0}, "layout"},
		{{"", 1}, "user name"},
		{{"user\0app\0", 9}, "layout"}, /* no terminator */
		{{"user\0app", 8}, "layout"},
		{{"user\0\0", 6}, "layout"}, /* a value is missing */
		{{"user\0app\0database\0", 18}, "layout"},
		{{"user\0app\0\0junk", 14}, "layout"}, /* something behind the terminator */
		{{"user\0app\0\0\0", 11}, "layout"},
		{{"user\0\0\0", 7}, "user name"}, /* an empty one */
		{{"database\0x\0\0", 12}, "user name"},
		{{"user\0app\0user\0\0\0", 16}, "user name"},
		{{"\0user\0app\0\0", 11}, "layout"},
		{{"USER\0app\0\0", 10}, "user name"},
	};
	CLEANUP(buf_done) struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pgw_start s = {.pid = 99};
		const char *why = "";

		packet(&b, PGW_VERSION_3_0, cases[i].body);
		assert_int_equal(start_of(&b, &s, &why), PGW_BAD);
		if (!strstr(why, cases[i].why))
			fail_msg("case %zu: %s", i, why);
		assert_int_equal(s.pid, 99);
	}
}

static void starts_of_any_length_are_taken_up_to_the_most(void **state)
{
	CLEANUP(buf_done) struct buf b = {0}, params = {0};
	CLEANUP(mem_drop) char *fill = mem_alloc(PGW_START_MAX);
	struct pgw_start s;
	const char *why = "";

	(void)state;
	memset(fill, 'x', PGW_START_MAX);
	/* code, "user" NUL, value NUL, NUL */
	for (size_t n = PGW_START_MAX - 13; n <= PGW_START_MAX - 9; n++) {
		size_t body = 4 + 5 + n + 1 + 1;

		buf_clear(&b);
		buf_clear(&params);
		buf_add(&params, "user", 5);
		buf_add(&params, fill, n);
		buf_add(&params, "", 1);
		pgw_put_start(&b, PGW_VERSION_3_0, bytes_of(&params));
		assert_int_equal(b.n, body + 4);
		assert_int_equal(start_of(&b, &s, &why), body <= PGW_START_MAX ? PGW_MSG : PGW_BAD);
	}
}

static void lengths_of_a_start_are_not_trusted(void **state)
{
	static const struct {
		struct str in;
		enum pgw_status want;
	} cases[] = {
		{{"\0\0\0\0", 4}, PGW_BAD},         {{"\0\0\0\3", 4}, PGW_BAD},
		{{"\0\0\0\4", 4}, PGW_BAD},         {{"\0\0\0\7", 4}, PGW_BAD},
		{{"\0\0\0\10", 4}, PGW_MORE},       {{"\0\0\47\24", 4}, PGW_MORE}, /* 10004 */
		{{"\0\0\47\25", 4}, PGW_BAD},       {{"\177\377\377\377", 4}, PGW_BAD},
		{{"\377\377\377\377", 4}, PGW_BAD}, {{"GET / HTTP/1.1\r\n", 16}, PGW_BAD},
		{{"\26\3\1\2\0\1", 6}, PGW_BAD}, /* TLS at once is for the caller to see */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pgw_start s;
		const char *why = "";
		size_t used;

		assert_int_equal(pgw_start_next(cases[i].in, &s, &used, &why), cases[i].want);
		assert_true((cases[i].want == PGW_BAD) == (*why != '\0'));
	}
}

static void other_majors_are_refused_and_minors_are_told(void **state)
{
	static const uint32_t majors[] = {0,       1 << 16,           2 << 16,
					  4 << 16, 1234 << 16 | 5677, 0xffff0000};
	CLEANUP(buf_done) struct buf b = {0};
	struct pgw_start s;
	const char *why = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(majors); i++) {
		packet(&b, majors[i], STR("user\0app\0\0"));
		assert_int_equal(start_of(&b, &s, &why), PGW_BAD);
		assert_non_null(strstr(why, "protocol"));
	}
	packet(&b, 3 << 16 | 9999, STR("user\0app\0\0"));
	assert_int_equal(start_of(&b, &s, &why), PGW_MSG);
	assert_int_equal(s.version, 3 << 16 | 9999);
}

static void requests_for_encryption_have_no_body(void **state)
{
	enum { SSL = 80877103, GSS = 80877104 };
	CLEANUP(buf_done) struct buf b = {0};
	struct pgw_start s;
	const char *why = "";
	size_t used;

	(void)state;
	pgw_put_ssl_request(&b);
	assert_bytes(bytes_of(&b), STR("\0\0\0\10\4\322\26\57"));
	assert_int_equal(start_of(&b, &s, &why), PGW_MSG);
	assert_int_equal(s.kind, PGW_START_SSL);
	packet(&b, GSS, STR(""));
	assert_int_equal(start_of(&b, &s, &why), PGW_MSG);
	assert_int_equal(s.kind, PGW_START_GSS);
	packet(&b, SSL, STR("x"));
	assert_int_equal(start_of(&b, &s, &why), PGW_BAD);
	packet(&b, GSS, STR("user\0a\0\0"));
	assert_int_equal(start_of(&b, &s, &why), PGW_BAD);
	/* What a client sends behind it is not used up with it: the caller sees that it is there.
	 */
	packet(&b, SSL, STR(""));
	buf_puts(&b, "smuggled");
	assert_int_equal(pgw_start_next(bytes_of(&b), &s, &used, &why), PGW_MSG);
	assert_int_equal(used, 8);
}

static void cancel_keys_have_4_to_256_bytes(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	char key[PGW_KEY_MAX + 1];
	struct pgw_start s;
	const char *why = "";

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (char)(i * 7);
	for (size_t n = 0; n <= sizeof(key); n++) {
		buf_clear(&b);
		pgw_put_cancel(&b, 0x80000001, (struct str){key, n});
		if (n < 4 || n > PGW_KEY_MAX) {
			assert_int_equal(start_of(&b, &s, &why), PGW_BAD);
			continue;
		}
		assert_int_equal(start_of(&b, &s, &why), PGW_MSG);
		assert_int_equal(s.kind, PGW_START_CANCEL);
		assert_int_equal(s.pid, 0x80000001);
		assert_bytes(s.key, (struct str){key, n});
	}
	packet(&b, 80877102, STR("abc"));
	assert_int_equal(start_of(&b, &s, &why), PGW_BAD);
}

/* --- bodies */
static void errors_say_their_fields(void **state)
{
	struct pgw_error e = {"FATAL", "28P01", "no", NULL, "try again"};
	CLEANUP(buf_done) struct buf b = {0}, notice = {0};
	struct str body;

	(void)state;
	pgw_put_error(&b, &e);
	body = body_of(&b, 'E');
	assert_bytes(body, STR("SFATAL\0VFATAL\0C28P01\0Mno\0Htry again\0\0"));
	assert_str(pgw_field(body, 'S'), "FATAL");
	assert_str(pgw_field(body, 'C'), "28P01");
	assert_str(pgw_field(body, 'H'), "try again");
	assert_null(pgw_field(body, 'D').p);
	assert_null(pgw_field(body, '\0').p);
	pgw_put_notice(&notice, &e);
	assert_bytes(body_of(&notice, 'N'), body);
	/* One that is cut off has the fields that are whole. */
	body.n = strlen("SFATAL") + 1 + strlen("VFATAL") + 1 + 3;
	assert_str(pgw_field(body, 'V'), "FATAL");
	assert_null(pgw_field(body, 'C').p);
	assert_null(pgw_field(STR("Mone"), 'M').p);
	assert_null(pgw_field(STR("\0Mone\0"), 'M').p);
}

static void rows_give_their_values(void **state)
{
	struct str row[] = {STR("one"), {NULL, 0}, STR(""), STR("\0\1")}, rest, value;
	CLEANUP(buf_done) struct buf b = {0};
	uint16_t n;

	(void)state;
	pgw_put_row(&b, row, ARRAY_LEN(row));
	assert_true(pgw_row(body_of(&b, 'D'), &n, &rest));
	assert_int_equal(n, ARRAY_LEN(row));
	for (size_t i = 0; i < n; i++) {
		assert_true(pgw_row_next(&rest, &value));
		assert_true(!row[i].p == !value.p && str_eq(row[i], value));
	}
	assert_false(pgw_row_next(&rest, &value));
	rest = STR("\0\0\0\3ab");
	assert_false(pgw_row_next(&rest, &value));
	assert_int_equal(rest.n, 6);
	rest = STR("\377\377\377\376ab"); /* -2 is neither a length nor NULL */
	assert_false(pgw_row_next(&rest, &value));
	rest = STR("\0\0\0");
	assert_false(pgw_row_next(&rest, &value));
	assert_false(pgw_row(STR("\0"), &n, &rest));
}

static void statements_are_read_as_they_were_written(void **state)
{
	struct str values[] = {STR("1"), {NULL, 0}}, name, query, types, portal, rest;
	CLEANUP(buf_done) struct buf parse = {0}, bind = {0}, again = {0};

	(void)state;
	pgw_put_parse(&parse, STR("s"), STR("select $1"), STR("\0\1\0\0\0\27"));
	assert_true(pgw_parse_read(body_of(&parse, 'P'), &name, &query, &types));
	assert_str(name, "s");
	assert_str(query, "select $1");
	pgw_put_parse(&again, name, query, types);
	assert_bytes(bytes_of(&again), bytes_of(&parse));
	buf_clear(&parse);
	pgw_put_parse(&parse, STR(""), STR(""), STR(""));
	assert_bytes(body_of(&parse, 'P'), STR("\0\0\0\0"));
	pgw_put_bind(&bind, STR("p"), STR("s"), values, ARRAY_LEN(values));
	assert_true(pgw_bind_read(body_of(&bind, 'B'), &portal, &name, &rest));
	assert_str(portal, "p");
	assert_str(name, "s");
	assert_bytes(rest, STR("\0\0\0\2\0\0\0\0011\377\377\377\377\0\0"));
}

static void statements_that_are_cut_off_are_refused(void **state)
{
	static const struct str parses[] = {
		{"", 0},
		{"s\0q", 3},
		{"s\0q\0", 4},
		{"s\0q\0\0", 5},
		{"s\0q\0\0\1\0\0\0", 9},
		{"s\0q\0\0\0x", 7},
		{"s\0q\0\0\1\0\0\0\0x", 11},
	};
	struct str a, b, c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parses); i++)
		assert_false(pgw_parse_read(parses[i], &a, &b, &c));
	assert_true(pgw_parse_read(STR("s\0q\0\0\1\0\0\0\0"), &a, &b, &c));
	assert_false(pgw_bind_read(STR("p\0s"), &a, &b, &c));
	assert_false(pgw_bind_read(STR("p"), &a, &b, &c));
	assert_false(pgw_bind_read(STR(""), &a, &b, &c));
}

static void targets_are_a_statement_or_a_portal(void **state)
{
	CLEANUP(buf_done) struct buf describe = {0}, close = {0};
	struct str name = STR("before");
	char kind = '?';

	(void)state;
	assert_false(pgw_target_read(STR("Xname\0"), &kind, &name));
	assert_false(pgw_target_read(STR("Sname"), &kind, &name));
	assert_false(pgw_target_read(STR("Sname\0x"), &kind, &name));
	assert_false(pgw_target_read(STR(""), &kind, &name));
	assert_int_equal(kind, '?');
	assert_str(name, "before");
	pgw_put_describe(&describe, 'S', STR("s1"));
	assert_true(pgw_target_read(body_of(&describe, 'D'), &kind, &name));
	assert_int_equal(kind, 'S');
	assert_str(name, "s1");
	pgw_put_close(&close, 'P', STR(""));
	assert_true(pgw_target_read(body_of(&close, 'C'), &kind, &name));
	assert_int_equal(kind, 'P');
	assert_str(name, "");
}

/* --- the bytes of what is written, by the documentation's message formats */
#define WRITES(type, want, call)                                                                   \
	do {                                                                                       \
		buf_clear(&b);                                                                     \
		call;                                                                              \
		assert_bytes(body_of(&b, type), STR(want));                                        \
	} while (0)

static void a_server_says_what_the_documentation_says(void **state)
{
	const char *columns[] = {"a", NULL};
	CLEANUP(buf_done) struct buf b = {0};
	struct str options = STR("user\0a\0_pq_.x\0001\0_pqx\0002\0_pq_.\0\0");

	(void)state;
	WRITES('R', "\0\0\0\0", pgw_put_auth_ok(&b));
	WRITES('R', "\0\0\0\12SCRAM-SHA-256\0\0", pgw_put_auth_sasl(&b, false));
	WRITES('R', "\0\0\0\12SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", pgw_put_auth_sasl(&b, true));
	WRITES('R', "\0\0\0\13r=x", pgw_put_auth_sasl_continue(&b, STR("r=x")));
	WRITES('R', "\0\0\0\14v=x", pgw_put_auth_sasl_final(&b, STR("v=x")));
	WRITES('S', "a\0b\0", pgw_put_parameter(&b, STR("a"), STR("b")));
	WRITES('K', "\0\0\1\2abcd", pgw_put_key(&b, 258, STR("abcd")));
	WRITES('v', "\0\3\0\2\0\0\0\2_pq_.x\0_pq_.\0", pgw_put_negotiate(&b, 2, options));
	WRITES('v', "\0\3\0\0\0\0\0\0", pgw_put_negotiate(&b, 0, STR("user\0a\0")));
	WRITES('Z', "T", pgw_put_ready(&b, 'T'));
	WRITES('C', "SHOW\0", pgw_put_complete(&b, "SHOW"));
	WRITES('T', "\0\1a\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0",
	       pgw_put_columns(&b, columns));
}

static void a_client_says_what_the_documentation_says(void **state)
{
	static const unsigned char salt[4] = {1, 2, 3, 0xff};
	CLEANUP(buf_done) struct buf b = {0};

	(void)state;
	WRITES('p', "secret\0", pgw_put_password(&b, STR("secret")));
	/* "md5" || md5(md5("secret" "app") salt), by md5sum */
	WRITES('p', "md549cac508dae03687680de540889c991c\0",
	       assert_true(pgw_put_md5(&b, STR("app"), STR("secret"), salt)));
	WRITES('p', "SCRAM-SHA-256\0\0\0\0\3n,,",
	       pgw_put_sasl_initial(&b, "SCRAM-SHA-256", STR("n,,")));
	WRITES('p', "c=biws", pgw_put_sasl_response(&b, STR("c=biws")));
	WRITES('Q', "select 1\0", pgw_put_query(&b, STR("select 1")));
	WRITES('E', "p\0\0\0\0\5", pgw_put_execute(&b, STR("p"), 5));
	WRITES('S', "", pgw_put_sync(&b));
	WRITES('X', "", pgw_put_terminate(&b));
}

static void a_nul_byte_in_a_text_makes_no_second_field(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};

	(void)state;
	WRITES('Q', "select 1\0", pgw_put_query(&b, STR("select 1\0; drop table x")));
	WRITES('S', "a\0b\0", pgw_put_parameter(&b, STR("a\0x"), STR("b\0y")));
}

static void messages_are_written_one_behind_the_other(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	size_t at;

	(void)state;
	pgw_put_sync(&b);
	at = pgw_begin(&b, 'd');
	pgw_put_u16(&b, 0x1234);
	pgw_put_u32(&b, 0x89abcdef);
	pgw_end(&b, at);
	pgw_put(&b, 'c', STR(""));
	assert_bytes(
		bytes_of(&b),
		STR("S\0\0\0\4"
		    "d\0\0\0\12\x12\x34\x89\xab\xcd\xef"
		    "c\0\0\0\4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_cut_anywhere_asks_for_more_and_gives_the_same),
		cmocka_unit_test(lengths_are_not_trusted),
		cmocka_unit_test(a_start_cut_anywhere_asks_for_more),
		cmocka_unit_test(a_session_starts_with_its_parameters),
		cmocka_unit_test(parameters_that_are_no_pairs_are_refused),
		cmocka_unit_test(starts_of_any_length_are_taken_up_to_the_most),
		cmocka_unit_test(lengths_of_a_start_are_not_trusted),
		cmocka_unit_test(other_majors_are_refused_and_minors_are_told),
		cmocka_unit_test(requests_for_encryption_have_no_body),
		cmocka_unit_test(cancel_keys_have_4_to_256_bytes),
		cmocka_unit_test(errors_say_their_fields),
		cmocka_unit_test(rows_give_their_values),
		cmocka_unit_test(statements_are_read_as_they_were_written),
		cmocka_unit_test(statements_that_are_cut_off_are_refused),
		cmocka_unit_test(targets_are_a_statement_or_a_portal),
		cmocka_unit_test(a_server_says_what_the_documentation_says),
		cmocka_unit_test(a_client_says_what_the_documentation_says),
		cmocka_unit_test(a_nul_byte_in_a_text_makes_no_second_field),
		cmocka_unit_test(messages_are_written_one_behind_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
