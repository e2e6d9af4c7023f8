/* What codec/window and codec/tz promise: windows that open when the wall clock says so, also in
 * the nights when it is changed. */
#include "base/clock.h"
#include "base/file.h"
#include "codec/tz.h"
#include "codec/window.h"
#include "codec_test.h"

static struct str zone_bytes(struct arena *a, const char *name)
{
	struct str bytes = {0};
	struct err e = {0};

	if (file_read(a, arena_printf(a, "/usr/share/zoneinfo/%s", name), TZ_FILE_MAX, &bytes, &e))
		fail_msg("%s", e.text);
	return bytes;
}

/* A TZif file with no transition, only the rules of a POSIX TZ string. */
static struct str rules_bytes(struct arena *a, const char *rules)
{
	static const char header[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 1};
	struct buf b = {0};
	struct str ret;

	for (int i = 0; i < 2; i++) {
		buf_add(&b, header, sizeof(header));
		buf_add(&b, "\0\0\0\0\0\0\0", 7);
	}
	buf_printf(&b, "\n%s\n", rules);
	ret = (struct str){arena_strndup(a, b.p, b.n), b.n};
	buf_done(&b);
	return ret;
}

static int64_t instant(const char *text)
{
	int64_t us;
	struct err e = {0};

	if (clock_parse(str_of(text), &us, &e))
		fail_msg("%s", e.text);
	return us;
}

struct window_case {
	const char *window, *now;
	bool is_open;
	const char *begin, *end, *next, *text;
};

static void check(const struct window_case *c, struct str tzif)
{
	CLEANUP(jv_drop) json_t *window = value_of(c->window);
	struct window_state s;
	struct err e = {0};
	char text[CLOCK_TEXT];

	if (window_at(window, tzif, instant(c->now), &s, &e))
		fail_msg("%s: %s", c->window, e.text);
	assert_int_equal(s.is_open, c->is_open);
	assert_string_equal(clock_text_s(s.begin_us, text), c->begin);
	assert_string_equal(clock_text_s(s.end_us, text), c->end);
	assert_string_equal(clock_text_s(s.next_us, text), c->next);
	if (c->text)
		assert_string_equal(s.text, c->text);
}

/* By the system's file, and by the rules that stand in its last line. */
static void
check_all(const char *zone, const char *rules, const struct window_case *cases, size_t n)
{
	CLEANUP(arena_done) struct arena a = {0};

	for (size_t i = 0; i < n; i++) {
		check(&cases[i], zone_bytes(&a, zone));
		check(&cases[i], rules_bytes(&a, rules));
	}
}

