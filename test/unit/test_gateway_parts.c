/* The pure parts of the gateway. */
#include "codec_test.h"
#include "gateway/carry.h"
#include "gateway/custom.h"
#include "gateway/loss.h"
#include "gateway/replies.h"
#include "gateway/route.h"
#include "gateway/vars.h"

/* --- vars */

static void test_equal_sets_are_one(void **state)
{
	struct vars_table t = {0};
	struct vars *a = vars_empty(&t), *b = vars_empty(&t), *c;

	a = vars_with(a, STR("TimeZone"), STR("UTC"));
	a = vars_with(a, STR("DateStyle"), STR("ISO"));
	b = vars_with(b, STR("DateStyle"), STR("German"));
	b = vars_with(b, STR("TimeZone"), STR("UTC"));
	assert_ptr_not_equal(a, b);
	b = vars_with(b, STR("DateStyle"), STR("ISO"));
	assert_ptr_equal(a, b);
	c = vars_with(vars_ref(a), STR("TimeZone"), STR("CET"));
	assert_true(str_is(vars_get(a, "TimeZone"), "UTC"));
	assert_true(str_is(vars_get(c, "TimeZone"), "CET"));
	assert_null(vars_get(c, "Time").p);
	vars_drop(a);
	vars_drop(b);
	vars_drop(c);
	assert_int_equal(t.sets.n, 0);
	map_done(&t.sets);
}

/* --- replies */

static int dropped;
static void count(void *arg, struct reply *gone)
{
	dropped++;
}

static void push(struct replies *r, enum reply_kind kind)
{
	replies_push(r, (struct reply){.kind = (uint8_t)kind});
}

static void test_an_error_takes_all_up_to_the_sync(void **state)
{
	struct replies r = {0};

	dropped = 0;
	push(&r, REPLY_PARSE);
	push(&r, REPLY_BIND);
	push(&r, REPLY_EXECUTE);
	push(&r, REPLY_SYNC);
	push(&r, REPLY_QUERY);
	assert_int_equal(r.ready, 2);
	assert_true(replies_ends(replies_head(&r), '1'));
	assert_false(replies_ends(replies_head(&r), 'Z'));
	replies_pop(&r);
	replies_error(&r, count, NULL);
	assert_int_equal(dropped, 2);
	assert_int_equal(replies_head(&r)->kind, REPLY_SYNC);
	replies_error(&r, count, NULL); /* of the sync itself: a deferred constraint */
	assert_int_equal(dropped, 2);
	replies_pop(&r);
	replies_error(&r, count, NULL); /* of a query: its ReadyForQuery still comes */
	assert_int_equal(r.n, 1);
	replies_done(&r);
}

static void test_what_is_sent_after_an_error_has_no_answer_until_the_sync(void **state)
{
	struct replies r = {0};

	dropped = 0;
	push(&r, REPLY_PARSE);
	replies_error(&r, count, NULL); /* told by a Flush, before the Sync */
	push(&r, REPLY_BIND);
	push(&r, REPLY_EXECUTE);
	assert_int_equal(r.n, 0);
	push(&r, REPLY_SYNC);
	push(&r, REPLY_PARSE);
	assert_int_equal(r.n, 2);
	replies_done(&r);
}

static void test_the_ring_keeps_its_order_as_it_grows(void **state)
{
	struct replies r = {0};
	unsigned in = 0, out = 0;

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 7; i++)
			push(&r, (enum reply_kind)(in++ % 7));
		for (int i = 0; i < 5; i++) {
			assert_int_equal(replies_head(&r)->kind, out++ % 7);
			replies_pop(&r);
		}
	}
	assert_int_equal(r.n, in - out);
	replies_done(&r);
}

/* --- custom */

static void assert_custom(const char *sql, const char *want, bool are_known)
{
	struct buf names = {0};

	assert_int_equal(custom_note(str_of(sql), &names), are_known);
	for (size_t i = 0; i + 1 < names.n; i++)
		if (!names.p[i])
			names.p[i] = ' ';
	if (strcmp(want, names.n ? names.p : "") != 0)
		fail_msg("%s gave '%s'", sql, names.n ? names.p : "");
	buf_done(&names);
}

static void test_names_of_custom_parameters_are_read_from_sql(void **state)
{
	assert_custom("set my.x to 'a'", "my.x", true);
	assert_custom("SET SESSION My.Tenant = 4; set work_mem to 1", "my.tenant", true);
	assert_custom("set \"my.x\" to 1", "my.x", true);
	assert_custom("set \"my x.y\" to 1", "", false);
	assert_custom("set local my.x to 1", "", true);
	assert_custom("select set_config('app.user', $1, false)", "app.user", true);
	assert_custom("select pg_catalog.set_config( 'app.user' , 'x', true)", "app.user", true);
	assert_custom("select set_config($1, $2, false)", "", false);
	assert_custom("update t set a = 1; select reset.x from offset.y", "", true);
	assert_custom("set a.b=1;set a.b=2;set c.d=1", "a.b c.d", true);
	assert_custom("set", "", true);
	assert_custom("set ", "", true);
	assert_custom("set \"", "", false);
	assert_custom("select set_config(", "", false);
}

