#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { US = 1000000 };

static int64_t now_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * US + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

static struct tm utc_of(int64_t wall_us)
{
	time_t s = (time_t)(wall_us / US);
	struct tm tm;

	gmtime_r(&s, &tm);
	return tm;
}

const char *clock_text(int64_t wall_us, char ret[CLOCK_TEXT])
{
	struct tm tm = utc_of(wall_us);
	size_t n = strftime(ret, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(ret + n, CLOCK_TEXT - n, ".%03dZ", (int)(wall_us % US / 1000));
	return ret;
}

const char *clock_text_s(int64_t wall_us, char ret[CLOCK_TEXT])
{
	struct tm tm = utc_of(wall_us);

	strftime(ret, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return ret;
}

/* Takes exactly n digits off s. */
static bool cut_digits(struct str *s, size_t n, int *ret)
{
	uint64_t v;

	if (s->n < n || !str_to_u64((struct str){s->p, n}, &v))
		return false;
	s->p += n;
	s->n -= n;
	*ret = (int)v;
	return true;
}

static bool cut_fraction(struct str *s, int64_t *ret_us)
{
	int64_t unit = US / 10;
	size_t digits = 0;

	*ret_us = 0;
	if (!str_cut_prefix(s, "."))
		return true;
	for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; s->p++, s->n--, unit /= 10, digits++)
		*ret_us += (s->p[0] - '0') * unit;
	return digits > 0 && digits <= 9;
}

static bool cut_offset(struct str *s, int *ret_s)
{
	bool is_west;
	int h, m;

	*ret_s = 0;
	if (str_cut_prefix(s, "Z") || str_cut_prefix(s, "z"))
		return true;
	is_west = str_starts(*s, "-");
	if (!str_cut_prefix(s, "-") && !str_cut_prefix(s, "+"))
		return false;
	if (!cut_digits(s, 2, &h) || !str_cut_prefix(s, ":") || !cut_digits(s, 2, &m))
		return false;
	*ret_s = (h * 3600 + m * 60) * (is_west ? -1 : 1);
	return h < 24 && m < 60;
}

enum err_code clock_parse(struct str in, int64_t *ret_wall_us, struct err *e)
{
	struct str s = in;
	struct tm tm = {0};
	int64_t fraction;
	int offset;

	if (!cut_digits(&s, 4, &tm.tm_year) || !str_cut_prefix(&s, "-") ||
	    !cut_digits(&s, 2, &tm.tm_mon) || !str_cut_prefix(&s, "-") ||
	    !cut_digits(&s, 2, &tm.tm_mday) ||
	    (!str_cut_prefix(&s, "T") && !str_cut_prefix(&s, " ")) ||
	    !cut_digits(&s, 2, &tm.tm_hour) || !str_cut_prefix(&s, ":") ||
	    !cut_digits(&s, 2, &tm.tm_min) || !str_cut_prefix(&s, ":") ||
	    !cut_digits(&s, 2, &tm.tm_sec) || !cut_fraction(&s, &fraction) ||
	    !cut_offset(&s, &offset) || s.n)
		return err_set(
			e, ERR_INVALID,
			"'" STR_FMT "' is no time: want one like 2026-11-24T09:00:00Z",
			STR_ARG(in));
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return err_set(
			e, ERR_INVALID, "'" STR_FMT "' is no time that a clock shows", STR_ARG(in));
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret_wall_us = ((int64_t)timegm(&tm) - offset) * US + fraction;
	return ERR_OK;
}

const char *clock_age(int64_t us, char ret[CLOCK_TEXT])
{
	long long s = us > 0 ? us / US : 0;

	if (s < 120)
		snprintf(ret, CLOCK_TEXT, "%llds", s);
	else if (s < 600 && s % 60)
		snprintf(ret, CLOCK_TEXT, "%lldm%llds", s / 60, s % 60);
	else if (s < 3 * 3600)
		snprintf(ret, CLOCK_TEXT, "%lldm", s / 60);
	else if (s < 8 * 3600 && s % 3600 >= 60)
		snprintf(ret, CLOCK_TEXT, "%lldh%lldm", s / 3600, s % 3600 / 60);
	else if (s < 48 * 3600)
		snprintf(ret, CLOCK_TEXT, "%lldh", s / 3600);
	else
		snprintf(ret, CLOCK_TEXT, "%lldd", s / 86400);
	return ret;
}
