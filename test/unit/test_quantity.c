/* What codec/quantity promises: bytes as Kubernetes reads and writes them. */
#include "codec/quantity.h"
#include "codec_test.h"

static void quantities_become_bytes(void **state)
{
	static const struct {
		const char *in;
		uint64_t bytes;
	} cases[] = {
		{"0", 0},
		{"1024", 1024},
		{"+7", 7},
		{"10Gi", UINT64_C(10) << 30},
		{"1.5Gi", UINT64_C(3) << 29},
		{".5Ki", 512},
		{"5.Ki", 5120},
		{"500M", 500000000},
		{"7k", 7000},
		{"2e9", 2000000000},
		{"2E9", 2000000000},
		{"2E", UINT64_C(2000000000000000000)},
		{"7Ei", UINT64_C(7) << 60},
		{"15e-1", 2},
		{"1500m", 2},
		{"1n", 1},
		{"0.1", 1},
		{"0.0000000001", 1},
		{"0.3Ki", 308},
		{"9223372036854775807", INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t bytes = 99;
		struct err e = {0};

		if (quantity_parse(str_of(cases[i].in), &bytes, &e))
			fail_msg("%s: %s", cases[i].in, e.text);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void what_is_none_or_too_much_is_refused(void **state)
{
	static const struct {
		const char *in;
		enum err_code code;
	} cases[] = {
		{"", ERR_INVALID},
		{"Gi", ERR_INVALID},
		{".", ERR_INVALID},
		{"-1", ERR_INVALID},
		{"1 Gi", ERR_INVALID},
		{"1GiB", ERR_INVALID},
		{"1.2.3", ERR_INVALID},
		{"1KB", ERR_INVALID},
		{"1e", ERR_INVALID},
		{"1e1.5", ERR_INVALID},
		{"1e99", ERR_INVALID},
		{"0x10", ERR_INVALID},
		{"ten", ERR_INVALID},
		{"++1", ERR_INVALID},
		{"8Ei", ERR_LIMIT},
		{"10E", ERR_LIMIT},
		{"9223372036854775808", ERR_LIMIT},
		{"99999999999999999999", ERR_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t bytes = 99;
		struct err e = {0};
		enum err_code code = quantity_parse(str_of(cases[i].in), &bytes, &e);

		if (code != cases[i].code)
			fail_msg("'%s': %d", cases[i].in, code);
		assert_int_equal(bytes, 99);
	}
}

static void text_has_the_largest_unit_that_is_exact(void **state)
{
	char text[QUANTITY_TEXT];

	(void)state;
	assert_string_equal(quantity_text(0, text), "0");
	assert_string_equal(quantity_text(1000, text), "1000");
	assert_string_equal(quantity_text(1024, text), "1Ki");
	assert_string_equal(quantity_text(UINT64_C(3) << 29, text), "1536Mi");
	assert_string_equal(quantity_text(UINT64_C(10) << 30, text), "10Gi");
	assert_string_equal(quantity_text(UINT64_C(1) << 63, text), "8Ei");
	assert_string_equal(quantity_text(UINT64_MAX, text), "18446744073709551615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantities_become_bytes),
		cmocka_unit_test(what_is_none_or_too_much_is_refused),
		cmocka_unit_test(text_has_the_largest_unit_that_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
