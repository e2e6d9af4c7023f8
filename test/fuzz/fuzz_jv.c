/* What is read can be written and read again as the same value, compact, pretty and sorted. */
#include "codec/jv.h"
#include "fuzz.h"

static json_t *again(struct str text)
{
	json_t *v = NULL;
	struct err e;

	assert(!jv_parse(text, SIZE_MAX, &v, &e));
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = {0};
	CLEANUP(buf_done) struct buf pretty = {0};
	json_t *v, *compact, *sorted, *indented;
	struct err e;

	if (jv_parse((struct str){(const char *)data, n}, 1 << 16, &v, &e)) {
		assert(e.code && e.text[0]);
		return 0;
	}
	assert(jv_depth(v) <= JV_DEPTH_MAX);
	compact = again(jv_text(&a, v));
	sorted = again(jv_text_sorted(&a, v));
	jv_print(&pretty, v, true);
	indented = again(buf_view(&pretty));
	assert(json_equal(v, compact) && json_equal(v, sorted) && json_equal(v, indented));
	assert(str_eq(jv_text(&a, v), jv_text(&a, compact)));
	assert(str_eq(jv_text_sorted(&a, v), jv_text_sorted(&a, sorted)));
	assert(!strcmp(jv_hash(&a, v), jv_hash(&a, sorted)));
	json_decref(v);
	json_decref(compact);
	json_decref(sorted);
	json_decref(indented);
	arena_done(&a);
	return 0;
}