/* --- loss */

static enum loss loss_by(const char *sql, bool is_in_transaction, bool has_answered)
{
	struct buf b = {0};
	struct stmts none = {0};
	struct loss_view v = {
		.is_in_transaction = is_in_transaction,
		.is_at_work = sql != NULL,
		.has_answered = has_answered,
		.is_whole = true,
		.stmts = &none};
	enum loss l;

	if (sql)
		pgw_put_query(&b, str_of(sql));
	v.batch = buf_view(&b);
	l = loss_of(&v);
	buf_done(&b);
	return l;
}

static void test_a_client_is_told_the_truth_of_what_it_lost(void **state)
{
	assert_int_equal(loss_by(NULL, false, false), LOSS_NOTHING);
	assert_int_equal(loss_by(NULL, true, false), LOSS_OWED);
	assert_int_equal(loss_by("select a from t", false, false), LOSS_AGAIN);
	assert_int_equal(loss_by("select a from t", false, true), LOSS_ROLLED_BACK);
	assert_int_equal(loss_by("select nextval('s')", false, false), LOSS_UNKNOWN);
	assert_int_equal(loss_by("insert into t values (1)", false, false), LOSS_UNKNOWN);
	assert_int_equal(loss_by("insert into t values (1)", true, false), LOSS_ROLLED_BACK);
	assert_int_equal(loss_by("commit", true, false), LOSS_UNKNOWN);
	assert_int_equal(loss_by("insert into t values (1); end", true, true), LOSS_UNKNOWN);
	assert_int_equal(
		loss_by("begin; insert into t values (1); commit", false, false), LOSS_UNKNOWN);
}

static void test_a_bound_statement_is_known_by_its_text(void **state)
{
	struct stmt_table t = {0};
	struct stmts names = {0};
	struct stmt *read = stmt_intern(&t, STR("select a from t where b = $1"), STR("\0\0"));
	struct buf b = {0};
	struct loss_view v = {.is_at_work = true, .is_whole = true, .stmts = &names};

	pgw_put_bind(&b, STR(""), STR("s1"), &(struct str){"1", 1}, 1);
	pgw_put_execute(&b, STR(""), 0);
	pgw_put_sync(&b);
	v.batch = buf_view(&b);
	assert_int_equal(loss_of(&v), LOSS_UNKNOWN); /* nobody knows s1 */
	stmts_put(&names, STR("s1"), read);
	assert_int_equal(loss_of(&v), LOSS_AGAIN);
	v.is_whole = false;
	assert_int_equal(loss_of(&v), LOSS_UNKNOWN);
	stmts_done(&names);
	stmt_drop(read);
	assert_int_equal(t.texts.n, 0);
	map_done(&t.texts);
	buf_done(&b);
}

/* --- carry */

static void row(struct carry *c, const char *a, const char *b, const char *v, const char *x)
{
	struct buf out = {0};
	struct pgw_msg m;
	size_t used;

	pgw_put_row(&out, (struct str[]){str_of(a), str_of(b), str_of(v), str_of(x)}, 4);
	assert_int_equal(pgw_next(buf_view(&out), 1 << 20, &m, &used), PGW_MSG);
	carry_note(c, &m);
	buf_done(&out);
}

static void test_a_state_is_given_back_settings_first(void **state)
{
	struct carry *c = carry_new();
	struct stmts none = {0};
	struct replies r = {0};
	struct buf out = {0};
	struct str rest;
	struct pgw_msg m;
	char types[64] = {0};
	size_t used, n = 0;

	row(c, "l", "a \"channel\"", NULL, NULL);
	row(c, "p", "s1", "select $1", "23,25");
	row(c, "s", "work_mem", "4096", NULL);
	assert_int_equal(c->settings, 1);
	assert_int_equal(c->statements, 1);
	assert_int_equal(c->channels, 1);
	carry_replay(c, &none, &r, &out);
	for (rest = buf_view(&out); pgw_next(rest, 1 << 20, &m, &used) == PGW_MSG;
	     rest.p += used, rest.n -= used) {
		types[n++] = m.type;
		if (n == 4) { /* the statement */
			struct str name, query, oids;

			assert_true(pgw_parse_read(m.body, &name, &query, &oids));
			assert_true(str_is(name, "s1"));
			assert_true(str_eq(oids, (struct str){"\0\2\0\0\0\27\0\0\0\31", 10}));
		}
		if (n == 5)
			assert_non_null(
				memmem(m.body.p, m.body.n, "LISTEN \"a \"\"channel\"\"\"", 22));
	}
	assert_string_equal(types, "PBEPPBES");
	assert_int_equal(r.n, 8);
	assert_int_equal(r.ready, 1);
	carry_free(c);
	replies_done(&r);
	buf_done(&out);
}

