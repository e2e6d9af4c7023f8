#include "agent/unit.h"

/* The whole life of a postgres process. An empty cell: the event is ignored there. */
static const struct unit_rule rules[UNIT_STATES][UNIT_EVENTS] = {
	[UNIT_DOWN][UNIT_WANT_UP] = {UNIT_STARTING, UNIT_ACT_SPAWN},
	[UNIT_DOWN][UNIT_FOUND] = {UNIT_STARTING, UNIT_ACT_WATCH},

	[UNIT_STARTING][UNIT_READY] = {UNIT_UP, UNIT_ACT_GREET},
	[UNIT_STARTING][UNIT_WANT_DOWN] = {UNIT_STOPPING, UNIT_ACT_INTERRUPT},
	[UNIT_STARTING][UNIT_WANT_GONE] = {UNIT_QUITTING, UNIT_ACT_QUIT},
	[UNIT_STARTING][UNIT_EXITED] = {UNIT_DOWN, UNIT_ACT_FAILED},

	[UNIT_UP][UNIT_WANT_DOWN] = {UNIT_STOPPING, UNIT_ACT_INTERRUPT},
	[UNIT_UP][UNIT_WANT_GONE] = {UNIT_QUITTING, UNIT_ACT_QUIT},
	[UNIT_UP][UNIT_EXITED] = {UNIT_DOWN, UNIT_ACT_DIED},

	[UNIT_STOPPING][UNIT_WANT_GONE] = {UNIT_QUITTING, UNIT_ACT_QUIT},
	[UNIT_STOPPING][UNIT_LATE] = {UNIT_QUITTING, UNIT_ACT_QUIT},
	[UNIT_STOPPING][UNIT_EXITED] = {UNIT_DOWN, UNIT_ACT_REST},

	[UNIT_QUITTING][UNIT_LATE] = {UNIT_KILLING, UNIT_ACT_KILL},
	[UNIT_QUITTING][UNIT_EXITED] = {UNIT_DOWN, UNIT_ACT_REST},

	[UNIT_KILLING][UNIT_LATE] = {UNIT_KILLING, UNIT_ACT_KILL},
	[UNIT_KILLING][UNIT_EXITED] = {UNIT_DOWN, UNIT_ACT_REST},
};

/* A fast shutdown writes a checkpoint and sends all WAL to the standbys first. Recovery at the next
 * start makes good what a hard end leaves undone. */
static const int limits_ms[UNIT_STATES] = {
	[UNIT_STOPPING] = 120 * 1000,
	[UNIT_QUITTING] = 10 * 1000,
	[UNIT_KILLING] = 10 * 1000,
};

static const char *const state_names[UNIT_STATES] = {
	[UNIT_DOWN] = "down",         [UNIT_STARTING] = "starting", [UNIT_UP] = "up",
	[UNIT_STOPPING] = "stopping", [UNIT_QUITTING] = "quitting", [UNIT_KILLING] = "killing",
};

static const char *const event_names[UNIT_EVENTS] = {
	[UNIT_WANT_UP] = "want up",     [UNIT_FOUND] = "found",         [UNIT_READY] = "ready",
	[UNIT_WANT_DOWN] = "want down", [UNIT_WANT_GONE] = "want gone", [UNIT_LATE] = "late",
	[UNIT_EXITED] = "exited",
};

static const char *const act_names[UNIT_ACTS] = {
	[UNIT_ACT_NONE] = "",       [UNIT_ACT_SPAWN] = "spawn",         [UNIT_ACT_WATCH] = "watch",
	[UNIT_ACT_GREET] = "greet", [UNIT_ACT_INTERRUPT] = "interrupt", [UNIT_ACT_QUIT] = "quit",
	[UNIT_ACT_KILL] = "kill",   [UNIT_ACT_FAILED] = "failed",       [UNIT_ACT_DIED] = "died",
	[UNIT_ACT_REST] = "rest",
};

struct unit_rule unit_next(enum unit_state state, enum unit_event event)
{
	assert(state < UNIT_STATES && event < UNIT_EVENTS);
	if (rules[state][event].act == UNIT_ACT_NONE)
		return (struct unit_rule){state, UNIT_ACT_NONE};
	return rules[state][event];
}

int unit_limit_ms(enum unit_state state)
{
	return limits_ms[state];
}

const char *unit_state_name(enum unit_state state)
{
	return state_names[state];
}

const char *unit_event_name(enum unit_event event)
{
	return event_names[event];
}

const char *unit_act_name(enum unit_act act)
{
	return act_names[act];
}