static void a_window_opens_by_the_wall_clock(void **state)
{
	static const struct window_case cases[] = {
		/* 2026-11-24 is a Tuesday. */
		{"{'start':'02:00','days':['Sun']}", "2026-11-24T09:00:00Z", false,
		 "2026-11-29T02:00:00Z", "2026-11-29T04:00:00Z", "2026-11-29T02:00:00Z",
		 "Sun 2026-11-29 02:00 to 04:00 UTC"},
		{"{'start':'02:00','days':['Sun'],'hours':3}", "2026-11-29T04:59:59.999Z", true,
		 "2026-11-29T02:00:00Z", "2026-11-29T05:00:00Z", "2026-12-06T02:00:00Z", NULL},
		{"{'start':'02:00','days':['Sun']}", "2026-11-29T02:00:00Z", true,
		 "2026-11-29T02:00:00Z", "2026-11-29T04:00:00Z", "2026-12-06T02:00:00Z", NULL},
		{"{'start':'02:00','days':['Sun']}", "2026-11-29T04:00:00Z", false,
		 "2026-12-06T02:00:00Z", "2026-12-06T04:00:00Z", "2026-12-06T02:00:00Z", NULL},
		{"{'start':'22:30','hours':4}", "2026-11-25T01:00:00Z", true,
		 "2026-11-24T22:30:00Z", "2026-11-25T02:30:00Z", "2026-11-25T22:30:00Z",
		 "Tue 2026-11-24 22:30 to 02:30 UTC"},
		{"{'start':'00:00','hours':24}", "2026-11-25T00:00:00Z", true,
		 "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z", "2026-11-26T00:00:00Z", NULL},
		{"{'start':'23:59','hours':24,'days':['Mon']}", "2026-11-24T23:58:59Z", true,
		 "2026-11-23T23:59:00Z", "2026-11-24T23:59:00Z", "2026-11-30T23:59:00Z", NULL},
		{"{'start':'02:00','days':[]}", "1969-12-31T23:59:59.5Z", false,
		 "1970-01-01T02:00:00Z", "1970-01-01T04:00:00Z", "1970-01-01T02:00:00Z", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&cases[i], STR(""));
	check_all("UTC", "UTC0", cases, ARRAY_LEN(cases));
}

/* 2026-03-29 01:00 UTC: 02:00 becomes 03:00. 2026-10-25 01:00 UTC: 03:00 becomes 02:00. */
static void berlin_s_nights_of_change_have_their_window(void **state)
{
#define W "{'start':'02:30','hours':2,'timeZone':'Europe/Berlin'}"
	static const struct window_case cases[] = {
		{W, "2026-03-28T12:00:00Z", false, "2026-03-29T01:30:00Z", "2026-03-29T03:30:00Z",
		 "2026-03-29T01:30:00Z", "Sun 2026-03-29 03:30 to 05:30 Europe/Berlin"},
		{W, "2026-03-29T02:00:00Z", true, "2026-03-29T01:30:00Z", "2026-03-29T03:30:00Z",
		 "2026-03-30T00:30:00Z", NULL},
		{W, "2026-10-24T12:00:00Z", false, "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z",
		 "2026-10-25T00:30:00Z", "Sun 2026-10-25 02:30 to 03:30 Europe/Berlin"},
		{W, "2026-10-25T01:30:00Z", true, "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z",
		 "2026-10-26T01:30:00Z", NULL},
		{W, "2026-07-01T00:30:00Z", true, "2026-07-01T00:30:00Z", "2026-07-01T02:30:00Z",
		 "2026-07-02T00:30:00Z", "Wed 2026-07-01 02:30 to 04:30 Europe/Berlin"},
		{W, "2076-07-01T00:30:00Z", true, "2076-07-01T00:30:00Z", "2076-07-01T02:30:00Z",
		 "2076-07-02T00:30:00Z", NULL},
	};
#undef W

	(void)state;
	check_all("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", cases, ARRAY_LEN(cases));
}

/* 2026-03-08 08:00 UTC: 02:00 becomes 03:00. 2026-11-01 07:00 UTC: 02:00 becomes 01:00. */
static void chicago_s_nights_of_change_have_their_window(void **state)
{
	static const struct window_case cases[] = {
		{"{'start':'02:00','timeZone':'America/Chicago'}", "2026-03-08T07:59:59Z", false,
		 "2026-03-08T08:00:00Z", "2026-03-08T10:00:00Z", "2026-03-08T08:00:00Z",
		 "Sun 2026-03-08 03:00 to 05:00 America/Chicago"},
		{"{'start':'01:15','timeZone':'America/Chicago'}", "2026-11-01T07:00:00Z", true,
		 "2026-11-01T06:15:00Z", "2026-11-01T08:15:00Z", "2026-11-02T07:15:00Z",
		 "Sun 2026-11-01 01:15 to 02:15 America/Chicago"},
		{"{'start':'22:00','days':['Sat'],'hours':8,'timeZone':'America/Chicago'}",
		 "2026-11-01T11:59:59Z", false, "2026-11-08T04:00:00Z", "2026-11-08T12:00:00Z",
		 "2026-11-08T04:00:00Z", NULL},
	};

	(void)state;
	check_all("America/Chicago", "CST6CDT,M3.2.0,M11.1.0", cases, ARRAY_LEN(cases));
}

/* 2026-04-04 16:00 UTC: 03:00 becomes 02:00. 2026-10-03 16:00 UTC: 02:00 becomes 03:00. */
static void sydney_s_nights_of_change_have_their_window(void **state)
{
#define W "{'start':'02:30','days':['Sun'],'hours':1,'timeZone':'Australia/Sydney'}"
	static const struct window_case cases[] = {
		{W, "2026-04-04T10:00:00Z", false, "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z",
		 "2026-04-04T15:30:00Z", "Sun 2026-04-05 02:30 to 02:30 Australia/Sydney"},
		{W, "2026-04-04T16:15:00Z", true, "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z",
		 "2026-04-11T16:30:00Z", NULL},
		{W, "2026-10-03T16:29:59Z", false, "2026-10-03T16:30:00Z", "2026-10-03T17:30:00Z",
		 "2026-10-03T16:30:00Z", "Sun 2026-10-04 03:30 to 04:30 Australia/Sydney"},
		{W, "2027-01-01T00:00:00Z", false, "2027-01-02T15:30:00Z", "2027-01-02T16:30:00Z",
		 "2027-01-02T15:30:00Z", NULL},
	};
#undef W

	(void)state;
	check_all("Australia/Sydney", "AEST-10AEDT,M10.1.0,M4.1.0/3", cases, ARRAY_LEN(cases));
}

static void kolkata_is_half_an_hour_off_all_year(void **state)
{
#define W "{'start':'00:00','days':['Mon'],'timeZone':'Asia/Kolkata'}"
	static const struct window_case cases[] = {
		{W, "2026-03-29T18:29:59Z", false, "2026-03-29T18:30:00Z", "2026-03-29T20:30:00Z",
		 "2026-03-29T18:30:00Z", "Mon 2026-03-30 00:00 to 02:00 Asia/Kolkata"},
		{W, "2026-10-25T18:30:00Z", true, "2026-10-25T18:30:00Z", "2026-10-25T20:30:00Z",
		 "2026-11-01T18:30:00Z", NULL},
	};
#undef W

	(void)state;
	check_all("Asia/Kolkata", "IST-5:30", cases, ARRAY_LEN(cases));
}

static void rules_are_read_in_each_of_their_forms(void **state)
{
	static const struct {
		const char *rules, *at;
		int offset_s;
	} cases[] = {
		{"<+0330>-3:30", "2026-07-01T00:00:00Z", 12600},
		{"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T00:59:59Z", -10800},
		{"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T01:00:00Z", -7200},
		{"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-10-25T01:00:00Z", -10800},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0}, /* Dublin: winter */
		{"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600},
		{"AAA0BBB,J60,J300", "2024-03-01T01:59:59Z", 0}, /* J60 is always March 1 */
		{"AAA0BBB,J60,J300", "2024-03-01T02:00:00Z", 3600},
		{"AAA0BBB,59,299", "2024-02-29T02:00:00Z", 3600},
		{"AAA0BBB,59,299", "2025-03-01T01:59:59Z", 0},
		{"XXX3EDT4,0/0,J365/23", "2026-12-31T23:30:00Z", -14400}, /* all year */
		{"XXX3EDT4,0/0,J365/23", "2026-01-01T03:30:00Z", -14400},
		{"IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z", 10800},
		{"", "2026-01-01T00:00:00Z", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_done) struct arena a = {0};
		struct tz z;
		struct err e = {0};

		if (tz_read(&a, rules_bytes(&a, cases[i].rules), &z, &e))
			fail_msg("%s: %s", cases[i].rules, e.text);
		if (tz_offset(&z, instant(cases[i].at) / 1000000) != cases[i].offset_s)
			fail_msg("%s at %s", cases[i].rules, cases[i].at);
	}
}

static void damaged_files_are_refused(void **state)
{
	static const char *const rules[] = {
		"CET",
		"C-1",
		"CET-1CEST",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0/3x",
		"<CET-1",
		"CET-25",
		"CET-1:60",
	};
	CLEANUP(arena_done) struct arena a = {0};
	struct str berlin = zone_bytes(&a, "Europe/Berlin");
	struct tz z;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		assert_int_equal(tz_read(&a, rules_bytes(&a, rules[i]), &z, &e), ERR_INVALID);
	assert_int_equal(tz_read(&a, berlin, &z, &e), ERR_OK);
	for (size_t n = 0; n < berlin.n; n++)
		assert_int_equal(tz_read(&a, (struct str){berlin.p, n}, &z, &e), ERR_INVALID);
}

static void a_name_of_a_zone_is_no_path(void **state)
{
	static const char *const good[] = {
		"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "GB-Eire",
	};
	static const char *const bad[] = {
		"",
		"/etc/passwd",
		"../../etc/passwd",
		"Europe/../../x",
		"Europe/",
		"Europe//Berlin",
		"Europe/.hidden",
		".",
		"Europe\\Berlin",
		"Europe Berlin",
		"Europe/Berlin\n",
		"+1",
		"Europe/-x",
		"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/a/b/c/d/e/f/g",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(tz_name_is_ok(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(tz_name_is_ok(bad[i]));
}

static void a_window_that_is_none_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *window, *message;
	} cases[] = {
		{"{}", "start is a time such as 02:30"},
		{"{'start':'24:00'}", "start is a time"},
		{"{'start':'2:00'}", "start is a time"},
		{"{'start':'02:60'}", "start is a time"},
		{"{'start':'02:00','hours':25}", "hours are 1 to 24"},
		{"{'start':'02:00','hours':0}", "hours are 1 to 24"},
		{"{'start':'02:00','days':['Sunday']}", "days are of Mon"},
		{"{'start':'02:00','days':[1]}", "days are of Mon"},
		{"{'start':'02:00','timeZone':'../x'}", "timeZone is no IANA name"},
		{"{'start':'02:00','timeZone':'Europe/Berlin'}",
		 "time zone Europe/Berlin: the time zone's file is damaged"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(jv_drop) json_t *window = value_of(cases[i].window);
		struct window_state s = {.next_us = 7};
		struct err e = {0};

		assert_int_equal(window_at(window, STR(""), 0, &s, &e), ERR_INVALID);
		assert_int_equal(s.next_us, 7);
		if (!strstr(e.text, cases[i].message))
			fail_msg("%s: %s", cases[i].window, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_opens_by_the_wall_clock),
		cmocka_unit_test(berlin_s_nights_of_change_have_their_window),
		cmocka_unit_test(chicago_s_nights_of_change_have_their_window),
		cmocka_unit_test(sydney_s_nights_of_change_have_their_window),
		cmocka_unit_test(kolkata_is_half_an_hour_off_all_year),
		cmocka_unit_test(rules_are_read_in_each_of_their_forms),
		cmocka_unit_test(damaged_files_are_refused),
		cmocka_unit_test(a_name_of_a_zone_is_no_path),
		cmocka_unit_test(a_window_that_is_none_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
