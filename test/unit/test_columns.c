/* What codec/columns and codec/utf8 promise: aligned text that does nothing to a terminal. */
#include "codec/columns.h"
#include "codec/utf8.h"
#include "codec_test.h"

static void columns_stand_three_spaces_apart(void **state)
{
	static const char *const rows[][4] = {
		{"NAME", "STATUS", "AGE", NULL},
		{"orders", "Ready", "5m", NULL},
		{"a-longer-name", "", "12d", NULL},
		{"short", NULL},
	};
	struct columns c = {0};
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		columns_fit(&c, rows[i]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		columns_print(&out, &c, rows[i]);
	assert_string_equal(
		out.p,
		"NAME            STATUS   AGE\n"
		"orders          Ready    5m\n"
		"a-longer-name            12d\n"
		"short\n");
	buf_done(&out);
}

static void width_is_counted_in_cells(void **state)
{
	static const struct {
		const char *text;
		size_t cells;
	} cases[] = {
		{"", 0},
		{"abc", 3},
		{"M\xc3\xbcnchen", 7},
		{"Mu\xcc\x88nchen", 7}, /* u and a combining diaeresis */
		{"\xe6\x9d\xb1\xe4\xba\xac", 4}, /* Tokyo in kanji */
		{"\xea\xb0\x80", 2}, /* Hangul */
		{"\xf0\x9f\x90\x98", 2}, /* an elephant */
		{"\xe2\x9c\x85 ok", 5}, /* a check mark */
		{"\xe2\x80\x8b", 0}, /* zero width space */
		{"\xe2\x82\xac", 1}, /* euro */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(columns_width(cases[i].text), cases[i].cells);
}

static void what_a_terminal_would_obey_becomes_a_question_mark(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} cases[] = {
		{{"plain \xc3\xa9", 8}, "plain \xc3\xa9"},
		{{"\x1b[31mred\x07", 9}, "?[31mred?"},
		{{"two\nlines\t", 10}, "two?lines?"},
		{{"nul\0byte\x7f", 9}, "nul?byte?"},
		{{"\xc2\x9b"
		  "31m",
		  5},
		 "?31m"}, /* C1: CSI */
		{{"a\xe2\x80\xae"
		  "b\xe2\x81\xa6",
		  8},
		 "a?b?"}, /* overrides of direction */
		{{"\xff\xc3", 2}, "??"},
		{{"\xed\xa0\x80", 3}, "???"}, /* a surrogate */
		{{"\xc0\xaf", 2}, "??"}, /* overlong */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_done) struct arena a = {0};

		assert_string_equal(columns_clean(&a, cases[i].in), cases[i].out);
	}
}

static void more_columns_than_the_most_are_left_out(void **state)
{
	const char *row[COLUMNS_MAX + 3] = {0};
	struct columns c = {0};
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < COLUMNS_MAX + 2; i++)
		row[i] = "x";
	columns_fit(&c, row);
	columns_print(&out, &c, row);
	assert_int_equal(out.n, COLUMNS_MAX + (COLUMNS_MAX - 1) * COLUMNS_GAP + 1);
	buf_done(&out);
}

/* Each character of Unicode in its own bytes, and no other way to write it. */
static void every_character_is_read_from_its_own_bytes(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		char text[8];
		int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
		uint32_t read = 0;

		for (int i = n - 1, rest = (int)c; i > 0; i--, rest >>= 6)
			text[i] = (char)(0x80 | (rest & 0x3f));
		text[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c >> (6 * (n - 1)));
		assert_int_equal(
			utf8_next((struct str){text, (size_t)n}, &read),
			is_surrogate ? 0 : (size_t)n);
		assert_true(is_surrogate || read == c);
		assert_int_equal(utf8_next((struct str){text, (size_t)n - 1}, &read), 0);
	}
	assert_int_equal(utf8_next(STR("\xf4\x90\x80\x80"), &(uint32_t){0}), 0);
	assert_int_equal(utf8_next(STR("\xe0\x80\xaf"), &(uint32_t){0}), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_stand_three_spaces_apart),
		cmocka_unit_test(width_is_counted_in_cells),
		cmocka_unit_test(what_a_terminal_would_obey_becomes_a_question_mark),
		cmocka_unit_test(more_columns_than_the_most_are_left_out),
		cmocka_unit_test(every_character_is_read_from_its_own_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
