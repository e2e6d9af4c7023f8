/* What codec/pgsql promises: it reads SQL as PostgreSQL does, and calls nothing a read that is not
 * one. */
#include <libpq-fe.h>
#include <time.h>

#include "base/arena.h"
#include "codec/pgsql.h"
#include "codec/pgsql_lex.h"
#include "codec_test.h"
#include "pgtest.h"

static struct pgsql look(struct str sql)
{
	/* of its own length, so that reading behind it is noticed */
	CLEANUP(mem_drop) char *copy = mem_alloc(sql.n + !sql.n);
	struct pgsql ret;

	memcpy(copy, sql.p, sql.n);
	pgsql_look((struct str){copy, sql.n}, false, &ret);
	if (ret.name.p)
		ret.name.p = sql.p + (ret.name.p - copy);
	return ret;
}

static void assert_kind(const char *sql, enum pgsql_kind want)
{
	struct pgsql got = look(str_of(sql));

	if (got.kind != want)
		fail_msg("%s: %d, not %d", sql, (int)got.kind, (int)want);
}

static void commands_are_told_by_their_words(void **state)
{
	static const struct {
		const char *sql;
		enum pgsql_kind want;
	} cases[] = {
		{"", PGSQL_EMPTY},
		{" \t\r\n\f\v", PGSQL_EMPTY},
		{";;", PGSQL_EMPTY},
		{"-- select 1", PGSQL_EMPTY},
		{"/* select 1 */;", PGSQL_EMPTY},
		{"begin", PGSQL_BEGIN},
		{"BEGIN ISOLATION LEVEL SERIALIZABLE", PGSQL_BEGIN},
		{"Start /* a */ Transaction", PGSQL_BEGIN},
		{"start", PGSQL_OTHER},
		{"begins", PGSQL_OTHER},
		{"\"begin\"", PGSQL_OTHER},
		{"commit", PGSQL_COMMIT},
		{"COMMIT AND CHAIN", PGSQL_COMMIT},
		{"commit work", PGSQL_COMMIT},
		{"commit prepared 'x'", PGSQL_COMMIT},
		{"end", PGSQL_COMMIT},
		{"prepare transaction 'x'", PGSQL_COMMIT},
		{"prepare transaction as select 1", PGSQL_OTHER}, /* a statement of that name */
		{"prepare s as select 1", PGSQL_OTHER},
		{"rollback", PGSQL_ROLLBACK},
		{"rollback and chain", PGSQL_ROLLBACK},
		{"rollback work", PGSQL_ROLLBACK},
		{"abort", PGSQL_ROLLBACK},
		{"rollback to s", PGSQL_OTHER},
		{"rollback to savepoint s", PGSQL_OTHER},
		{"rollback work to savepoint s", PGSQL_OTHER},
		{"rollback transaction to s", PGSQL_OTHER},
		{"rollback prepared 'x'", PGSQL_OTHER},
		{"discard all", PGSQL_DEALLOCATE_ALL},
		{"discard plans", PGSQL_OTHER},
		{"deallocate all", PGSQL_DEALLOCATE_ALL},
		{"deallocate prepare all", PGSQL_DEALLOCATE_ALL},
		{"deallocate", PGSQL_OTHER},
		{"deallocate a b", PGSQL_OTHER},
		{"deallocate U&\"a\"", PGSQL_OTHER},
		{"listen", PGSQL_OTHER},
		{"listen a, b", PGSQL_OTHER},
		{"unlisten a", PGSQL_OTHER},
		{"show", PGSQL_OTHER},
		{"insert into t values (1)", PGSQL_OTHER},
		{"(begin)", PGSQL_OTHER},
		{"(", PGSQL_OTHER},
		{"select", PGSQL_READ},
		{"\xc3\xa4", PGSQL_OTHER},
		{"savepoint s", PGSQL_OTHER},
		{"set x = 1", PGSQL_OTHER},
		{"explain analyze select 1", PGSQL_OTHER},
		{"copy t from stdin", PGSQL_OTHER},
		{"do $$ begin commit; end $$", PGSQL_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_kind(cases[i].sql, cases[i].want);
}

static void names_are_found_and_read(void **state)
{
	static const struct {
		const char *sql;
		enum pgsql_kind kind;
		const char *text, *name;
	} cases[] = {
		{"deallocate S1", PGSQL_DEALLOCATE, "S1", "s1"},
		{"DEALLOCATE PREPARE \"S 1\";", PGSQL_DEALLOCATE, "\"S 1\"", "S 1"},
		{"deallocate prepare", PGSQL_DEALLOCATE, "prepare", "prepare"},
		{"deallocate \"all\"", PGSQL_DEALLOCATE, "\"all\"", "all"},
		{"deallocate \"a\"\"b\" -- it\n", PGSQL_DEALLOCATE, "\"a\"\"b\"", "a\"b"},
		{"listen Jobs", PGSQL_LISTEN, "Jobs", "jobs"},
		{"listen \xc3\x84", PGSQL_LISTEN, "\xc3\x84", "\xc3\x84"},
	};
	static const char *const shows[][2] = {
		{"show all", "all"},
		{"SHOW POOLS ;", "POOLS"},
		{"show transaction /* a */ isolation level -- b",
		 "transaction /* a */ isolation level"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pgsql got = look(str_of(cases[i].sql));
		char name[PGSQL_NAME];

		assert_int_equal(got.kind, cases[i].kind);
		assert_true(str_is(got.name, cases[i].text));
		assert_true(pgsql_name(got.name, name));
		assert_string_equal(name, cases[i].name);
	}
	for (size_t i = 0; i < ARRAY_LEN(shows); i++) {
		struct pgsql got = look(str_of(shows[i][0]));

		assert_int_equal(got.kind, PGSQL_SHOW);
		assert_true(got.is_read);
		assert_true(str_is(got.name, shows[i][1]));
	}
}

static void names_are_cut_as_postgresql_cuts_them(void **state)
{
	char text[200] = "", name[PGSQL_NAME];

	(void)state;
	memset(text, 'A', 100);
	assert_true(pgsql_name(str_of(text), name));
	assert_int_equal(strlen(name), 63);
	assert_int_equal(name[0], 'a');
	memset(text, 'a', 62);
	strncpy(text + 62, "\xc3\xa4\xc3\xa4", 10); /* a character over the limit goes whole */
	assert_true(pgsql_name((struct str){text, 66}, name));
	assert_int_equal(strlen(name), 62);
	text[0] = text[65] = '"';
	assert_true(pgsql_name((struct str){text, 66}, name));
	assert_int_equal(strlen(name), 63);
	assert_false(pgsql_name(STR(""), name));
	assert_false(pgsql_name(STR("\""), name));
	assert_false(pgsql_name(STR("\"\""), name));
	assert_false(pgsql_name(STR("U&\"a\""), name));
}

static void what_only_reads_is_a_read(void **state)
{
	static const char *const reads[] = {
		"select 1",
		"SELECT * FROM t WHERE a IN (1, 2) AND (b OR c)",
		"select a::numeric(10,2), cast(b as varchar(20)) from t",
		"select count(*), sum(a), max(b) from t group by (a) having count(*) > (1)",
		"select pg_catalog.count(*) from t",
		"select coalesce(lower(a), to_char(now(), 'YYYY')) from unnest(array[1]) as g(a)",
		"select row_number() over (partition by (a) order by (b)) from t",
		"select count(*) filter (where a > 1) over (order by b) from t",
		"select substring('a' from (1) for (2)), extract(year from (now()))",
		"values (1, 'a'), (2, 'b')",
		"table t",
		"(select 1) union all (select 2)",
		"((select 1))",
		"with x as (select 1) select * from x",
		"with x as not materialized (select 1) select * from x",
		"select * from a inner join (select 1) b on (a.x = b.x)",
		"select exists (select 1), array(select 1), a = any (array[1]), row(1, 2)",
		"select case when (a) then (b) else (c) end from t",
		"select 'insert into t', \"update\", $$delete$$, $x$merge into$x$ from t",
		"select 1 -- into t",
		"select 1 /* for update */",
		"select a from t limit (1) offset (2)",
		"select distinct (a), timestamp(3) '2020-01-01', a::character varying(3) from t",
		"select * from a, lateral (select 1) b",
		"select $1::int",
		"select a from t where b between (1) and (2)",
		"select U&'\\0441', E'\\'', b'1', x'1F', n'a'",
		"select 1 from t group by grouping sets ((a), (b))",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		struct pgsql got = look(str_of(reads[i]));

		if (got.kind != PGSQL_READ || !got.is_read || !got.is_single || got.has_commit)
			fail_msg("%s", reads[i]);
	}
}

static void what_may_change_something_is_no_read(void **state)
{
	static const char *const others[] = {
		"select nextval('s')",
		"select NextVal /* a */ ('s')",
		"select f(1)",
		"select f\n--x\n(1)",
		"select x.count(*) from t",
		"select pg_catalog.nextval('s')",
		"select x.pg_catalog.count(1)",
		"select \"count\"(1)",
		"select U&\"count\"(1)",
		"select \"pg_catalog\".count(1)",
		"select pg_advisory_lock(1)",
		"select set_config('a', 'b', false)",
		"select pg_terminate_backend(1)",
		"select pg_notify('a', 'b')",
		"select lo_create(1)",
		"select query_to_xml('delete from t', true, true, '')",
		"select currval('s')",
		"select pg_sleep(1)",
		"select random()",
		"select over(1)",
		"select filter(1)",
		"select by(1)",
		"select a, join(1)",
		"select range(1, 2)",
		"select * into x from t",
		"select * from t for update",
		"select * from t for no key update",
		"select * from t for share",
		"select * from t FOR KEY SHARE",
		"select 1for update",
		"with x as (insert into t values (1) returning a) select * from x",
		"with x as (delete from t returning a) select * from x",
		"with x as (update t set a = 1 returning a) select * from x",
		"with x as (merge into t using u on (true) when matched then do nothing) select 1",
		"with x as (select 1) insert into t select * from x",
		"(select 1 into x)",
		"values (nextval('s'))",
		"select 1; select f(1)",
		"select $$a$$||f(1)",
		"select 'a''b'||f('c')",
		"select E'a\\'b'||f('c')",
		"select E'a'\n'b\\'||f(1)||' ', f(2)",
		"select 'a\\'||f(1)--'",
		"select \"a\"\"b\", f(1)",
		"select $1||f(1)",
		"select a$x$||f(1)--$x$", /* a dollar within a name quotes nothing */
		"select /* /* */ */ f(1)",
		"select 1 --\n, f(1)",
		"select 1 --\r, f(1)",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct pgsql got = look(str_of(others[i]));

		if (got.is_read)
			fail_msg("%s", others[i]);
		if (got.is_single)
			assert_int_equal(got.kind, PGSQL_OTHER);
	}
}

static void several_statements_are_told_apart(void **state)
{
	static const struct {
		const char *sql;
		enum pgsql_kind kind;
		bool is_single, has_commit, is_read;
	} cases[] = {
		{"select 1;", PGSQL_READ, true, false, true},
		{"select 1; ; -- a\n/* b */;", PGSQL_READ, true, false, true},
		{";; select 1", PGSQL_READ, true, false, true},
		{"select 1; select 2", PGSQL_READ, false, false, true},
		{"select 1; commit", PGSQL_READ, false, true, false},
		{"select 1; show all", PGSQL_READ, false, false, true},
		{"begin; insert into t values (1); commit", PGSQL_BEGIN, false, true, false},
		{"begin; select 1; end;", PGSQL_BEGIN, false, true, false},
		{"begin; select 1; rollback", PGSQL_BEGIN, false, false, false},
		{"commit; begin", PGSQL_COMMIT, false, true, false},
		{"commit", PGSQL_COMMIT, true, true, false},
		{"insert into t values (1); prepare transaction 'a'", PGSQL_OTHER, false, true,
		 false},
		{"select ';commit'", PGSQL_READ, true, false, true},
		{"select $a$;commit;$b$;$a$", PGSQL_READ, true, false, true},
		{"select \";commit\"", PGSQL_READ, true, false, true},
		{"select 1 -- ;commit", PGSQL_READ, true, false, true},
		{"select 1 /* ; /* */ commit */", PGSQL_READ, true, false, true},
		{"deallocate a; deallocate b", PGSQL_DEALLOCATE, false, false, false},
		{"", PGSQL_EMPTY, true, false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pgsql got = look(str_of(cases[i].sql));

		if (got.kind != cases[i].kind || got.is_single != cases[i].is_single ||
		    got.has_commit != cases[i].has_commit || got.is_read != cases[i].is_read)
			fail_msg("%s", cases[i].sql);
	}
}

static void what_has_no_end_is_other(void **state)
{
	static const char *const cases[] = {
		"select 'a",
		"select \"a",
		"select 1 /* a",
		"select /* /* */ 1",
		"select $$a",
		"select $x$a$y$",
		"select E'a\\'",
		"commit; select '",
		"/*",
		"'",
		"\"",
		"$$",
		"select 'a'\n'b",
		"select U&\"a",
		"select 1; -- a\n'",
		"show 'a",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pgsql got = look(str_of(cases[i]));

		if (got.kind != PGSQL_OTHER || got.is_read || got.name.p)
			fail_msg("%s", cases[i]);
	}
}

static void backslashes_escape_where_the_server_says_so(void **state)
{
	static const struct {
		const char *sql;
		bool is_read[2]; /* by backslash_escapes */
	} cases[] = {
		{"select 'a\\'||f(1)--'", {false, true}},
		{"select 'a\\', 'b||f(1)--'", {true, false}},
		{"select n'a\\'||f(1)--'", {false, true}},
		{"select b'1\\'||f(1)--'", {false, false}},
		{"select x'1\\'||f(1)--'", {false, false}},
		{"select \"a\\\"||f(1)--\"", {false, false}},
		{"select $$a\\$$||f(1)--$$", {false, false}},
		{"select E'a\\'||f(1)--'", {true, true}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int escapes = 0; escapes < 2; escapes++) {
			struct pgsql got;

			pgsql_look(str_of(cases[i].sql), escapes, &got);
			if (got.is_read != cases[i].is_read[escapes])
				fail_msg("%s (%d)", cases[i].sql, escapes);
		}
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Texts that a careless reader would read over and over. */
static void the_time_is_linear_in_the_text(void **state)
{
	static const char *const units[] = {
		"(",    "/*", "$a", "$a$", "'a'\n", "E'a' \n", "a.",    "$",        "\"a\"",
		"--\n", ";",  "a(", "1a",  "$$ ",   "U&",      "/* */", "'a' --\n",
	};
	enum { N = 1 << 20 };
	CLEANUP(mem_drop) char *text = mem_alloc(N);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t n = strlen(units[i]);
		struct pgsql got;
		double begin = cpu_s();

		for (size_t k = 0; k < N; k++)
			text[k] = units[i][k % n];
		pgsql_look((struct str){text, N}, false, &got);
		if (cpu_s() - begin > 5) /* 1 MB: quadratic would be hours */
			fail_msg("%s", units[i]);
	}
}

/* --- the table of names, as the servers see it */
static void safe_names_are_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < pgsql_safe_names_n; i++) {
		assert_true(!i || strcmp(pgsql_safe_names[i - 1], pgsql_safe_names[i]) < 0);
		assert_true(pgsql_is_safe_name(str_of(pgsql_safe_names[i])));
	}
	assert_true(pgsql_is_safe_name(STR("COUNT")));
	assert_false(pgsql_is_safe_name(STR("nextval")));
	assert_false(pgsql_is_safe_name(STR("")));
	assert_false(pgsql_is_safe_name(
		STR("a_name_that_is_much_longer_than_any_that_we_have_in_our_table")));
}

static char *names_array(void)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_puts(&b, "{");
	for (size_t i = 0; i < pgsql_safe_names_n; i++)
		buf_printf(&b, "%s%s", i ? "," : "", pgsql_safe_names[i]);
	buf_puts(&b, "}");
	return mem_strdup(b.p);
}

static void assert_none(PGconn *db, const char *sql, const char *what)
{
	CLEANUP(mem_drop) char *names = names_array();
	const char *params[] = {names};
	PGresult *r = PQexecParams(db, sql, 1, NULL, params, NULL, NULL, 0);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(db));
	if (!PQgetisnull(r, 0, 0))
		fail_msg("%s: %s", what, PQgetvalue(r, 0, 0));
	PQclear(r);
}

static void no_server_has_a_volatile_function_of_a_safe_name(void **state)
{
	(void)state;
	for (const int *major = pgtest_majors(); *major; major++) {
		struct pgtest pg;
		PGconn *db;

		assert_true(pgtest_start(&pg, *major, NULL));
		db = PQconnectdb(pg.conninfo);
		assert_none(
			db,
			"select string_agg(proname, ' ') from pg_proc"
			" where proname = any($1::text[]) and provolatile = 'v'",
			"volatile");
		/* Others could be a function of anybody's. */
		if (!major[1])
			assert_none(
				db,
				"select string_agg(n, ' ') from unnest($1::text[]) n"
				" where not exists (select from pg_proc where proname = n)"
				" and not exists (select from pg_get_keywords()"
				" where word = n and catcode in ('C', 'R'))",
				"neither function nor reserved");
		PQfinish(db);
		pgtest_stop(&pg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_told_by_their_words),
		cmocka_unit_test(names_are_found_and_read),
		cmocka_unit_test(names_are_cut_as_postgresql_cuts_them),
		cmocka_unit_test(what_only_reads_is_a_read),
		cmocka_unit_test(what_may_change_something_is_no_read),
		cmocka_unit_test(several_statements_are_told_apart),
		cmocka_unit_test(what_has_no_end_is_other),
		cmocka_unit_test(backslashes_escape_where_the_server_says_so),
		cmocka_unit_test(the_time_is_linear_in_the_text),
		cmocka_unit_test(safe_names_are_in_order),
		cmocka_unit_test(no_server_has_a_volatile_function_of_a_safe_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
