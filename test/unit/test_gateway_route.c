/* What a gateway is told of a Database: kinds/gateway_route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kinds/gateway.h"
#include "kinds/gateway_route.h"
#include "kinds/kinds.h"

static struct arena arena;

static int setup(void **state)
{
	struct err e = {0};

	(void)state;
	return kinds_init(&e) ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

/* JSON with ' for ". */
static json_t *parse(const char *text)
{
	char *copy = arena_strdup(&arena, text);
	struct err e = {0};
	json_t *v = NULL;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	if (jv_parse(str_of(copy), 1 << 20, &v, &e))
		fail_msg("%s in %s", e.text, copy);
	return v;
}

struct scene {
	json_t *database, *members, *verifiers, *lags;
};

static struct scene scene_new(void)
{
	return (struct scene){
		.database = parse(
			"{'apiVersion':'slipway.dev/"
			"v1','kind':'Database','metadata':{'name':'orders',"
			"'namespace':'payments-prod','resourceVersion':'40','labels':{'a':'b'}},"
			"'spec':{'tier':'flexible','version':'15','size':'medium','storage':'10Gi',"
			"'databases':[{'name':'orders','owner':'app'},{'name':'reporting'}],"
			"'roles':[{'name':'app','login':true,'connectionLimit':-1},"
			"{'name':'web','connectionLimit':7},{'name':'readers','login':false}]},"
			"'status':{'primary':'orders-1','epoch':3,'syncSet':['orders-2']}}"),
		.members = parse(
			"[{'metadata':{'name':'orders-1'},'spec':{'role':'primary'},'status':{"
			"'state':'Running','address':'127.0.1.1','port':5433}},"
			"{'metadata':{'name':'orders-2'},'spec':{'role':'standby'},'status':{"
			"'state':'Running','address':'127.0.2.1','port':5434}}]"),
		.verifiers = parse("{'app':['SCRAM-SHA-256$1'],'web':['SCRAM-SHA-256$2',"
				   "'SCRAM-SHA-256$3']}"),
		.lags = parse("{'orders-2':7}"),
	};
}

static void scene_done(struct scene *s)
{
	json_decref(s->database);
	json_decref(s->members);
	json_decref(s->verifiers);
	json_decref(s->lags);
}

static json_t *route(const struct scene *s)
{
	const struct gateway_route_in in = {
		.database = s->database,
		.members = s->members,
		.verifiers = s->verifiers,
		.lags = s->lags,
		.revision = 4711,
	};

	return gateway_route(&in);
}

static void a_route_says_all_that_a_gateway_must_know(void **state)
{
	struct scene s = scene_new();
	json_t *r = route(&s);
	json_t *want = parse(
		"{'name':'payments-prod.orders','revision':4711,'epoch':3,'mode':'session',"
		"'databases':['orders','reporting'],'tls':'require','pool':{'size':20,'reserve':5,"
		"'reserveAfterMs':1000,'queueMs':10000,'min':0,'lifetimeS':3600,'idleS':600,"
		"'reset':'DISCARD ALL','clients':1000,'clientIdleS':0,'maxLagBytes':16777216},"
		"'members':[{'name':'orders-1','host':'127.0.1.1','port':5433,'role':'primary',"
		"'tls':'verify-ca','lagBytes':0},{'name':'orders-2','host':'127.0.2.1','port':5434,"
		"'role':'standby','tls':'verify-ca','lagBytes':7}],'roles':[{'name':'app',"
		"'verifiers':['SCRAM-SHA-256$1'],'connections':-1},{'name':'web','verifiers':["
		"'SCRAM-SHA-256$2','SCRAM-SHA-256$3'],'connections':7}],'server':{'auth':'cert'},"
		"'readOnly':{'fallback':'none'}}");

	(void)state;
	if (!json_equal(r, want))
		fail_msg("%s", jv_text(&arena, r).p);
	json_decref(want);
	json_decref(r);
	scene_done(&s);
}

/* Whoever keeps digests gets the same as who keeps all. */
static void a_digest_gives_the_same_route(void **state)
{
	struct scene s = scene_new();
	json_t *full = route(&s), *list = json_array(), *one, *r;
	size_t i;

	(void)state;
	one = gateway_route_database_digest(s.database);
	assert_null(jv_at(one, "metadata.labels"));
	assert_null(jv_at(one, "status.syncSet"));
	json_decref(s.database);
	s.database = one;
	json_array_foreach (s.members, i, one)
		json_array_append_new(list, gateway_route_member_digest(one));
	json_decref(s.members);
	s.members = list;
	r = route(&s);
	assert_true(json_equal(r, full));
	json_decref(r);
	json_decref(full);
	scene_done(&s);
}

static void the_database_s_row_alone_says_who_is_the_primary(void **state)
{
	struct scene s = scene_new();
	json_t *r;

	(void)state;
	jv_set_str(s.database, "status.primary", "orders-2");
	jv_set(s.database, "status.epoch", json_integer(4));
	r = route(&s);
	assert_int_equal(jv_int(r, "epoch", 0), 4);
	assert_string_equal(jv_str(r, "members.0.role"), "standby");
	assert_null(jv_at(r, "members.0.lagBytes")); /* nobody knows it yet */
	assert_string_equal(jv_str(r, "members.1.role"), "primary");
	json_decref(r);
	scene_done(&s);
}

