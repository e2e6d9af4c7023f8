/* What each fuzzer defines. It returns 0 and aborts when a promise is broken. */
#ifndef SLIPWAY_TEST_FUZZ_H
#define SLIPWAY_TEST_FUZZ_H

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Cuts the input at its first zero byte: for fuzzers of two texts. */
static inline struct str fuzz_cut(struct str *rest)
{
	struct str first;

	if (!str_split(rest, '\0', &first) || !rest->p)
		*rest = STR("");
	return first;
}

#endif
