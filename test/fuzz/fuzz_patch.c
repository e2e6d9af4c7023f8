/* Two texts, a value and another: as patches of each kind, and the difference between them. */
#include "codec/patch.h"
#include "fuzz.h"

typedef enum err_code patch_fn(const json_t *, const json_t *, json_t **, struct err *);

static void try(patch_fn *patch, const json_t *value, const json_t *doc)
{
	json_t *ret = NULL;
	struct err e;

	if (patch(value, doc, &ret, &e)) {
		assert(!ret && e.text[0]);
		return;
	}
	assert(jv_depth(ret) <= JV_DEPTH_MAX);
	json_decref(ret);
}

/* Takes nulls out of objects: a merge patch cannot set them. */
static void drop_nulls(json_t *v)
{
	const char *name;
	json_t *item;
	void *next;
	size_t i;

	json_object_foreach_safe(v, next, name, item)
	{
		drop_nulls(item);
		if (json_is_null(item))
			json_object_del(v, name);
	}
	json_array_foreach (v, i, item)
		drop_nulls(item);
}

static void difference(const json_t *from, json_t *to)
{
	CLEANUP(jv_drop) json_t *patch = NULL;
	CLEANUP(jv_drop) json_t *ret = NULL;
	struct err e;

	drop_nulls(to);
	patch = patch_diff(from, to);
	if (!patch || !json_is_object(from) || !json_is_object(to))
		return;
	assert(!patch_merge(from, patch, &ret, &e));
	assert(json_equal(ret, to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = {(const char *)data, n}, first = fuzz_cut(&rest);
	CLEANUP(jv_drop) json_t *value = NULL;
	CLEANUP(jv_drop) json_t *doc = NULL;
	struct err e;

	if (n > 1 << 14 || jv_parse(first, n, &value, &e) || jv_parse(rest, n, &doc, &e))
		return 0;
	try(patch_merge, value, doc);
	try(patch_json, value, doc);
	try(patch_strategic, value, doc);
	difference(value, doc);
	return 0;
}