static void only_standbys_that_run_are_in_it(void **state)
{
	struct scene s = scene_new();
	json_t *r;

	(void)state;
	jv_set_str(s.members, "0.status.state", "Stopped");
	jv_set_str(s.members, "1.status.state", "Copying");
	r = route(&s);
	assert_int_equal(json_array_size(jv_at(r, "members")), 1);
	assert_string_equal(jv_str(r, "members.0.name"), "orders-1");
	json_decref(r);
	jv_set_str(s.members, "0.metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
	jv_set_str(s.members, "1.status.state", "Running");
	r = route(&s);
	assert_int_equal(json_array_size(jv_at(r, "members")), 1);
	assert_string_equal(jv_str(r, "members.0.name"), "orders-2");
	json_decref(r);
	scene_done(&s);
}

static void what_the_spec_says_counts(void **state)
{
	struct scene s = scene_new();
	json_t *r;

	(void)state;
	jv_set(s.database, "spec.gateway",
	       parse("{'mode':'transaction','tls':'allow','clients':5,'pool':{'size':3,'min':1,"
		     "'lifetimeSeconds':9},'readOnly':{'fallback':'primary'}}"));
	r = route(&s);
	assert_string_equal(jv_str(r, "mode"), "transaction");
	assert_string_equal(jv_str(r, "tls"), "allow");
	assert_int_equal(jv_int(r, "pool.clients", 0), 5);
	assert_int_equal(jv_int(r, "pool.size", 0), 3);
	assert_int_equal(jv_int(r, "pool.min", 0), 1);
	assert_int_equal(jv_int(r, "pool.lifetimeS", 0), 9);
	assert_int_equal(jv_int(r, "pool.reserve", 0), 5);
	assert_string_equal(jv_str(r, "readOnly.fallback"), "primary");
	json_decref(r);
	scene_done(&s);
}

static void a_default_pool_fits_a_small_server(void **state)
{
	struct scene s = scene_new();
	json_t *r;

	(void)state;
	jv_set_str(s.database, "spec.parameters.max_connections", "15");
	r = route(&s);
	assert_int_equal(jv_int(r, "pool.size", 0), 7);
	json_decref(r);
	jv_set_str(s.database, "spec.parameters.max_connections", "5");
	r = route(&s);
	assert_int_equal(jv_int(r, "pool.size", 0), 1);
	json_decref(r);
	scene_done(&s);
}

static void a_hold_is_in_the_route_as_long_as_it_lasts(void **state)
{
	struct scene s = scene_new();
	json_t *r = route(&s), *want;

	(void)state;
	assert_null(jv_at(r, "hold"));
	json_decref(r);
	jv_set(s.database, "status.hold",
	       parse("{'id':'7','drainMs':5000,'onDrain':'refuse','asked':'now','since':'now'}"));
	r = route(&s);
	want = parse("{'id':'7','drainMs':5000,'onDrain':'refuse'}");
	assert_true(json_equal(jv_at(r, "hold"), want));
	json_decref(want);
	json_decref(r);
	scene_done(&s);
}

static void a_role_without_a_verifier_lets_nobody_in(void **state)
{
	struct scene s = scene_new();
	json_t *r;

	(void)state;
	json_object_del(s.verifiers, "web");
	r = route(&s);
	assert_int_equal(json_array_size(jv_at(r, "roles.1.verifiers")), 0);
	assert_int_equal(json_array_size(jv_at(r, "roles")), 2);
	json_decref(r);
	scene_done(&s);
}

static void an_address_is_a_host_and_a_port(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
	} cases[] = {
		{"127.0.0.1:6432", "127.0.0.1", 6432},
		{"gw.example.com:1", "gw.example.com", 1},
		{"[::1]:65535", "::1", 65535},
		{"127.0.0.1", NULL, 0},
		{"127.0.0.1:", NULL, 0},
		{"127.0.0.1:0", NULL, 0},
		{"127.0.0.1:65536", NULL, 0},
		{":6432", NULL, 0},
		{"::1:6432", NULL, 0},
		{"[::1:6432", NULL, 0},
		{"a b:6432", NULL, 0},
		{"a@b:6432", NULL, 0},
		{"a/b:6432", NULL, 0},
		{"", NULL, 0},
	};
	char host[GATEWAY_HOST_MAX];
	int port;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (gateway_address(cases[i].text, host, &port) != (cases[i].host != NULL))
			fail_msg("%s", cases[i].text);
		if (!cases[i].host)
			continue;
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_says_all_that_a_gateway_must_know),
		cmocka_unit_test(a_digest_gives_the_same_route),
		cmocka_unit_test(the_database_s_row_alone_says_who_is_the_primary),
		cmocka_unit_test(only_standbys_that_run_are_in_it),
		cmocka_unit_test(what_the_spec_says_counts),
		cmocka_unit_test(a_default_pool_fits_a_small_server),
		cmocka_unit_test(a_hold_is_in_the_route_as_long_as_it_lasts),
		cmocka_unit_test(an_address_is_a_host_and_a_port),
		cmocka_unit_test(a_role_without_a_verifier_lets_nobody_in),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
