/*
 * Events about objects: core/v1 Events, as kubectl describe shows them.
 *
 * The same reason and message about the same object within an hour counts up instead of being a new
 * one; an hour after it last happened, an Event is pruned. They are told, not promised: written
 * behind the controllers' back, in batches, and lost when we are killed first. Any thread.
 */
#ifndef SLIPWAY_CONTROL_EVENT_H
#define SLIPWAY_CONTROL_EVENT_H

#include "control/index.h"
#include "control/outcome.h"

enum { EVENT_KEEP_S = 3600, EVENT_PENDING_MAX = 10000 };

struct event_log;

struct event_log *event_log_new(struct store *s, struct index *x);
void event_log_free(struct event_log *l);

/* Keeps it to be written with the next event_log_flush. */
void event_log_add(struct event_log *l, const struct outcome_event *ev);

/* Writes what was added; what cannot be written (ERR_UNAVAILABLE) stays for the next time. */
enum err_code event_log_flush(struct event_log *l, struct err *e);

/* From the list and the watch: which Events there are. Of one that was written just now nothing but
 * that need be known. */
void event_log_seen(struct event_log *l, const json_t *event, bool is_deleted);
void event_log_written(struct event_log *l, const char *ns, const char *name, int64_t now_us);

/* Deletes those that are over. */
enum err_code event_log_prune(struct event_log *l, int64_t now_us, struct err *e);

#endif
