/* What codec/lsn promises: WAL positions as PostgreSQL reads and writes them. */
#include "codec/lsn.h"
#include "codec_test.h"

static void positions_are_written_as_postgresql_writes_them(void **state)
{
	static const struct {
		const char *in, *out;
		uint64_t lsn;
	} cases[] = {
		{"0/0", "0/0", 0},
		{"0/16B3748", "0/16B3748", 0x16b3748},
		{"16/b374d848", "16/B374D848", UINT64_C(0x16b374d848)},
		{"00000001/00000abc", "1/ABC", UINT64_C(0x100000abc)},
		{"FFFFFFFF/FFFFFFFF", "FFFFFFFF/FFFFFFFF", UINT64_MAX},
	};
	char text[LSN_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t lsn = 1;
		struct err e;

		assert_int_equal(lsn_parse(str_of(cases[i].in), &lsn, &e), ERR_OK);
		assert_true(lsn == cases[i].lsn);
		assert_string_equal(lsn_text(lsn, text), cases[i].out);
	}
}

static void what_is_no_position_is_refused(void **state)
{
	static const char *const cases[] = {
		"",    "/",    "0",    "0/",   "/0",    "0/0/0",       "G/0",
		"0/x", " 0/0", "0/0 ", "-1/0", "0x1/0", "123456789/0", "0/123456789",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t lsn = 7;
		struct err e = {0};

		assert_int_equal(lsn_parse(str_of(cases[i]), &lsn, &e), ERR_INVALID);
		assert_true(lsn == 7);
	}
}

static void distance_is_never_below_zero(void **state)
{
	(void)state;
	assert_true(lsn_behind(UINT64_C(0x16b3000000), UINT64_C(0x16b374d848)) == 7657544);
	assert_true(lsn_behind(5, 5) == 0);
	assert_true(lsn_behind(6, 5) == 0);
	assert_true(lsn_behind(0, UINT64_MAX) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_are_written_as_postgresql_writes_them),
		cmocka_unit_test(what_is_no_position_is_refused),
		cmocka_unit_test(distance_is_never_below_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
