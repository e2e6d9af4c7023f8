/* A window as JSON and a zone's file: what is read gives sane windows at any instant of our time.
 */
#include "codec/tz.h"
#include "codec/window.h"
#include "fuzz.h"

enum { DAY_S = 86400 };

static const int64_t us = 1000000;

static const int64_t instants_s[] = {
	-2208988800, -1, 0, 951782400, 1774746000, 1792890000, 4102444800, 253402300799,
};

static void clocks(struct str tzif)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct tz z;

	if (tz_read(&a, tzif, &z, NULL))
		return;
	for (size_t i = 0; i < ARRAY_LEN(instants_s); i++) {
		int64_t shown = instants_s[i] + tz_offset(&z, instants_s[i]);
		int64_t again = tz_instant(&z, shown);

		assert(again > instants_s[i] - 3 * DAY_S && again < instants_s[i] + 3 * DAY_S);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = {(const char *)data, n}, first = fuzz_cut(&rest);
	CLEANUP(jv_drop) json_t *window = NULL;

	clocks(rest);
	if (jv_parse(first, n, &window, NULL))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(instants_s); i++) {
		int64_t now = instants_s[i] * us;
		struct window_state s;

		if (window_at(window, rest, now, &s, NULL))
			return 0;
		assert(s.next_us > now && s.next_us <= now + 12 * DAY_S * us);
		assert(s.begin_us < s.end_us && s.end_us > now);
		assert(s.is_open == (s.begin_us <= now));
		assert(s.is_open || s.next_us == s.begin_us);
	}
	return 0;
}
