/*
 * The gist of a report: all of its bytes but the values that change with every report (each
 * member's LSN and lag, the free space within a GiB), as one hash; and those values.
 *
 * Two reports of one gist say the same but for these, which a report once parsed proves
 * (gist_fits): so a report that brings nothing new need not be parsed. Knows only the form in which
 * our agents write; any other has no gist, or one that does not fit. Pure, no memory.
 */
#ifndef SLIPWAY_API_GIST_H
#define SLIPWAY_API_GIST_H

#include "codec/jv.h"

enum { GIST_MEMBERS_MAX = 128, GIST_LSN = 24 };

struct gist_live {
	char lsn[GIST_LSN]; /* "": none */
	int64_t lag_bytes; /* -1: unknown */
};

struct gist {
	uint64_t hash;
	int64_t disk_free_bytes; /* -1: not said */
	size_t n;
	struct gist_live live[GIST_MEMBERS_MAX]; /* as the report names its members */
};

/* False: it has none. */
bool gist_take(struct str report, struct gist *ret);

/* Is what was cut out what the report, parsed, says of its members and its disk? */
bool gist_fits(const struct gist *g, const json_t *report);

#endif
