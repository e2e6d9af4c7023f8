#include "codec/columns.h"

#include "codec/utf8.h"

/* C0, DEL, C1, separators of lines, and the controls of "Trojan Source" (CVE-2021-42574). */
static bool is_obeyed(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
		(c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

const char *columns_clean(struct arena *a, struct str text)
{
	char *out = arena_alloc(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0, bytes; i < text.n; i += MAX(bytes, (size_t)1)) {
		uint32_t c;

		bytes = utf8_next((struct str){text.p + i, text.n - i}, &c);
		if (!bytes || is_obeyed(c)) {
			out[n++] = '?';
			continue;
		}
		memcpy(out + n, text.p + i, bytes);
		n += bytes;
	}
	return out;
}

size_t columns_width(const char *text)
{
	struct str s = str_of(text);
	size_t width = 0, bytes;
	uint32_t c;

	while ((bytes = utf8_next(s, &c)) != 0) {
		width += (size_t)utf8_cells(c);
		s.p += bytes;
		s.n -= bytes;
	}
	return width;
}

void columns_fit(struct columns *c, const char *const *row)
{
	for (size_t i = 0; i < COLUMNS_MAX && row[i]; i++) {
		size_t width = columns_width(row[i]);

		c->widths[i] = MAX(c->widths[i], width);
	}
}

void columns_print(struct buf *out, const struct columns *c, const char *const *row)
{
	for (size_t i = 0; i < COLUMNS_MAX && row[i]; i++) {
		buf_puts(out, row[i]);
		if (i + 1 == COLUMNS_MAX || !row[i + 1])
			break;
		for (size_t at = columns_width(row[i]); at < c->widths[i] + COLUMNS_GAP; at++)
			buf_putc(out, ' ');
	}
	buf_putc(out, '\n');
}
