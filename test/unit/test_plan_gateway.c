/* What control/plan_gateway promises: servers let gateways in, Secrets point at them, sessions are
 * held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/secret.h"
#include "control_scene.h"
#include "kinds/cond.h"
#include "kinds/kinds.h"

#define GATEWAY(name, ready, more)                                                                 \
	"{'name':'" name "','isReady':" ready ",'isKnown':true,'address':'" name                   \
	".example:6432','sources':['127.0.6.1']" more "}"
#define HOLD(id, state, parked, active, more)                                                      \
	",'hold':{'name':'shop.orders','id':'" id "','state':'" state "','parked':" parked         \
	",'active':" active more "}"

static void gateways(struct world *w, const char *text)
{
	json_decref(w->gateways);
	w->gateways = world_json(text);
	world_reconcile(w);
}

static const char *clear(struct arena *a, struct world *w, const char *secret, const char *key)
{
	const json_t *data = jv_at(world_get(w, "Secret", secret), "data");
	const char *text = json_string_value(json_object_get(data, key));
	struct str ret;

	if (!text)
		return "-";
	assert_int_equal(secret_unbase64(a, str_of(text), &ret, NULL), ERR_OK);
	return arena_strndup(a, ret.p, ret.n);
}

/* What is behind the password. */
static const char *place(struct arena *a, struct world *w, const char *secret, const char *key)
{
	const char *uri = clear(a, w, secret, key), *at = strchr(uri, '@');

	return at ? at + 1 : uri;
}

static void secrets_point_at_the_gateway_once_there_is_one(void **state)
{
	struct arena a = {0};
	struct world w;

	(void)state;
	make_flexible(
		&w,
		"{'tier':'flexible','databases':[{'name':'orders','owner':'app'},{'name':'more',"
		"'owner':'web'}],'roles':[{'name':'app'},{'name':'web'}]}");
	assert_string_equal(clear(&a, &w, "orders-app", "host"), "127.0.1.1");
	assert_string_equal(clear(&a, &w, "orders-app", "ro-uri"), "-");
	gateways(&w, "[" GATEWAY("gw-a", "true", "") "," GATEWAY("gw-b", "true", "") "]");
	assert_string_equal(clear(&a, &w, "orders-app", "host"), "gw-a.example");
	assert_string_equal(clear(&a, &w, "orders-app", "port"), "6432");
	assert_string_equal(clear(&a, &w, "orders-app", "dbname"), "shop.orders");
	assert_string_equal(
		place(&a, &w, "orders-app", "uri"),
		"gw-a.example:6432,gw-b.example:6432/shop.orders?sslmode=require");
	assert_string_equal(clear(&a, &w, "orders-app", "ro-dbname"), "shop.orders-ro");
	assert_string_equal(
		place(&a, &w, "orders-app", "ro-uri"),
		"gw-a.example:6432,gw-b.example:6432/shop.orders-ro?sslmode=require");
	assert_string_equal(clear(&a, &w, "orders-web", "dbname"), "shop.orders/more");
	assert_string_equal(
		place(&a, &w, "orders-web", "uri"),
		"gw-a.example:6432,gw-b.example:6432/shop.orders%2Fmore?sslmode=require");
	assert_true(str_starts(
		str_of(clear(&a, &w, "orders-web", "ro-jdbc-uri")),
		"jdbc:postgresql://gw-a.example:6432,gw-b.example:6432/shop.orders-ro%2Fmore?"
		"user=web&sslmode=require&password="));
	/* one that is silent is not named, unless all are */
	gateways(&w, "[" GATEWAY("gw-a", "false", "") "," GATEWAY("gw-b", "true", "") "]");
	assert_string_equal(clear(&a, &w, "orders-app", "host"), "gw-b.example");
	gateways(&w, "[" GATEWAY("gw-b", "false", "") "]");
	assert_string_equal(clear(&a, &w, "orders-app", "host"), "gw-b.example");
	gateways(&w, "[]");
	assert_string_equal(clear(&a, &w, "orders-app", "host"), "127.0.1.1");
	assert_string_equal(clear(&a, &w, "orders-app", "dbname"), "orders");
	assert_string_equal(clear(&a, &w, "orders-app", "ro-uri"), "-");
	assert_string_equal(clear(&a, &w, "orders-app", "ro-dbname"), "-");
	world_done(&w);
	arena_done(&a);
}

static void a_single_database_has_no_read_only_endpoint(void **state)
{
	struct arena a = {0};
	struct world w;

	(void)state;
	make_single(&w, "{}");
	gateways(&w, "[" GATEWAY("gw", "true", "") "]");
	assert_string_equal(clear(&a, &w, "orders-app", "dbname"), "shop.orders");
	assert_string_equal(clear(&a, &w, "orders-app", "ro-uri"), "-");
	world_done(&w);
	arena_done(&a);
}

