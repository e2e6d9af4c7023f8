#include "codec/quantity.h"

#include <stdio.h>

/* Products of a fraction of nine digits and a unit need more than 64 bits. */
typedef unsigned __int128 wide_t;

enum { FRACTION_DIGITS = 9, EXPONENT_MAX = 18 };

static const uint64_t fraction_unit = 1000000000; /* 10^FRACTION_DIGITS */

struct unit {
	const char *suffix;
	uint64_t times, divided_by;
};

/* Longer suffixes before those that they end in. */
static const struct unit units[] = {
	{"Ki", UINT64_C(1) << 10, 1},
	{"Mi", UINT64_C(1) << 20, 1},
	{"Gi", UINT64_C(1) << 30, 1},
	{"Ti", UINT64_C(1) << 40, 1},
	{"Pi", UINT64_C(1) << 50, 1},
	{"Ei", UINT64_C(1) << 60, 1},
	{"k", UINT64_C(1000), 1},
	{"M", UINT64_C(1000000), 1},
	{"G", UINT64_C(1000000000), 1},
	{"T", UINT64_C(1000000000000), 1},
	{"P", UINT64_C(1000000000000000), 1},
	{"E", UINT64_C(1000000000000000000), 1},
	{"m", 1, 1000},
	{"u", 1, 1000000},
	{"n", 1, 1000000000},
};

/* e3, E-2, at the end of s. */
static bool cut_exponent(struct str *s, struct unit *ret)
{
	size_t at = 0;
	struct str digits;
	uint64_t exponent, power = 1;
	bool is_negative;

	while (at < s->n && s->p[at] != 'e' && s->p[at] != 'E')
		at++;
	if (at == s->n)
		return false;
	digits = (struct str){s->p + at + 1, s->n - at - 1};
	is_negative = str_cut_prefix(&digits, "-");
	if (!is_negative)
		str_cut_prefix(&digits, "+");
	if (!str_to_u64(digits, &exponent) || exponent > EXPONENT_MAX)
		return false;
	while (exponent--)
		power *= 10;
	s->n = at;
	*ret = (struct unit){NULL, is_negative ? 1 : power, is_negative ? power : 1};
	return true;
}

static struct unit cut_unit(struct str *s)
{
	struct unit u = {NULL, 1, 1};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_cut_suffix(s, units[i].suffix))
			return units[i];
	cut_exponent(s, &u);
	return u;
}

/* Nine digits behind the point; one more when there was anything behind those. */
static bool fraction_parse(struct str s, uint64_t *ret)
{
	uint64_t v = 0, unit = fraction_unit / 10;
	bool is_more = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v += unit * (uint64_t)(s.p[i] - '0');
		is_more = is_more || (!unit && s.p[i] != '0');
		unit /= 10;
	}
	*ret = v + is_more;
	return true;
}

static enum err_code refuse(struct err *e, struct str in)
{
	return err_set(
		e, ERR_INVALID, "'%.*s' is no quantity such as 500Mi or 10Gi",
		(int)MIN(in.n, (size_t)QUANTITY_TEXT), in.n ? in.p : "");
}

enum err_code quantity_parse(struct str in, uint64_t *ret_bytes, struct err *e)
{
	struct str s = in, rest, part;
	uint64_t whole = 0, fraction = 0;
	struct unit u;
	wide_t v;

	str_cut_prefix(&s, "+");
	u = cut_unit(&s);
	rest = s;
	if (!str_split(&rest, '.', &part) || part.n + rest.n == 0)
		return refuse(e, in);
	if ((part.n && !str_to_u64(part, &whole)) || !fraction_parse(rest, &fraction))
		return refuse(e, in);
	v = (wide_t)fraction * u.times;
	v = (v + fraction_unit - 1) / fraction_unit + (wide_t)whole * u.times;
	v = (v + u.divided_by - 1) / u.divided_by;
	if (v > INT64_MAX)
		return err_set(
			e, ERR_LIMIT, "'%.*s' is over 2^63 - 1 bytes",
			(int)MIN(in.n, (size_t)QUANTITY_TEXT), in.p);
	*ret_bytes = (uint64_t)v;
	return ERR_OK;
}

const char *quantity_text(uint64_t bytes, char ret[QUANTITY_TEXT])
{
	static const char *const suffixes[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
	size_t i = 0;

	while (bytes && bytes % 1024 == 0 && i + 1 < ARRAY_LEN(suffixes)) {
		bytes /= 1024;
		i++;
	}
	snprintf(ret, QUANTITY_TEXT, "%llu%s", (unsigned long long)bytes, suffixes[i]);
	return ret;
}
