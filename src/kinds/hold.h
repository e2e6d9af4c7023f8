/*
 * Hold: somebody asks that the sessions of a Database wait, by an annotation on it.
 *
 * Its value is a JSON object: {"asked": time, "drainMs": 5000, "onDrain": "wait"}; another text is
 * another hold, none ends it. Pure; any thread.
 */
#ifndef SLIPWAY_KINDS_HOLD_H
#define SLIPWAY_KINDS_HOLD_H

#include "codec/jv.h"

#define HOLD_ANNOTATION "slipway.dev/hold"

enum { HOLD_DRAIN_MS = 5000, HOLD_DRAIN_MAX_MS = 3600 * 1000 };

struct hold {
	int64_t drain_ms; /* how long sessions at work may go on */
	const char *on_drain; /* and then: "wait", "refuse" or "end" */
};

/* What the Database's annotation says; NULL: none. */
const char *hold_asked(const json_t *database);

/* ERR_INVALID says what is wrong with it. */
enum err_code hold_parse(const char *text, struct hold *ret, struct err *e);

#endif
