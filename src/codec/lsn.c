#include "codec/lsn.h"

#include <stdio.h>

enum { HALF_DIGITS_MAX = 8 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool half_parse(struct str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.n || s.n > HALF_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_digit(s.p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (uint64_t)digit;
	}
	*ret = v;
	return true;
}

enum err_code lsn_parse(struct str in, uint64_t *ret, struct err *e)
{
	struct str rest = in, part;
	uint64_t high, low;

	if (!str_split(&rest, '/', &part) || !half_parse(part, &high) || !half_parse(rest, &low))
		return err_set(
			e, ERR_INVALID, "'%.*s' is no WAL position such as 0/16B3748",
			(int)MIN(in.n, (size_t)LSN_TEXT), in.n ? in.p : "");
	*ret = high << 32 | low;
	return ERR_OK;
}

const char *lsn_text(uint64_t lsn, char ret[LSN_TEXT])
{
	snprintf(ret, LSN_TEXT, "%X/%X", (unsigned)(lsn >> 32), (unsigned)(lsn & UINT32_MAX));
	return ret;
}

uint64_t lsn_behind(uint64_t at, uint64_t to)
{
	return to > at ? to - at : 0;
}
