/*
 * Outcome: what a controller makes of what it has seen: writes, events, and when to look again.
 *
 * The writes are one group, all or none; a write of an object that was read is guarded by the
 * revision that was read. Everything lives in the arena but for the objects, which the outcome
 * owns. One thread.
 */
#ifndef SLIPWAY_CONTROL_OUTCOME_H
#define SLIPWAY_CONTROL_OUTCOME_H

#include "store/store.h"

enum { OUTCOME_WRITES_MAX = 256, OUTCOME_EVENTS_MAX = 64 };

struct outcome_event {
	json_t *about; /* kind, apiVersion and metadata of the object */
	bool is_warning;
	const char *reason, *message;
};

struct outcome {
	struct arena *arena;
	struct store_write writes[OUTCOME_WRITES_MAX];
	size_t writes_n;
	struct outcome_event events[OUTCOME_EVENTS_MAX];
	size_t events_n;
	int64_t wake_at_us; /* wall clock; 0: no need to look again before something changes */
	bool is_settled; /* nothing is outstanding */
};

void outcome_done(struct outcome *o);

/* Creates object (stolen). */
void outcome_create(struct outcome *o, json_t *object);

/* Writes object (stolen), which was read at the revision that it carries. */
void outcome_write(struct outcome *o, enum store_verb verb, json_t *object);

/* Deletes what was read. */
void outcome_delete(struct outcome *o, const json_t *object);

/* Fails the whole group if this object, which is not written, is no longer as it was read. */
void outcome_guard(struct outcome *o, const json_t *object);

/* Something happened to the object, if the writes come to be: a reason for programs, a sentence. */
void outcome_event(
	struct outcome *o, const json_t *about, bool is_warning, const char *reason,
	const char *message);

/* Look again at this time, or earlier. */
void outcome_wake(struct outcome *o, int64_t at_us);

/* The object's resourceVersion as a number; 0: none. */
int64_t outcome_revision(const json_t *object);

#endif