static void test_what_cannot_be_carried_is_named(void **state)
{
	struct carry *c = carry_new();

	row(c, "o", "temporary tables", "basket", NULL);
	assert_string_equal(c->obstacle, "temporary tables (basket)");
	assert_true(carry_is_empty(c));
	carry_free(c);
}

/* --- route */

static const char a_route[] =
	"{'name':'a.b','epoch':3,'mode':'transaction','databases':['b','more'],'tls':'allow',"
	"'members':[{'name':'b-1','host':'127.0.0.1','port':1,'role':'primary'},"
	"{'name':'b-2','host':'127.0.0.1','port':2,'role':'standby','lagBytes':9,'tls':'off'},"
	"{'name':'b-3','host':'127.0.0.1','port':3,'role':'standby'},"
	"{'name':'b-4','host':'127.0.0.1','port':4,'role':'standby','lagBytes':10}],"
	"'pool':{'maxLagBytes':10},'roles':[{'name':'app','verifiers':[]}]}";

static void test_a_route_is_read(void **state)
{
	CLEANUP(jv_drop) json_t *v = value_of(a_route);
	struct route *r;
	struct err e = {0};

	assert_int_equal(route_read(v, &r, &e), ERR_OK);
	assert_int_equal(r->mode, ROUTE_TRANSACTION);
	assert_string_equal(route_primary(r)->name, "b-1");
	assert_int_equal(route_primary(r)->tls, ROUTE_VERIFY_CA);
	for (unsigned i = 0; i < 4; i++) /* b-3 has not said how far it is behind */
		assert_string_equal(route_standby(r, i)->name, i % 2 ? "b-4" : "b-2");
	assert_string_equal(route_dbname(r, STR("")), "b");
	assert_string_equal(route_dbname(r, STR("more")), "more");
	assert_null(route_dbname(r, STR("other")));
	assert_non_null(route_role(r, STR("app")));
	assert_null(route_role(r, STR("ap")));
	assert_int_equal(r->pool.size, 20);
	assert_string_equal(r->pool.reset, "DISCARD ALL");
	assert_null(r->hold.id);
	route_free(r);
}

static void test_a_route_that_is_wrong_says_where(void **state)
{
	static const char *const wrong[][2] = {
		{"{}", "a route has no name"},
		{"{'name':'a'}", "databases"},
		{"{'name':'a','databases':['x'],'mode':'statement'}", "mode"},
		{"{'name':'a','databases':['x'],'members':[{'name':'m','host':'h','port':65536}]}",
		 "port"},
		{"{'name':'a','databases':['x'],'roles':[{'name':'r','verifiers':['md5']}]}",
		 "role 'r'"},
		{"{'name':'a','databases':['x'],'hold':{}}", "hold"},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		CLEANUP(jv_drop) json_t *v = value_of(wrong[i][0]);
		struct route *r = NULL;
		struct err e = {0};

		assert_int_not_equal(route_read(v, &r, &e), ERR_OK);
		if (!strstr(e.text, wrong[i][1]))
			fail_msg("%s: %s", wrong[i][0], e.text);
		assert_null(r);
	}
}

static void assert_place(const char *said, const char *route, const char *dbname, bool is_ro)
{
	struct route_place p = route_place(str_of(said));

	assert_true(str_is(p.route, route));
	assert_true(
		p.dbname.n == strlen(dbname) &&
		!memcmp(p.dbname.p ? p.dbname.p : "", dbname, p.dbname.n));
	assert_int_equal(p.is_read_only, is_ro);
}

static void test_a_name_says_which_database_and_endpoint(void **state)
{
	assert_place("team-prod.orders", "team-prod.orders", "", false);
	assert_place("team-prod.orders-ro", "team-prod.orders", "", true);
	assert_place("team.orders-ro/more", "team.orders", "more", true);
	assert_place("team.orders/more-ro", "team.orders", "more-ro", false);
	assert_place("", "", "", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_sets_are_one),
		cmocka_unit_test(test_an_error_takes_all_up_to_the_sync),
		cmocka_unit_test(test_what_is_sent_after_an_error_has_no_answer_until_the_sync),
		cmocka_unit_test(test_the_ring_keeps_its_order_as_it_grows),
		cmocka_unit_test(test_names_of_custom_parameters_are_read_from_sql),
		cmocka_unit_test(test_a_client_is_told_the_truth_of_what_it_lost),
		cmocka_unit_test(test_a_bound_statement_is_known_by_its_text),
		cmocka_unit_test(test_a_state_is_given_back_settings_first),
		cmocka_unit_test(test_what_cannot_be_carried_is_named),
		cmocka_unit_test(test_a_route_is_read),
		cmocka_unit_test(test_a_route_that_is_wrong_says_where),
		cmocka_unit_test(test_a_name_says_which_database_and_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
