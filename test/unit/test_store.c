/* What the store promises of objects: verbs, revisions, groups, lists, secrets. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "db/db.h"
#include "pgtest.h"
#include "store/store.h"

static struct pgtest pg;
static struct store *store;
static struct secret_key *key;

static json_t *parse(const char *text)
{
	json_t *v = NULL;
	struct err e;

	if (jv_parse(str_of(text), 1 << 20, &v, &e) != ERR_OK)
		fail_msg("%s: %s", text, e.text);
	return v;
}

/* One write; gives the code, and what is stored now where ret is not NULL. */
static enum err_code
put(enum store_verb verb, const char *name, const char *text, int64_t revision, json_t **ret,
    bool *ret_is_changed)
{
	CLEANUP(jv_drop) json_t *o = text ? parse(text) : NULL;
	struct store_write w = {
		.verb = verb,
		.key = {"Database", "shop", name},
		.object = o,
		.if_revision = revision,
	};
	struct err e = {0};
	enum err_code code = store_write(store, &w, 1, &e);

	assert_int_equal(code, w.code);
	if (code != ERR_OK)
		assert_true(e.text[0]);
	if (ret_is_changed)
		*ret_is_changed = w.is_changed;
	if (ret)
		*ret = w.ret;
	else
		json_decref(w.ret);
	return code;
}

static int64_t revision_of(const json_t *o)
{
	int64_t n = 0;

	str_to_i64(str_of(jv_str(o, "metadata.resourceVersion")), &n);
	return n;
}

#define SPEC(n) "{\"apiVersion\":\"slipway.dev/v1\",\"kind\":\"Database\",\"spec\":{\"n\":" #n "}}"

static void a_created_object_is_read_back_with_what_the_store_owns(void **state)
{
	CLEANUP(jv_drop) json_t *made = NULL;
	CLEANUP(jv_drop) json_t *read = NULL;
	struct err e;

	(void)state;
	assert_int_equal(
		put(STORE_CREATE, "made",
		    "{\"apiVersion\":\"slipway.dev/v1\",\"kind\":\"Database\",\"metadata\":{"
		    "\"name\":\"other\",\"uid\":\"mine\",\"generation\":7,\"resourceVersion\":"
		    "\"9\","
		    "\"deletionTimestamp\":\"2020-01-01T00:00:00Z\",\"labels\":{\"a\":\"b\"}},"
		    "\"spec\":{\"text\":\"\\\"metadata\\\":{ \\u00e4\"},\"status\":{\"ok\":true}}",
		    0, &made, NULL),
		ERR_OK);
	assert_string_equal(jv_str(made, "metadata.name"), "made");
	assert_string_equal(jv_str(made, "metadata.namespace"), "shop");
	assert_int_equal(strlen(jv_str(made, "metadata.uid")), 36);
	assert_int_equal(jv_int(made, "metadata.generation", 0), 1);
	assert_null(jv_at(made, "metadata.deletionTimestamp"));
	assert_non_null(jv_str(made, "metadata.creationTimestamp"));
	assert_true(revision_of(made) > 0);
	assert_true(jv_bool(made, "status.ok", false));
	assert_int_equal(
		store_get(store, (struct store_key){"Database", "shop", "made"}, &read, &e),
		ERR_OK);
	assert_true(json_equal(made, read));
	assert_int_equal(put(STORE_CREATE, "made", SPEC(1), 0, NULL, NULL), ERR_EXISTS);
}

