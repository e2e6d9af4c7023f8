/* A label selector, and a field selector of events: what is parsed matches or not, and never fails.
 */
#include "api/selector.h"
#include "fuzz.h"

static void labels(struct str text)
{
	CLEANUP(jv_drop) json_t *o = json_pack("{s:{s:{s:s}}}", "metadata", "labels", "a", "1");
	json_t *terms = NULL, *numeric;
	struct err e = {0};
	bool takes;

	if (selector_labels(text, &terms, &e)) {
		assert(!terms && e.text[0]);
		return;
	}
	takes = selector_labels_match(terms, o);
	numeric = selector_take_numeric(terms);
	assert(takes == (selector_labels_match(terms, o) && selector_labels_match(numeric, o)));
	json_decref(numeric);
	json_decref(terms);
}

static void fields(struct str text)
{
	CLEANUP(jv_drop) json_t *o = json_pack("{s:s}", "type", "Normal");
	json_t *terms = NULL;
	struct err e = {0};

	if (selector_fields(kind_by_name("Event"), text, &terms, &e)) {
		assert(!terms && e.text[0]);
		return;
	}
	(void)selector_fields_match(terms, o);
	json_decref(terms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = {(const char *)data, n};
	struct str first = fuzz_cut(&rest);

	if (kinds_init(NULL))
		return 0;
	labels(first);
	fields(rest);
	return 0;
}
