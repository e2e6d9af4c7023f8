/*
 * Context: what every controller works with, and what it says when it is done with an object.
 *
 * A controller reads the object of its key, does one idempotent step, and is called again when
 * something changes. Two calls for one key never overlap. ERR_CONFLICT: what it had read has
 * changed; ERR_UNAVAILABLE: the system database is away. It is called again after both.
 */
#ifndef SLIPWAY_CONTROL_CONTEXT_H
#define SLIPWAY_CONTROL_CONTEXT_H

#include "control/event.h"
#include "control/index.h"
#include "control/outcome.h"
#include "control/queue.h"

#define CONTEXT_EVENTS_KEY "Event//flush"
#define CONTEXT_PRUNE_KEY "Event//prune"

struct context {
	struct store *store;
	struct index *index;
	struct event_log *events;
	struct queue *queue;
	const char *ca_pem; /* NULL: none */
	int host_silent_ms;
	_Atomic int64_t since_ms; /* on the monotonic clock: since when hosts may be heard */
};

typedef enum err_code
controller(struct context *x, const char *ns, const char *name, struct arena *a, struct err *e);

controller database_reconcile, host_reconcile, gateway_reconcile, namespace_reconcile,
	event_reconcile;

/* Writes the outcome; what came of it goes into the index, its events into the log, and key comes
 * back at the time that it says. */
enum err_code context_apply(struct context *x, const char *key, struct outcome *o, struct err *e);

/* An index_key: the queue gets it at once. arg is the context. */
void context_touch(void *arg, const char *key);

/* store_get, with *ret NULL and ERR_OK for what is not there. */
enum err_code context_get(
	struct context *x, const char *kind, const char *ns, const char *name, json_t **ret,
	struct err *e);

/* Is the host or gateway heard? *ret_is_known false: nobody can say yet. */
bool host_is_heard(struct context *x, const char *name, bool *ret_is_known);
bool gateway_is_heard(struct context *x, const char *name, bool *ret_is_known);

#endif
