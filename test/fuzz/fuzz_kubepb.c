/* A body in Kubernetes' protocol buffers: what is read is an object whose text can be read again.
 */
#include "api/kubepb.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	json_t *o = NULL, *again = NULL;
	struct buf text = {0};
	struct err e = {0};

	if (kubepb_read((struct str){(const char *)data, n}, &o, &e)) {
		assert(!o && e.text[0]);
		return 0;
	}
	jv_print(&text, o, false);
	if (!jv_parse(buf_view(&text), SIZE_MAX, &again, &e))
		assert(json_equal(o, again));
	json_decref(again);
	json_decref(o);
	buf_done(&text);
	return 0;
}