static void each_verb_changes_its_part_only(void **state)
{
	CLEANUP(jv_drop) json_t *a = NULL;
	CLEANUP(jv_drop) json_t *b = NULL;
	CLEANUP(jv_drop) json_t *c = NULL;
	CLEANUP(jv_drop) json_t *d = NULL;
	struct arena arena = {0};
	bool is_changed;

	(void)state;
	assert_int_equal(put(STORE_CREATE, "verbs", SPEC(1), 0, &a, NULL), ERR_OK);
	assert_int_equal(
		put(STORE_STATUS, "verbs", "{\"spec\":{\"n\":5},\"status\":{\"s\":1}}", 0, &b,
		    NULL),
		ERR_OK);
	assert_int_equal(jv_int(b, "spec.n", 0), 1);
	assert_int_equal(jv_int(b, "status.s", 0), 1);
	assert_int_equal(jv_int(b, "metadata.generation", 0), 1);
	assert_true(revision_of(b) > revision_of(a));
	assert_int_equal(
		put(STORE_UPDATE, "verbs",
		    "{\"apiVersion\":\"slipway.dev/v1\",\"kind\":\"Database\",\"metadata\":{"
		    "\"annotations\":{\"x\":\"y\"}},\"spec\":{\"n\":2},\"status\":{\"s\":9}}",
		    revision_of(b), &c, NULL),
		ERR_OK);
	assert_int_equal(jv_int(c, "spec.n", 0), 2);
	assert_int_equal(jv_int(c, "status.s", 0), 1);
	assert_int_equal(jv_int(c, "metadata.generation", 0), 2);
	assert_string_equal(jv_str(c, "metadata.uid"), jv_str(a, "metadata.uid"));
	/* the same again: nothing is written */
	assert_int_equal(
		put(STORE_BOTH, "verbs", jv_text(&arena, c).p, 0, &d, &is_changed), ERR_OK);
	arena_done(&arena);
	assert_false(is_changed);
	assert_true(json_equal(c, d));
	assert_int_equal(
		put(STORE_UPDATE, "verbs", SPEC(3), revision_of(b), NULL, NULL), ERR_CONFLICT);
	assert_int_equal(put(STORE_UPDATE, "nobody", SPEC(3), 0, NULL, NULL), ERR_NOT_FOUND);
	assert_int_equal(put(STORE_DELETE, "nobody", NULL, 0, NULL, NULL), ERR_NOT_FOUND);
}

static void finalizers_hold_a_deletion_until_the_last_has_gone(void **state)
{
	CLEANUP(jv_drop) json_t *marked = NULL;
	CLEANUP(jv_drop) json_t *again = NULL;
	CLEANUP(jv_drop) json_t *gone = NULL;
	json_t *none = NULL;
	bool is_changed;
	struct err e;

	(void)state;
	assert_int_equal(
		put(STORE_CREATE, "held", "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}", 0, NULL,
		    NULL),
		ERR_OK);
	assert_int_equal(put(STORE_DELETE, "held", NULL, 0, &marked, &is_changed), ERR_OK);
	assert_true(is_changed);
	assert_non_null(jv_str(marked, "metadata.deletionTimestamp"));
	assert_int_equal(jv_int(marked, "metadata.generation", 0), 2);
	assert_int_equal(put(STORE_DELETE, "held", NULL, 0, &again, &is_changed), ERR_OK);
	assert_false(is_changed);
	assert_true(json_equal(marked, again));
	/* nobody takes a deletion back */
	assert_int_equal(
		put(STORE_UPDATE, "held", "{\"metadata\":{\"finalizers\":[\"b\"]}}", 0, NULL, NULL),
		ERR_OK);
	assert_int_equal(
		put(STORE_UPDATE, "held", "{\"metadata\":{}}", 0, &gone, &is_changed), ERR_OK);
	assert_true(is_changed);
	assert_non_null(jv_str(gone, "metadata.deletionTimestamp"));
	assert_int_equal(
		store_get(store, (struct store_key){"Database", "shop", "held"}, &none, &e),
		ERR_NOT_FOUND);
	assert_string_equal(e.text, "Database \"shop/held\" not found");
	/* the name is free again, for another uid */
	assert_int_equal(put(STORE_CREATE, "held", SPEC(1), 0, NULL, NULL), ERR_OK);
	assert_int_equal(put(STORE_DELETE, "held", NULL, 0, NULL, NULL), ERR_OK);
}

static void a_group_is_written_all_or_none(void **state)
{
	CLEANUP(jv_drop) json_t *o = parse(SPEC(1));
	struct store_write w[] = {
		{.verb = STORE_CREATE, .key = {"Member", "shop", "g1"}, .object = o},
		{.verb = STORE_CREATE, .key = {"Member", "shop", "g2"}, .object = o},
		{.verb = STORE_UPDATE, .key = {"Member", "shop", "nobody"}, .object = o},
	};
	json_t *none = NULL;
	struct err e;

	(void)state;
	assert_int_equal(store_write(store, w, 3, &e), ERR_NOT_FOUND);
	assert_int_equal(w[0].code, ERR_CONFLICT);
	assert_int_equal(w[1].code, ERR_CONFLICT);
	assert_int_equal(w[2].code, ERR_NOT_FOUND);
	assert_int_equal(store_get(store, w[0].key, &none, &e), ERR_NOT_FOUND);
	assert_int_equal(store_write(store, w, 2, &e), ERR_OK);
	assert_int_equal(revision_of(w[1].ret), revision_of(w[0].ret) + 1);
	json_decref(w[0].ret);
	json_decref(w[1].ret);
	w[2].key = w[1].key;
	w[0].verb = w[1].verb = w[2].verb = STORE_DELETE;
	assert_int_equal(store_write(store, w, 3, &e), ERR_INVALID); /* one object twice */
	assert_int_equal(store_write(store, w, 2, &e), ERR_OK);
	json_decref(w[0].ret);
	json_decref(w[1].ret);
}

