/*
 * Proc: a child that is to run until it is asked to stop: what ends by itself is started again,
 * after pauses that grow while it keeps ending.
 *
 * Its life is a table (proc.c). One thread; the owner polls the pidfd and says what happened. Times
 * are monotonic milliseconds.
 */
#ifndef SLIPWAY_APP_PROC_H
#define SLIPWAY_APP_PROC_H

#include "base/child.h"

enum proc_state {
	PROC_DOWN, /* not wanted, or not yet */
	PROC_UP,
	PROC_RESTING, /* wanted; started again at due_ms */
	PROC_STOPPING, /* asked to stop; killed at due_ms */
	PROC_STATES
};

enum proc_event { PROC_START, PROC_ENDED, PROC_TIME, PROC_STOP, PROC_EVENTS };

struct proc {
	const char *name; /* for people: "serve", "agent zone-a" */
	struct child_conf conf;
	int stop_signal;
	int stop_ms; /* killed when it has not ended by then */
	/* owned by proc.c */
	enum proc_state state;
	struct child child; /* while UP or STOPPING */
	int64_t since_ms; /* when it was started */
	int64_t due_ms; /* of RESTING and STOPPING */
	unsigned failures; /* ends in a row that came soon */
	int status; /* of the last end, as waitpid's; -1: not known */
};

/* Lets the event happen; an event that means nothing in this state does nothing. */
void proc_step(struct proc *p, enum proc_event event, int64_t now_ms);

/* A process that runs already takes the place of a start. */
void proc_adopt(struct proc *p, const struct child *c, int64_t now_ms);

static inline bool proc_is_running(const struct proc *p)
{
	return p->state == PROC_UP || p->state == PROC_STOPPING;
}

/* When it wants to hear PROC_TIME; -1: never. */
int64_t proc_due(const struct proc *p);

/* The last line that it wrote to its log, cut to fit; "" for none. */
void proc_last_words(const struct proc *p, char *ret, size_t room);

const char *proc_state_name(enum proc_state s);

#endif
