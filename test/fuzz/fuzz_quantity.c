/* What is read as a quantity is written so that it is read as the same. */
#include "codec/quantity.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t bytes, again;
	char text[QUANTITY_TEXT];
	struct err e;

	if (quantity_parse((struct str){(const char *)data, n}, &bytes, &e))
		return 0;
	assert(bytes <= INT64_MAX);
	assert(!quantity_parse(str_of(quantity_text(bytes, text)), &again, &e) && again == bytes);
	return 0;
}
