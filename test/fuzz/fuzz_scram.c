/* A verifier that is read holds what it says; a password and a salt make one that checks. */
#include "codec/scram.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = {(const char *)data, n}, rest = in, password = fuzz_cut(&rest);
	CLEANUP(arena_done) struct arena a = {0};
	const char *verifier = scram_verifier(&a, password, rest, 3);
	struct scram s;
	struct err e;

	if (!scram_parse(in, &s, &e))
		assert(s.iterations > 0 && s.salt_n > 0 && s.salt_n <= SCRAM_SALT_MAX);
	if (!verifier)
		return 0;
	assert(!scram_parse(str_of(verifier), &s, &e));
	assert(str_eq((struct str){(const char *)s.salt, s.salt_n}, rest) && s.iterations == 3);
	assert(scram_check(str_of(verifier), password));
	return 0;
}
