/* Two texts, a schema and a value: checks leave the value alone; filling in and taking out are done
 * once and for all. */
#include "codec/schema.h"
#include "fuzz.h"

static void try(const struct schema *s, json_t *v)
{
	struct arena a = {0};
	struct schema_causes causes = {.arena = &a};
	const char *hash = jv_hash(&a, v);

	schema_check(s, v, &causes);
	assert(!strcmp(hash, jv_hash(&a, v)));
	schema_default(s, v);
	hash = jv_hash(&a, v);
	schema_default(s, v);
	assert(!strcmp(hash, jv_hash(&a, v)));

	schema_prune(s, v, NULL);
	hash = jv_hash(&a, v);
	causes.n = 0;
	schema_prune(s, v, &causes);
	assert(!causes.n && !strcmp(hash, jv_hash(&a, v)));
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = {(const char *)data, n}, first = fuzz_cut(&rest);
	CLEANUP(jv_drop) json_t *doc = NULL;
	CLEANUP(jv_drop) json_t *v = NULL;
	struct schema *s;
	struct err e;

	if (n > 1 << 14 || jv_parse(first, n, &doc, &e) || jv_parse(rest, n, &v, &e))
		return 0;
	if (schema_load(doc, &s, &e))
		return 0;
	try(s, v);
	schema_free(s);
	return 0;
}
