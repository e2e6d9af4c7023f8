/* What is read, from YAML or JSON, can be written and read again as the same value. */
#include "codec/yaml.h"
#include "fuzz.h"

static void round_trip(const json_t *v)
{
	CLEANUP(buf_done) struct buf b = {0};
	CLEANUP(jv_drop) json_t *docs = NULL;
	struct err e;

	if (json_is_null(v))
		return; /* an empty document */
	yaml_print(&b, v);
	assert(!yaml_parse(buf_view(&b), b.n, &docs, &e));
	assert(json_array_size(docs) == 1 && json_equal(json_array_get(docs, 0), v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = {(const char *)data, n};
	CLEANUP(jv_drop) json_t *docs = NULL;
	CLEANUP(jv_drop) json_t *v = NULL;
	struct err e;
	const json_t *doc;
	size_t i;

	if (!jv_parse(in, 1 << 14, &v, &e))
		round_trip(v);
	if (yaml_parse(in, 1 << 14, &docs, &e)) {
		assert(e.text[0]);
		return 0;
	}
	json_array_foreach (docs, i, doc) {
		assert(jv_depth(doc) <= JV_DEPTH_MAX);
		round_trip(doc);
	}
	return 0;
}
