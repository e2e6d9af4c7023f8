/* Two objects, applied and written one over the other: sets add up, what is applied twice changes
 * nothing the second time, and the outcome can be read again. */
#include "codec/fields.h"
#include "codec/fields_set.h"
#include "codec/fields_walk.h"
#include "fuzz.h"

static const char schema_text[] =
	"{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{"
	"\"s\":{\"type\":\"string\"},\"l\":{\"type\":\"array\"},"
	"\"m\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}},"
	"\"set\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"set\"},"
	"\"map\":{\"type\":\"array\",\"x-kubernetes-list-type\":\"map\","
	"\"x-kubernetes-list-map-keys\":[\"k\",\"d\"],\"items\":{\"type\":\"object\","
	"\"required\":[\"k\"],"
	"\"properties\":{\"k\":{\"type\":\"string\"},\"d\":{\"type\":\"integer\",\"default\":1},"
	"\"o\":{\"type\":\"object\",\"properties\":{\"p\":{\"type\":\"string\"}}}}}}}},"
	"\"status\":{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}}}";

static struct schema *schema_make(void)
{
	CLEANUP(jv_drop) json_t *doc = NULL;
	struct schema *s;
	struct err e;

	assert(!jv_parse(str_of(schema_text), SIZE_MAX, &doc, &e));
	assert(!schema_load(doc, &s, &e));
	return s;
}

static void sets_add_up(const struct schema *s, const json_t *a, const json_t *b)
{
	CLEANUP(jv_drop) json_t *of_a = fields_of(s->root, a);
	CLEANUP(jv_drop) json_t *of_b = fields_of(s->root, b);
	CLEANUP(jv_drop) json_t *common = fields_set_common(of_a, of_b);
	CLEANUP(jv_drop) json_t *rest = fields_set_without(of_a, of_b);
	CLEANUP(jv_drop) json_t *sum = fields_set_union(common, rest);
	CLEANUP(jv_drop) json_t *read = NULL;
	struct err e;

	assert(of_a ? json_equal(sum, of_a) : !sum);
	if (!of_a)
		return;
	assert(!fields_set_read(of_a, &read, &e));
	assert(json_equal(read, of_a));
}

static json_t *
apply(const struct schema *s, const json_t *live, const json_t *config, const char *manager)
{
	struct arena a = {0};
	struct fields_conflicts conflicts = {.arena = &a};
	json_t *ret = NULL;
	struct err e;

	assert(!fields_apply(
		s, live, config, live, manager, "x/v1", "", true, "2026-11-24T09:00:00Z", &ret,
		&conflicts, &e));
	arena_done(&a);
	return ret;
}

static bool is_valid(const struct schema *s, const json_t *v)
{
	struct arena a = {0};
	struct schema_causes causes = {.arena = &a};

	schema_check(s, v, &causes);
	arena_done(&a);
	return !causes.n;
}

/* Holds for what the schema lets through: items without keys are known by their places only. */
static void applied_twice(const struct schema *s, const json_t *live, const json_t *config)
{
	CLEANUP(jv_drop) json_t *start = apply(s, NULL, live, "a");
	CLEANUP(jv_drop) json_t *once = apply(s, start, config, "b");
	CLEANUP(jv_drop) json_t *twice = apply(s, once, config, "b");

	assert(!is_valid(s, live) || !is_valid(s, config) || json_equal(once, twice));
}

static void written(const struct schema *s, const json_t *live, const json_t *object)
{
	CLEANUP(jv_drop) json_t *v = json_deep_copy(object);
	CLEANUP(jv_drop) json_t *again = NULL;
	struct arena a = {0};
	struct err e;

	fields_update(s, live, v, "m", "x/v1", "", "2026-11-24T09:00:00Z");
	assert(!jv_parse(jv_text(&a, v), SIZE_MAX, &again, &e));
	fields_update(s, v, again, "n", "x/v1", "", "2026-11-24T10:00:00Z");
	assert(json_equal(v, again));
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct schema *s;
	struct str rest = {(const char *)data, n}, first = fuzz_cut(&rest);
	CLEANUP(jv_drop) json_t *a = NULL;
	CLEANUP(jv_drop) json_t *b = NULL;
	struct err e;

	if (!s)
		s = schema_make();
	if (n > 1 << 13 || jv_parse(first, n, &a, &e) || jv_parse(rest, n, &b, &e) ||
	    !json_is_object(a) || !json_is_object(b))
		return 0;
	sets_add_up(s, a, b);
	applied_twice(s, a, b);
	written(s, a, b);
	return 0;
}
