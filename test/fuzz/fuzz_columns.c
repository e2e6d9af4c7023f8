/* Any bytes become clean text: UTF-8 in one line, which cleaning leaves alone, at its width. */
#include "codec/columns.h"
#include "codec/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(buf_done) struct buf out = {0};
	const char *text = columns_clean(&a, (struct str){(const char *)data, n});
	const char *row[] = {text, "end", NULL};
	struct str rest = str_of(text);
	struct columns c = {0};
	size_t bytes;
	uint32_t ch;

	assert(rest.n <= n && !strcmp(columns_clean(&a, rest), text));
	while (rest.n) {
		bytes = utf8_next(rest, &ch);
		assert(bytes && ch >= 0x20);
		rest = (struct str){rest.p + bytes, rest.n - bytes};
	}
	columns_fit(&c, row);
	assert(c.widths[0] == columns_width(text) && c.widths[0] <= n * 2);
	columns_print(&out, &c, row);
	assert(out.n == strlen(text) + COLUMNS_GAP + 4);
	return 0;
}
