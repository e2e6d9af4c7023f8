/* What control/plan_access promises: a role's Secrets, and their rotation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/secret.h"
#include "codec/scram.h"
#include "control_scene.h"

static void every_credential_has_what_cloudnativepg_has(void **state)
{
	static const char *const keys[] = {"uri",      "host",     "port",     "dbname", "user",
					   "password", "username", "jdbc-uri", "ca.crt"};
	struct world w;
	json_t *data;
	struct arena a = {0};
	struct str uri;

	(void)state;
	make_flexible(&w, "{'tier':'flexible'}");
	data = jv_at(world_get(&w, "Secret", "orders-app"), "data");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_non_null(json_object_get(data, keys[i]));
	assert_int_equal(
		secret_unbase64(
			&a, str_of(json_string_value(json_object_get(data, "uri"))), &uri, NULL),
		ERR_OK);
	assert_true(str_starts(uri, "postgresql://app:"));
	assert_true(str_ends(
		uri,
		"@127.0.1.1:5433,127.0.1.1:5434/orders?target_session_attrs=read-write&"
		"sslmode=require"));
	assert_int_equal(
		secret_unbase64(
			&a, str_of(json_string_value(json_object_get(data, "password"))), &uri,
			NULL),
		ERR_OK);
	assert_true(uri.n >= 24);
	arena_done(&a);
	world_done(&w);
}

static const char *annotation(struct world *w, const char *secret, const char *key)
{
	const char *text = json_string_value(json_object_get(
		jv_at(world_get(w, "Secret", secret), "metadata.annotations"), key));

	return text ? text : "-";
}

static void
annotate(struct world *w, const char *kind, const char *name, const char *key, const char *value)
{
	json_t *o = json_deep_copy(world_get(w, kind, name));

	json_object_set_new(jv_object_at(o, "metadata.annotations"), key, json_string(value));
	world_write(w, STORE_UPDATE, kind, name, o);
}

static json_t *data_of(struct world *w, const char *secret, const char *key)
{
	return json_incref(json_object_get(jv_at(world_get(w, "Secret", secret), "data"), key));
}

static bool is_still(struct world *w, const char *secret, const char *key, const json_t *value)
{
	CLEANUP(jv_drop) json_t *now = data_of(w, secret, key);

	return now == value || json_equal(now, value);
}

/* Else a gateway that knows both could take only one: it shows the salt before it hears more. */
static void assert_same_salt(const json_t *one, const json_t *other)
{
	struct arena a = {0};
	struct scram v[2];

	for (int i = 0; i < 2; i++) {
		struct str text;

		assert_int_equal(
			secret_unbase64(
				&a, str_of(json_string_value(i ? other : one)), &text, NULL),
			ERR_OK);
		assert_int_equal(scram_parse(text, &v[i], NULL), ERR_OK);
	}
	assert_int_equal(v[0].iterations, v[1].iterations);
	assert_int_equal(v[0].salt_n, v[1].salt_n);
	assert_memory_equal(v[0].salt, v[1].salt, v[0].salt_n);
	assert_memory_not_equal(v[0].stored_key, v[1].stored_key, SCRAM_KEY);
	arena_done(&a);
}

