/* The gist of any text: taken twice it is the same, and what fits a report stays within it. */
#include "api/gist.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = {(const char *)data, n};
	CLEANUP(jv_drop) json_t *v = NULL;
	struct gist a, b;

	if (!gist_take(text, &a))
		return 0;
	assert(gist_take(text, &b) && a.hash == b.hash && a.n == b.n);
	assert(a.n <= GIST_MEMBERS_MAX);
	for (size_t i = 0; i < a.n; i++)
		assert(strlen(a.live[i].lsn) < GIST_LSN);
	if (!jv_parse(text, n, &v, NULL) && gist_fits(&a, v))
		assert(json_array_size(json_object_get(v, "members")) == a.n);
	return 0;
}
