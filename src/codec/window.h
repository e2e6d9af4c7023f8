/*
 * Maintenance windows: {days, start, hours, timeZone} of kinds/database.json, and an instant.
 *
 * A window begins on the days when the zone's wall clock shows its start, and lasts its hours as a
 * stopwatch counts them: a night with a change of the clocks makes it no shorter. Where clocks skip
 * the start, it begins as long after the skip as the start lies inside of it; where they show it
 * twice, at the first. Pure: the caller brings the bytes of the zone's file (kinds/zone
 * reads it by window_zone's name), which are not needed for UTC.
 */
#ifndef SLIPWAY_CODEC_WINDOW_H
#define SLIPWAY_CODEC_WINDOW_H

#include "codec/jv.h"

enum { WINDOW_TEXT = 160 };

struct window_state {
	bool is_open;
	int64_t next_us; /* when the next one begins, after now; wall clock, since 1970 */
	int64_t begin_us, end_us; /* of the one that is open, else of the next */
	char text[WINDOW_TEXT]; /* of the same: "Sun 2026-11-29 02:00 to 04:00 Europe/Berlin" */
};

/* The name of its time zone, "UTC" unless it has another; NULL: it is no name of a zone. */
const char *window_zone(const json_t *window);

/* ERR_INVALID: the window, or the zone's file, is none. */
enum err_code window_at(
	const json_t *window, struct str tzif, int64_t now_us, struct window_state *ret,
	struct err *e);

#endif