static void a_rotated_password_takes_over_when_it_is_fetched(void **state)
{
	struct world w;
	CLEANUP(jv_drop) json_t *password = NULL;
	CLEANUP(jv_drop) json_t *verifier = NULL;
	CLEANUP(jv_drop) json_t *next = NULL;

	(void)state;
	make_single(&w, "{}");
	password = data_of(&w, "orders-app", "password");
	verifier = data_of(&w, "orders-app-verifier", "verifier");
	annotate(&w, "Database", "orders", "slipway.dev/rotate-credentials", "one");
	world_reconcile(&w);
	assert_string_equal(annotation(&w, "orders-app", "slipway.dev/rotation"), "pending");
	assert_false(is_still(&w, "orders-app", "password", password));
	assert_true(is_still(&w, "orders-app-verifier", "verifier", verifier));
	assert_true(w.wake_at_us == w.now_us + INT64_C(3600000000));
	next = data_of(&w, "orders-app-verifier", "next");
	assert_non_null(next);
	assert_same_salt(verifier, next);
	world_reconcile(&w);
	assert_true(is_still(&w, "orders-app-verifier", "next", next));
	annotate(&w, "Secret", "orders-app", "slipway.dev/rotation", "fetched");
	world_reconcile(&w);
	assert_false(is_still(&w, "orders-app-verifier", "verifier", verifier));
	assert_true(is_still(&w, "orders-app-verifier", "verifier", next));
	assert_true(is_still(&w, "orders-app-verifier", "next", NULL));
	assert_string_equal(annotation(&w, "orders-app", "slipway.dev/rotation"), "fetched");
	assert_int_equal(
		jv_int(world_get(&w, "Member", "orders-1"), "spec.roles.0.credential", 0), 2);
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_string_equal(annotation(&w, "orders-app", "slipway.dev/rotation"), "-");
	world_done(&w);
}

static void a_rotated_password_takes_over_after_an_hour(void **state)
{
	struct world w;
	CLEANUP(jv_drop) json_t *verifier = NULL;

	(void)state;
	make_single(&w, "{}");
	verifier = data_of(&w, "orders-app-verifier", "verifier");
	annotate(&w, "Database", "orders", "slipway.dev/rotate-credentials", "one");
	world_reconcile(&w);
	w.now_us += INT64_C(3599000000);
	world_reconcile(&w);
	assert_true(is_still(&w, "orders-app-verifier", "verifier", verifier));
	w.now_us += INT64_C(1000000);
	world_reconcile(&w);
	assert_false(is_still(&w, "orders-app-verifier", "verifier", verifier));
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_string_equal(annotation(&w, "orders-app", "slipway.dev/rotation"), "-");
	world_done(&w);
}

static void somebody_elses_secret_is_left_alone(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	world_create(
		&w,
		world_json("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'orders-app',"
			   "'namespace':'shop'},'data':{'x':'eA=='}}"));
	world_database(&w, "{}");
	world_reconcile(&w);
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_condition(
		&w, "Ready",
		"False SecretTaken: Secret orders-app is there already and is not this database's: "
		"delete it, or name the role app otherwise");
	assert_int_equal(json_object_size(jv_at(world_get(&w, "Secret", "orders-app"), "data")), 1);
	world_delete(&w, "Secret", "orders-app");
	world_reconcile(&w);
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_condition(&w, "Ready", "True Ready: Running in zone-a");
	world_done(&w);
}

static void a_role_that_goes_takes_its_secrets_along(void **state)
{
	struct world w;

	(void)state;
	make_single(&w, "{'roles':[{'name':'app'},{'name':'read_only','inRoles':['app']}]}");
	assert_non_null(world_get(&w, "Secret", "orders-read-only"));
	world_change(&w, "{'roles':[{'name':'app'}]}");
	world_reconcile(&w);
	assert_null(world_get(&w, "Secret", "orders-read-only"));
	assert_null(world_get(&w, "Secret", "orders-read-only-verifier"));
	assert_condition(
		&w, "Ready", "False Roles: Changing databases and roles on orders-1 in zone-a");
	obeys(&w, "orders-1", 5433);
	world_reconcile(&w);
	assert_condition(&w, "Ready", "True Ready: Running in zone-a");
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_credential_has_what_cloudnativepg_has),
		cmocka_unit_test(a_rotated_password_takes_over_when_it_is_fetched),
		cmocka_unit_test(a_rotated_password_takes_over_after_an_hour),
		cmocka_unit_test(somebody_elses_secret_is_left_alone),
		cmocka_unit_test(a_role_that_goes_takes_its_secrets_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
