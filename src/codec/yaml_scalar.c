#include "codec/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const char digits[] = "0123456789";

static bool is_one_of(struct str s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(s, words[i]))
			return true;
	return false;
}

/* Takes the bytes of set off the front and says how many they were. */
static size_t eat(struct str *s, const char *set)
{
	size_t n = 0;

	while (n < s->n && s->p[n] && strchr(set, s->p[n]))
		n++;
	s->p += n;
	s->n -= n;
	return n;
}

static bool eat_one(struct str *s, const char *set)
{
	if (!s->n || !s->p[0] || !strchr(set, s->p[0]))
		return false;
	s->p++;
	s->n--;
	return true;
}

/* [-+]?[0-9]+ */
static bool is_integer(struct str s)
{
	eat_one(&s, "+-");
	return eat(&s, digits) && !s.n;
}

/* 0o[0-7]+ and 0x[0-9a-fA-F]+ */
static bool is_based(struct str s, int *ret_base)
{
	if (str_cut_prefix(&s, "0o")) {
		*ret_base = 8;
		return eat(&s, "01234567") && !s.n;
	}
	*ret_base = 16;
	return str_cut_prefix(&s, "0x") && eat(&s, "0123456789abcdefABCDEF") && !s.n;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_real(struct str s)
{
	size_t whole, fraction = 0;

	eat_one(&s, "+-");
	whole = eat(&s, digits);
	if (eat_one(&s, "."))
		fraction = eat(&s, digits);
	if (!whole && !fraction)
		return false;
	if (eat_one(&s, "eE")) {
		eat_one(&s, "+-");
		if (!eat(&s, digits))
			return false;
	}
	return !s.n;
}

/* [-+]?(\.inf|\.Inf|\.INF) and \.nan|\.NaN|\.NAN */
static bool is_no_finite(struct str s)
{
	static const char *const infinite[] = {".inf", ".Inf", ".INF"};
	static const char *const none[] = {".nan", ".NaN", ".NAN"};

	if (is_one_of(s, none, ARRAY_LEN(none)))
		return true;
	eat_one(&s, "+-");
	return is_one_of(s, infinite, ARRAY_LEN(infinite));
}

static bool is_null(struct str s)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	return is_one_of(s, words, ARRAY_LEN(words));
}

static bool is_true(struct str s)
{
	static const char *const words[] = {"true", "True", "TRUE"};

	return is_one_of(s, words, ARRAY_LEN(words));
}

static bool is_false(struct str s)
{
	static const char *const words[] = {"false", "False", "FALSE"};

	return is_one_of(s, words, ARRAY_LEN(words));
}

static json_t *integer_make(struct str s, int base)
{
	long long v;

	if (base != 10)
		s.p += 2;
	errno = 0;
	v = strtoll(s.p, NULL, base);
	return errno ? NULL : json_integer(v);
}

json_t *yaml_scalar_resolve(struct str s)
{
	int base;

	if (is_null(s))
		return json_null();
	if (is_true(s))
		return json_true();
	if (is_false(s))
		return json_false();
	if (is_integer(s))
		return integer_make(s, 10);
	if (is_based(s, &base))
		return integer_make(s, base);
	if (is_no_finite(s))
		return NULL;
	if (is_real(s))
		return json_real(strtod(s.p, NULL)); /* NULL where it is infinite */
	return json_stringn(s.p, s.n);
}

/* YAML 1.1. */

/* 0x_1, 0b1, 017 */
static bool is_based_1_1(struct str s)
{
	eat_one(&s, "+-");
	return eat_one(&s, "0") && eat_one(&s, "xXbBoO") && eat(&s, "0123456789abcdefABCDEF_") &&
		!s.n;
}

/* 1_000, 1_000.5e+3, 12:30, 1:12:30.5 */
static bool is_number_1_1(struct str s)
{
	bool has_parts = false;

	eat_one(&s, "+-");
	if (!eat(&s, "0123456789_"))
		return false;
	while (eat_one(&s, ":")) {
		has_parts = true;
		if (!eat(&s, digits))
			return false;
	}
	if (eat_one(&s, "."))
		eat(&s, "0123456789_");
	if (!has_parts && eat_one(&s, "eE")) {
		eat_one(&s, "+-");
		eat(&s, digits);
	}
	return !s.n;
}

/* 2026-11-24 and what follows it */
static bool is_date_1_1(struct str s)
{
	return eat(&s, digits) == 4 && eat_one(&s, "-") && eat(&s, digits) && eat_one(&s, "-") &&
		eat(&s, digits);
}

static bool is_word_1_1(struct str s)
{
	static const char *const words[] = {
		"y",  "Y",  "yes", "Yes", "YES", "n",   "N",   "no", "No",
		"NO", "on", "On",  "ON",  "off", "Off", "OFF", "<<", "=",
	};

	return is_one_of(s, words, ARRAY_LEN(words));
}

bool yaml_scalar_is_special(struct str s)
{
	int base;

	return is_null(s) || is_true(s) || is_false(s) || is_integer(s) || is_based(s, &base) ||
		is_no_finite(s) || is_real(s) || is_based_1_1(s) || is_number_1_1(s) ||
		is_date_1_1(s) || is_word_1_1(s);
}
