/*
 * Unit: the whole life of one postgres process, as a table of states and events.
 *
 * Pure: the table says what comes next and which act belongs to it; the owner carries acts out
 * (unit_ops) on the loop's thread. README.md draws the table, and a test holds the two together.
 */
#ifndef SLIPWAY_AGENT_UNIT_H
#define SLIPWAY_AGENT_UNIT_H

#include "base/defs.h"

enum unit_state {
	UNIT_DOWN,
	UNIT_STARTING, /* there is a process; it may recover for as long as that takes */
	UNIT_UP, /* it takes connections */
	UNIT_STOPPING, /* it was asked to: SIGINT, a fast shutdown */
	UNIT_QUITTING, /* SIGQUIT, an immediate one */
	UNIT_KILLING, /* SIGKILL */
	UNIT_STATES
};

enum unit_event {
	UNIT_WANT_UP,
	UNIT_FOUND, /* a process that an earlier agent started */
	UNIT_READY,
	UNIT_WANT_DOWN,
	UNIT_WANT_GONE, /* its data will be removed: no reason to wait for a checkpoint */
	UNIT_LATE, /* the deadline of its state has passed */
	UNIT_EXITED,
	UNIT_EVENTS
};

enum unit_act {
	UNIT_ACT_NONE,
	UNIT_ACT_SPAWN,
	UNIT_ACT_WATCH, /* look until it takes connections */
	UNIT_ACT_GREET, /* it does: open the session that watches it */
	UNIT_ACT_INTERRUPT,
	UNIT_ACT_QUIT,
	UNIT_ACT_KILL,
	UNIT_ACT_FAILED, /* it ended before it was up */
	UNIT_ACT_DIED, /* it ended, and nobody had asked for that */
	UNIT_ACT_REST, /* it ended as it was asked to */
	UNIT_ACTS
};

struct unit_rule {
	enum unit_state next;
	enum unit_act act; /* NONE: the event is ignored in this state */
};

struct unit_rule unit_next(enum unit_state state, enum unit_event event);

/* How long a state may last until LATE comes; 0: for ever. */
int unit_limit_ms(enum unit_state state);

const char *unit_state_name(enum unit_state state); /* "starting" */
const char *unit_event_name(enum unit_event event); /* "want up" */
const char *unit_act_name(enum unit_act act); /* "spawn" */

#endif
