#include "codec/tz.h"

#include <ctype.h>

enum {
	DAY_S = 86400,
	HOUR_S = 3600,
	HEADER_BYTES = 44,
	TRANSITIONS_MAX = 5000,
	TYPES_MAX = 256,
	TYPE_BYTES = 6,
	OFFSET_MAX_S = 26 * HOUR_S,
};

/* Names. */

bool tz_name_is_ok(const char *name)
{
	bool is_start = true; /* of a part */
	size_t n = strlen(name);

	if (n == 0 || n > TZ_NAME_MAX || !isalpha((unsigned char)name[0]))
		return false;
	for (const char *c = name; *c; c++) {
		bool is_alnum = isalnum((unsigned char)*c);

		if (is_start ? !is_alnum : !is_alnum && !strchr("_+-/", *c))
			return false;
		is_start = *c == '/';
	}
	return !is_start;
}

/* Days. */

/* Days from 1970-01-01 to the first of a month (1 to 12) in the Gregorian calendar. */
static int64_t month_day(int64_t year, int month)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t y = year - (month <= 2);

	/* Leap days up to March of year y, with those up to 1969 taken off. */
	return (year - 1970) * 365 + before[month - 1] + y / 4 - y / 100 + y / 400 - 477;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_length(int64_t year, int month)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return lengths[month - 1] + (month == 2 && is_leap(year));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The year that a day (from 1970) lies in: guessed, then put right. */
static int64_t year_of(int64_t day)
{
	int64_t year = 1970 + floor_div(day, 365);

	while (month_day(year, 1) > day)
		year--;
	while (month_day(year + 1, 1) <= day)
		year++;
	return year;
}

/* The day, from 1970, that a rule names in a year. */
static int64_t rule_day(const struct tz_rule *r, int64_t year)
{
	int64_t first;
	int64_t day;

	if (r->form == TZ_DAY)
		return month_day(year, 1) + r->day;
	if (r->form == TZ_JULIAN)
		return month_day(year, 1) + r->day - 1 + (is_leap(year) && r->day >= 60);
	first = month_day(year, r->month);
	day = ((r->day - (first + 4)) % 7 + 7) % 7 + (r->week - 1) * 7; /* 1970-01-01: day 4 */
	if (day >= month_length(year, r->month))
		day -= 7;
	return first + day;
}

static int32_t rules_offset(const struct tz *z, int64_t utc_s)
{
	int64_t year, begin, end;
	bool is_dst;

	if (!z->has_dst)
		return z->std_offset_s;
	year = year_of(floor_div(utc_s + z->std_offset_s, DAY_S));
	begin = rule_day(&z->begin, year) * DAY_S + z->begin.time_s - z->std_offset_s;
	end = rule_day(&z->end, year) * DAY_S + z->end.time_s - z->dst_offset_s;
	is_dst = begin < end ? utc_s >= begin && utc_s < end : utc_s >= begin || utc_s < end;
	return is_dst ? z->dst_offset_s : z->std_offset_s;
}

struct tz tz_utc(void)
{
	return (struct tz){.has_rules = true};
}