static void servers_let_in_every_gateway_also_a_silent_one(void **state)
{
	struct world w;
	json_t *admitted, *want;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	assert_null(jv_at(world_get(&w, "Member", "orders-1"), "spec.gateways"));
	gateways(&w, "[" GATEWAY("gw-a", "true", "") "," GATEWAY("gw-b", "false", "") "]");
	want = world_json("[{'name':'gw-a','address':'127.0.6.1'},"
			  "{'name':'gw-b','address':'127.0.6.1'}]");
	admitted = jv_at(world_get(&w, "Member", "orders-1"), "spec.gateways");
	assert_true(json_equal(admitted, want));
	admitted = jv_at(world_get(&w, "Member", "orders-2"), "spec.gateways");
	assert_true(json_equal(admitted, want));
	json_decref(want);
	gateways(&w, "[]");
	assert_null(jv_at(world_get(&w, "Member", "orders-1"), "spec.gateways"));
	world_done(&w);
}

/* Holding. */

static void ask(struct world *w, const char *value)
{
	json_t *o = json_deep_copy(world_get(w, "Database", "orders"));
	json_t *notes = jv_object_at(o, "metadata.annotations");

	if (value)
		json_object_set_new(notes, "slipway.dev/hold", json_string(value));
	else
		json_object_del(notes, "slipway.dev/hold");
	world_write(w, STORE_UPDATE, "Database", "orders", o);
	world_reconcile(w);
}

static void a_hold_is_held_when_every_gateway_that_is_heard_says_so(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{}");
	gateways(&w, "[" GATEWAY("a", "true", "") "," GATEWAY("b", "true", "") "]");
	assert_null(cond_get(world_get(&w, "Database", "orders"), "Held"));
	ask(&w, "{\"drainMs\":9000,\"onDrain\":\"refuse\",\"asked\":\"now\"}");
	assert_string_equal(text_at(&w, "Database", "orders", "status.hold.id"), "1");
	assert_string_equal(text_at(&w, "Database", "orders", "status.hold.onDrain"), "refuse");
	assert_int_equal(
		jv_int(world_get(&w, "Database", "orders"), "status.hold.drainMs", 0), 9000);
	assert_condition(
		&w, "Held",
		"False Holding: 0 of its sessions wait, 0 are at work; 0 of 2 gateways hold it");
	gateways(
		&w,
		"[" GATEWAY("a", "true", HOLD("1", "held", "3", "0", "")) "," GATEWAY(
			"b", "true",
			HOLD("1", "holding", "12", "1",
			     ",'stuckCount':1,'stuck':[{'client':'17','user':'app',"
			     "'application':'psql','reason':'temporary tables'}]")) "]");
	assert_condition(
		&w, "Held",
		"False Holding: 15 of its sessions wait, 1 are at work; 1 of 2 gateways hold it; "
		"1 cannot be moved: app (psql): temporary tables");
	gateways(
		&w,
		"[" GATEWAY("a", "true", HOLD("1", "held", "3", "0", "")) "," GATEWAY(
			"b", "true", HOLD("1", "held", "12", "0", "")) "]");
	assert_condition(&w, "Held", "True Held: All its sessions wait: 15 on 2 gateways");
	assert_string_equal(w.event, "Held");
	ask(&w, NULL);
	assert_condition(&w, "Held", "False Resumed: Its sessions go on");
	assert_null(jv_at(world_get(&w, "Database", "orders"), "status.hold"));
	/* what they said of the last one does not count for the next */
	ask(&w, "{\"asked\":\"later\"}");
	assert_string_equal(text_at(&w, "Database", "orders", "status.hold.id"), "2");
	assert_condition(
		&w, "Held",
		"False Holding: 0 of its sessions wait, 0 are at work; 0 of 2 gateways hold it");
	world_done(&w);
}

static void a_silent_gateway_is_named_and_nobody_waits_for_it(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{}");
	ask(&w, "{}");
	assert_condition(
		&w, "Held", "False NoGateway: No gateway is heard that could hold its sessions");
	gateways(
		&w,
		"[" GATEWAY("a", "true", HOLD("1", "held", "3", "0", "")) "," GATEWAY(
			"b", "false", HOLD("1", "held", "1", "0", "")) "]");
	assert_condition(
		&w, "Held",
		"True Held: All its sessions wait: 3 on 1 gateway; nothing is known of gateway b, "
		"which is silent");
	world_done(&w);
}

static void one_gateway_that_refuses_is_enough(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{}");
	ask(&w, "{}");
	gateways(
		&w,
		"[" GATEWAY("a", "true", HOLD("1", "held", "3", "0", "")) "," GATEWAY(
			"b", "true",
			HOLD("1", "refused", "1", "0",
			     ",'stuckCount':1,'stuck':[{'user':'app','reason':'open COPY'}]")) "]");
	assert_condition(
		&w, "Held",
		"False Refused: Gateway b gave up after the drain limit, and its sessions go on; "
		"1 cannot be moved: app: open COPY");
	assert_string_equal(w.event, "Refused");
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_point_at_the_gateway_once_there_is_one),
		cmocka_unit_test(a_single_database_has_no_read_only_endpoint),
		cmocka_unit_test(servers_let_in_every_gateway_also_a_silent_one),
		cmocka_unit_test(a_hold_is_held_when_every_gateway_that_is_heard_says_so),
		cmocka_unit_test(a_silent_gateway_is_named_and_nobody_waits_for_it),
		cmocka_unit_test(one_gateway_that_refuses_is_enough),
	};
	struct err e;

	return kinds_init(&e) ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
