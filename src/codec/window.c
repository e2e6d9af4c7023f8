#include "codec/window.h"

#include <stdio.h>
#include <time.h>

#include "codec/tz.h"

enum { DAY_S = 86400, US = 1000000, HOURS_MAX = 24, EVERY_DAY = 0x7f };

/* As the week begins for struct tm. */
static const char *const day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct window {
	struct tz zone;
	const char *zone_name;
	unsigned days; /* bits by day_names */
	int64_t start_s; /* after midnight */
	int64_t length_s;
};

const char *window_zone(const json_t *window)
{
	const char *name = jv_str_or(window, "timeZone", "UTC");

	return tz_name_is_ok(name) ? name : NULL;
}

static bool day_parse(const char *name, unsigned *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(day_names); i++) {
		if (!strcmp(name, day_names[i])) {
			*ret |= 1u << i;
			return true;
		}
	}
	return false;
}

static bool days_parse(const json_t *list, unsigned *ret)
{
	const json_t *day;
	size_t i;

	if (!json_array_size(list)) {
		*ret = EVERY_DAY;
		return true;
	}
	json_array_foreach (list, i, day)
		if (!json_is_string(day) || !day_parse(json_string_value(day), ret))
			return false;
	return true;
}

/* "02:30" */
static bool start_parse(struct str s, int64_t *ret_s)
{
	struct str hours;
	uint64_t h, m;

	if (!str_split(&s, ':', &hours) || hours.n != 2 || s.n != 2 || !str_to_u64(hours, &h) ||
	    !str_to_u64(s, &m) || h > 23 || m > 59)
		return false;
	*ret_s = (int64_t)(h * 3600 + m * 60);
	return true;
}

static enum err_code
zone_load(struct arena *a, const json_t *doc, struct str tzif, struct window *w, struct err *e)
{
	w->zone_name = window_zone(doc);
	if (!w->zone_name)
		return err_set(e, ERR_INVALID, "timeZone is no IANA name such as Europe/Berlin");
	if (!tzif.n && !strcmp(w->zone_name, "UTC")) {
		w->zone = tz_utc();
		return ERR_OK;
	}
	if (tz_read(a, tzif, &w->zone, e))
		return err_wrap(e, "time zone %s", w->zone_name);
	return ERR_OK;
}

static enum err_code
window_load(struct arena *a, const json_t *doc, struct str tzif, struct window *ret, struct err *e)
{
	struct window w = {0};
	int64_t hours = jv_int(doc, "hours", 2);
	enum err_code code;

	if (!days_parse(json_object_get(doc, "days"), &w.days))
		return err_set(e, ERR_INVALID, "days are of Mon, Tue, Wed, Thu, Fri, Sat, Sun");
	if (!start_parse(str_of(jv_str_or(doc, "start", "")), &w.start_s))
		return err_set(e, ERR_INVALID, "start is a time such as 02:30");
	if (hours < 1 || hours > HOURS_MAX)
		return err_set(e, ERR_INVALID, "hours are 1 to %d", HOURS_MAX);
	w.length_s = hours * 3600;
	code = zone_load(a, doc, tzif, &w, e);
	if (!code)
		*ret = w;
	return code;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static struct tm local_time(const struct window *w, int64_t utc_s)
{
	time_t shown = (time_t)(utc_s + tz_offset(&w->zone, utc_s));
	struct tm tm;

	gmtime_r(&shown, &tm);
	return tm;
}

static void text_print(const struct window *w, struct window_state *s)
{
	struct tm begin = local_time(w, s->begin_us / US), end = local_time(w, s->end_us / US);
	char day[40];

	strftime(day, sizeof(day), "%Y-%m-%d %H:%M", &begin);
	snprintf(
		s->text, sizeof(s->text), "%s %s to %02d:%02d %s", day_names[begin.tm_wday], day,
		end.tm_hour, end.tm_min, w->zone_name);
}

/* Looks at the windows of each local day from two days back, when one may have begun that is still
 * open, until one begins after now: with a day in each week, within nine days. */
static struct window_state look(const struct window *w, int64_t now_us)
{
	int64_t now_s = floor_div(now_us, US);
	int64_t today = floor_div(now_s + tz_offset(&w->zone, now_s), DAY_S);
	struct window_state s = {0};

	for (int64_t day = today - 2;; day++) {
		int64_t weekday = ((day + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
		int64_t begin_us, end_us;

		if (!(w->days >> weekday & 1))
			continue;
		begin_us = tz_instant(&w->zone, day * DAY_S + w->start_s) * US;
		end_us = begin_us + w->length_s * US;
		if (end_us <= now_us)
			continue;
		if (!s.end_us) {
			s.is_open = begin_us <= now_us;
			s.begin_us = begin_us;
			s.end_us = end_us;
		}
		if (begin_us > now_us) {
			s.next_us = begin_us;
			return s;
		}
	}
}

enum err_code window_at(
	const json_t *window, struct str tzif, int64_t now_us, struct window_state *ret,
	struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct window w;
	enum err_code code = window_load(&a, window, tzif, &w, e);

	if (code)
		return code;
	*ret = look(&w, now_us);
	text_print(&w, ret);
	return ERR_OK;
}