int32_t tz_offset(const struct tz *z, int64_t utc_s)
{
	size_t low = 0, high = z->n; /* the first transition after utc_s lies in low..high */

	if (z->has_rules && (!z->n || utc_s >= z->at_s[z->n - 1]))
		return rules_offset(z, utc_s);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (z->at_s[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? z->offset_s[low - 1] : z->first_offset_s;
}

int64_t tz_instant(const struct tz *z, int64_t local_s)
{
	int32_t before = tz_offset(z, local_s - DAY_S), after = tz_offset(z, local_s + DAY_S);
	int64_t first = local_s - MAX(before, after), second = local_s - MIN(before, after);

	if (first + tz_offset(z, first) == local_s)
		return first;
	if (second + tz_offset(z, second) == local_s)
		return second;
	return local_s - before;
}

/* The rules after the last transition: a POSIX TZ string. */

static bool cut_char(struct str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool cut_number(struct str *s, int min, int max, int *ret)
{
	int v = 0;
	size_t n = 0;

	while (n < s->n && n < 4 && isdigit((unsigned char)s->p[n]))
		v = v * 10 + (s->p[n++] - '0');
	s->p += n;
	s->n -= n;
	*ret = v;
	return n && v >= min && v <= max;
}

/* Three letters or more, or anything in angle brackets. */
static bool cut_name(struct str *s)
{
	size_t n = 0;

	if (cut_char(s, '<')) {
		while (s->n && s->p[0] != '>')
			cut_char(s, s->p[0]);
		return cut_char(s, '>');
	}
	while (n < s->n && isalpha((unsigned char)s->p[n]))
		n++;
	s->p += n;
	s->n -= n;
	return n >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool cut_time(struct str *s, int hours_max, int32_t *ret_s)
{
	bool is_negative = cut_char(s, '-');
	int h, m = 0, sec = 0;

	if (!is_negative)
		cut_char(s, '+');
	if (!cut_number(s, 0, hours_max, &h))
		return false;
	if (cut_char(s, ':') && !cut_number(s, 0, 59, &m))
		return false;
	if (cut_char(s, ':') && !cut_number(s, 0, 59, &sec))
		return false;
	*ret_s = (h * HOUR_S + m * 60 + sec) * (is_negative ? -1 : 1);
	return true;
}

static bool cut_rule(struct str *s, struct tz_rule *ret)
{
	struct tz_rule r = {.form = TZ_DAY, .time_s = 2 * HOUR_S};
	bool is_ok;

	if (!cut_char(s, ','))
		return false;
	if (cut_char(s, 'M')) {
		r.form = TZ_MONTH;
		is_ok = cut_number(s, 1, 12, &r.month) && cut_char(s, '.') &&
			cut_number(s, 1, 5, &r.week) && cut_char(s, '.') &&
			cut_number(s, 0, 6, &r.day);
	} else if (cut_char(s, 'J')) {
		r.form = TZ_JULIAN;
		is_ok = cut_number(s, 1, 365, &r.day);
	} else {
		is_ok = cut_number(s, 0, 365, &r.day);
	}
	if (!is_ok || (cut_char(s, '/') && !cut_time(s, 167, &r.time_s)))
		return false;
	*ret = r;
	return true;
}

/* The string counts west of UTC, as clocks do not. Empty: nothing is known of later times. */
static bool rules_parse(struct str s, struct tz *z)
{
	int32_t west;

	if (!s.n)
		return true;
	if (!cut_name(&s) || !cut_time(&s, 24, &west))
		return false;
	z->has_rules = true;
	z->std_offset_s = -west;
	if (!s.n)
		return true;
	z->has_dst = true;
	if (!cut_name(&s))
		return false;
	west -= HOUR_S;
	if (s.n && s.p[0] != ',' && !cut_time(&s, 24, &west))
		return false;
	z->dst_offset_s = -west;
	return cut_rule(&s, &z->begin) && cut_rule(&s, &z->end) && !s.n;
}

/* The file. */

struct header {
	size_t utc, standard, leaps, times, types, chars; /* counts */
};

static uint64_t be_get(const char *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

/* Takes n bytes off the front. */
static bool cut_bytes(struct str *s, size_t n, const char **ret)
{
	if (s->n < n)
		return false;
	*ret = s->p;
	s->p += n;
	s->n -= n;
	return true;
}

static bool cut_header(struct str *s, struct header *ret)
{
	const char *p;

	if (!str_starts(*s, "TZif") || !cut_bytes(s, HEADER_BYTES, &p) || p[4] < '2')
		return false;
	*ret = (struct header){
		be_get(p + 20, 4), be_get(p + 24, 4), be_get(p + 28, 4),
		be_get(p + 32, 4), be_get(p + 36, 4), be_get(p + 40, 4),
	};
	return ret->utc <= TYPES_MAX && ret->standard <= TYPES_MAX &&
		ret->leaps <= TRANSITIONS_MAX && ret->times <= TRANSITIONS_MAX &&
		ret->types <= TYPES_MAX && ret->chars <= TZ_FILE_MAX;
}

/* What stands behind the types: names, leap seconds, and two lists of flags. */
static size_t rest_bytes(const struct header *h, size_t time_bytes)
{
	return h->chars + h->leaps * (time_bytes + 4) + h->standard + h->utc;
}

static bool offset_get(const char *types, size_t n, size_t type, int32_t *ret)
{
	if (type >= n)
		return false;
	*ret = (int32_t)be_get(types + type * TYPE_BYTES, 4);
	return *ret >= -OFFSET_MAX_S && *ret <= OFFSET_MAX_S;
}

static bool transitions_read(
	struct arena *a, const struct header *h, const char *times, const char *indexes,
	const char *types, struct tz *z)
{
	int64_t *at_s = arena_array(a, int64_t, h->times);
	int32_t *offset_s = arena_array(a, int32_t, h->times);

	for (size_t i = 0; i < h->times; i++) {
		at_s[i] = (int64_t)be_get(times + i * 8, 8);
		if (i && at_s[i] <= at_s[i - 1])
			return false;
		if (!offset_get(types, h->types, (unsigned char)indexes[i], &offset_s[i]))
			return false;
	}
	z->n = h->times;
	z->at_s = at_s;
	z->offset_s = offset_s;
	return offset_get(types, h->types, 0, &z->first_offset_s);
}

/* A block of 32-bit times for old readers, then the one of 64-bit times, then the rules. */
static bool file_read_parts(struct arena *a, struct str s, struct tz *z)
{
	const char *skipped, *times, *indexes, *types;
	struct header h;

	if (!cut_header(&s, &h) ||
	    !cut_bytes(&s, h.times * 5 + h.types * TYPE_BYTES + rest_bytes(&h, 4), &skipped))
		return false;
	if (!cut_header(&s, &h) || !cut_bytes(&s, h.times * 8, &times) ||
	    !cut_bytes(&s, h.times, &indexes) || !cut_bytes(&s, h.types * TYPE_BYTES, &types) ||
	    !cut_bytes(&s, rest_bytes(&h, 8), &skipped))
		return false;
	if (!transitions_read(a, &h, times, indexes, types, z))
		return false;
	return str_cut_prefix(&s, "\n") && str_cut_suffix(&s, "\n") && rules_parse(s, z);
}

enum err_code tz_read(struct arena *a, struct str tzif, struct tz *ret, struct err *e)
{
	struct tz z = {0};

	if (tzif.n > TZ_FILE_MAX || !file_read_parts(a, tzif, &z))
		return err_set(e, ERR_INVALID, "the time zone's file is damaged, or no TZif file");
	*ret = z;
	return ERR_OK;
}
