/*
 * Time zones: the bytes of a TZif file (RFC 8536; /usr/share/zoneinfo holds them) and what its
 * clocks show at an instant.
 *
 * Pure and without libc's global zone, so for any thread: the caller reads the file, once
 * tz_name_ok has said that the name is no path trick. Seconds count from 1970 in UTC.
 */
#ifndef SLIPWAY_CODEC_TZ_H
#define SLIPWAY_CODEC_TZ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { TZ_NAME_MAX = 64, TZ_FILE_MAX = 64 << 10 };

/* When daylight-saving time begins or ends in a year (POSIX TZ, with RFC 8536's hours). */
struct tz_rule {
	enum { TZ_JULIAN, TZ_DAY, TZ_MONTH } form;
	int month, week, day; /* Mm.w.d; of the others, the day alone */
	int32_t time_s; /* on the local clock; may be below 0 or over a day */
};

struct tz {
	size_t n; /* of the transitions; both arrays live in the arena */
	const int64_t *at_s; /* ascending */
	const int32_t *offset_s; /* east of UTC, from that transition on */
	int32_t first_offset_s; /* before the first transition */
	bool has_rules; /* below: what holds after the last transition */
	bool has_dst;
	int32_t std_offset_s, dst_offset_s;
	struct tz_rule begin, end;
};

/* An IANA name: letters, digits, "_", "+", "-" and "/" between parts that begin with a letter or a
 * digit. None holds "..", begins or ends with "/", or is over TZ_NAME_MAX bytes long. */
bool tz_name_is_ok(const char *name);

/* ERR_INVALID: no TZif file of version 2 or newer, or a damaged one. */
enum err_code tz_read(struct arena *a, struct str tzif, struct tz *ret, struct err *e);

/* UTC itself, for which no file is needed. */
struct tz tz_utc(void);

/* Seconds east of UTC at an instant. */
int32_t tz_offset(const struct tz *z, int64_t utc_s);

/* The instant at which the local clock shows local_s (seconds from 1970 as the clock counts them).
 * Where it shows that twice, the first; where it skips it, the instant as far behind the skip as
 * the time asked for lies inside of it. */
int64_t tz_instant(const struct tz *z, int64_t local_s);

#endif