enum { WRITERS = 8, ROUNDS = 25 };

static void *count_up(void *arg)
{
	(void)arg;
	for (int done = 0; done < ROUNDS;) {
		CLEANUP(jv_drop) json_t *o = NULL;
		struct store_write w = {
			.verb = STORE_UPDATE, .key = {"Database", "shop", "counter"}};
		struct err e = {0};

		if (store_get(store, w.key, &o, &e) != ERR_OK)
			fail_msg("%s", e.text);
		w.object = o;
		w.if_revision = revision_of(o);
		jv_set(o, "spec.n", json_integer(jv_int(o, "spec.n", 0) + 1));
		if (store_write(store, &w, 1, &e) == ERR_OK)
			done++;
		else if (w.code != ERR_CONFLICT)
			fail_msg("%s", e.text);
		json_decref(w.ret);
	}
	return NULL;
}

static void concurrent_updates_lose_nothing(void **state)
{
	CLEANUP(jv_drop) json_t *o = NULL;
	pthread_t t[WRITERS];
	struct err e;

	(void)state;
	assert_int_equal(put(STORE_CREATE, "counter", SPEC(0), 0, NULL, NULL), ERR_OK);
	for (size_t i = 0; i < WRITERS; i++)
		pthread_create(&t[i], NULL, count_up, NULL);
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(
		store_get(store, (struct store_key){"Database", "shop", "counter"}, &o, &e),
		ERR_OK);
	assert_int_equal(jv_int(o, "spec.n", 0), WRITERS * ROUNDS);
	assert_int_equal(put(STORE_DELETE, "counter", NULL, 0, NULL, NULL), ERR_OK);
}

struct seen {
	char names[256];
	size_t n;
	size_t stop_after;
};

static bool see(void *arg, const char *ns, const char *name, struct str text)
{
	struct seen *s = arg;
	CLEANUP(jv_drop) json_t *o = NULL;
	size_t at = strlen(s->names);

	assert_int_equal(jv_parse(text, text.n, &o, NULL), ERR_OK);
	assert_string_equal(jv_str(o, "metadata.name"), name);
	assert_true(revision_of(o) > 0);
	snprintf(s->names + at, sizeof(s->names) - at, "%s/%s ", ns, name);
	return ++s->n != s->stop_after;
}

static const char *list(const struct store_filter *f, size_t limit, const char *after)
{
	static struct seen s;
	int64_t revision = -1;
	struct err e = {0};

	s = (struct seen){0};
	if (store_list(store, "Host", f, limit, after, see, &s, &revision, &e) != ERR_OK)
		fail_msg("%s", e.text);
	assert_true(revision > 0);
	return s.names;
}

