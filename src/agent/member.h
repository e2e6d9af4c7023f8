/*
 * Member: the next step that brings a member from what is seen to what is wanted.
 *
 * Pure: no I/O, no clock, no state. The rules are a table, read from its top: the first that holds
 * decides. A step that failed is not taken again before its time; the failure is then the message.
 */
#ifndef SLIPWAY_AGENT_MEMBER_H
#define SLIPWAY_AGENT_MEMBER_H

#include "agent/seen.h"

struct member_next {
	enum step step;
	const char *state; /* of Member.status: "Running" */
	char message[SEEN_WHY]; /* one sentence, or "" where nothing needs to be said */
	bool is_urgent; /* something is about to change: look often */
};

void member_decide(const struct want *w, const struct seen *s, struct member_next *ret);

/* May what the driver does now be cut short for this step? */
bool member_preempts(enum step busy, enum step next);

/* "standby orders-2 counts": seen sync, and flushed past the proof of the names in force. */
bool member_is_synced(const struct seen *s, const char *slot);

/* Is the slot named as one that we made for a member of the same Database? For one that is wanted?
 */
bool member_owns_slot(const struct want *w, const char *slot);
bool member_wants_slot(const struct want *w, const char *slot);

const char *step_name(enum step step); /* "copy" */

#endif
