/*
 * Cuts a stream of bytes into lines, however it was split. Pure; a zeroed struct lines is empty.
 */
#ifndef SLIPWAY_HTTP_LINES_H
#define SLIPWAY_HTTP_LINES_H

#include "base/str.h"

enum { LINES_MAX_BYTES = 16 * 1024 * 1024 };

struct lines {
	struct buf part; /* of a line that has not ended */
};

enum lines_end {
	LINES_MORE, /* all lines so far were taken */
	LINES_STOP, /* each said false */
	LINES_TOO_LONG,
};

/* Calls each for every line that has ended, without its '\n' (and a '\r' before that). */
enum lines_end
lines_feed(struct lines *l, struct str bytes, bool (*each)(void *arg, struct str line), void *arg);
void lines_done(struct lines *l);

#endif
