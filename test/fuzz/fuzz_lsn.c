/* What is read as a WAL position is written so that it is read as the same. */
#include "codec/lsn.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t lsn, again;
	char text[LSN_TEXT];
	struct err e;

	if (lsn_parse((struct str){(const char *)data, n}, &lsn, &e))
		return 0;
	assert(!lsn_parse(str_of(lsn_text(lsn, text)), &again, &e) && again == lsn);
	assert(strlen(text) <= n);
	return 0;
}