static void lists_are_filtered_ordered_and_paged(void **state)
{
	static const char *const hosts[][3] = {
		{"b", "h1", "{\"metadata\":{\"labels\":{\"zone\":\"one\"}}}"},
		{"a", "h3", "{\"metadata\":{\"labels\":{\"zone\":\"two\",\"x\":\"\"}}}"},
		{"a", "h2", "{\"metadata\":{}}"},
		{"a-b", "h4", "{\"metadata\":{\"labels\":{\"zone\":\"one\"}}}"},
	};
	struct store_filter f = {0};

	(void)state;
	assert_string_equal(list(NULL, 0, NULL), "");
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		CLEANUP(jv_drop) json_t *o = parse(hosts[i][2]);
		struct store_write w = {
			.verb = STORE_CREATE,
			.key = {"Host", hosts[i][0], hosts[i][1]},
			.object = o};

		assert_int_equal(store_write(store, &w, 1, NULL), ERR_OK);
		json_decref(w.ret);
	}
	assert_string_equal(list(NULL, 0, NULL), "a/h2 a/h3 a-b/h4 b/h1 ");
	assert_string_equal(list(NULL, 2, NULL), "a/h2 a/h3 ");
	assert_string_equal(list(NULL, 2, "a/h3"), "a-b/h4 b/h1 ");
	f.ns = "a";
	assert_string_equal(list(&f, 0, NULL), "a/h2 a/h3 ");
	f.name = "h3";
	assert_string_equal(list(&f, 0, NULL), "a/h3 ");
	f = (struct store_filter){
		.labels = parse("[{\"key\":\"zone\",\"op\":\"=\",\"values\":[\"one\"]}]")};
	assert_string_equal(list(&f, 0, NULL), "a-b/h4 b/h1 ");
	assert_string_equal(list(&f, 1, NULL), "a-b/h4 ");
	json_decref(f.labels);
	f.labels = parse("[{\"key\":\"zone\",\"op\":\"!=\",\"values\":[\"one\"]}]");
	assert_string_equal(list(&f, 0, NULL), "a/h2 a/h3 ");
	json_decref(f.labels);
	f.labels = parse("[{\"key\":\"zone\",\"op\":\"in\",\"values\":[\"two\",\"one\"]},"
			 "{\"key\":\"x\",\"op\":\"exists\"}]");
	assert_string_equal(list(&f, 0, NULL), "a/h3 ");
	json_decref(f.labels);
}

static void secrets_are_sealed_in_every_row_and_clear_on_the_way_out(void **state)
{
	CLEANUP(jv_drop)
	json_t *o = parse("{\"apiVersion\":\"v1\",\"kind\":\"Secret\","
			  "\"data\":{\"password\":\"aHVudGVyMg==\"}}");
	CLEANUP(jv_drop) json_t *read = NULL;
	CLEANUP(jv_drop) json_t *all = NULL;
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct store_write w = {.verb = STORE_CREATE, .key = {"Secret", "shop", "s"}, .object = o};
	struct db *d = NULL;
	int64_t revision;
	struct err e;

	(void)state;
	assert_int_equal(store_write(store, &w, 1, &e), ERR_OK);
	assert_string_equal(jv_str(w.ret, "data.password"), "aHVudGVyMg==");
	json_decref(w.ret);
	w.verb = STORE_UPDATE;
	assert_int_equal(store_write(store, &w, 1, &e), ERR_OK);
	assert_false(w.is_changed);
	json_decref(w.ret);
	assert_int_equal(store_get(store, w.key, &read, &e), ERR_OK);
	assert_string_equal(jv_str(read, "data.password"), "aHVudGVyMg==");
	assert_int_equal(store_list_json(store, "Secret", NULL, &all, &revision, &e), ERR_OK);
	assert_string_equal(jv_str(all, "0.data.password"), "aHVudGVyMg==");
	assert_int_equal(db_open(pg.conninfo, 5000, &d, &e), ERR_OK);
	assert_int_equal(
		db_exec(d,
			"SELECT count(*), bool_or(body LIKE '%aHVudGVyMg%') FROM ("
			" SELECT body FROM slipway.object WHERE kind = 'Secret' UNION ALL"
			" SELECT body FROM slipway.change_log WHERE kind = 'Secret') all_rows",
			NULL, 0, &r, &e),
		ERR_OK);
	assert_int_equal(db_int(&r, 0, 0), 2);
	assert_false(db_bool(&r, 0, 1));
	db_close(d);
}

static int begin(void **state)
{
	char path[96];
	struct store_conf c = {.conninfo = pg.conninfo};
	struct err e;

	(void)state;
	snprintf(path, sizeof(path), "%s/key", pg.dir);
	if (secret_key_open(path, &key, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	c.key = key;
	if (store_open(&c, &store, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		return -1;
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_close(store);
	secret_key_free(key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_created_object_is_read_back_with_what_the_store_owns),
		cmocka_unit_test(each_verb_changes_its_part_only),
		cmocka_unit_test(finalizers_hold_a_deletion_until_the_last_has_gone),
		cmocka_unit_test(a_group_is_written_all_or_none),
		cmocka_unit_test(concurrent_updates_lose_nothing),
		cmocka_unit_test(lists_are_filtered_ordered_and_paged),
		cmocka_unit_test(secrets_are_sealed_in_every_row_and_clear_on_the_way_out),
	};
	int failed = 0;

	for (const int *major = pgtest_majors(); *major; major++) {
		pgtest_start(&pg, *major, NULL);
		failed += cmocka_run_group_tests(tests, begin, end);
		pgtest_stop(&pg);
	}
	return failed;
}
