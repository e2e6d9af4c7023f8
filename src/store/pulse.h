/*
 * Live values: the last report of each host, in memory, and every two seconds in an unlogged table
 * for the other replicas. What is lost with a crash is heard anew within seconds. Any thread.
 */
#ifndef SLIPWAY_STORE_PULSE_H
#define SLIPWAY_STORE_PULSE_H

#include <pthread.h>

#include "base/map.h"
#include "store/sessions.h"
#include "store/store.h"

struct pulses {
	struct sessions *sessions;
	pthread_mutex_t lock;
	struct map hosts; /* of struct pulse */
};

void pulses_init(struct pulses *p, struct sessions *s);
void pulses_done(struct pulses *p);

/* Writes what has been heard since the last time, in one statement. */
enum err_code pulses_flush(struct pulses *p, struct err *e);

void pulses_put(struct pulses *p, const char *host, struct str body);
enum err_code pulses_get(
	struct pulses *p, const char *host, json_t **ret_body, int64_t *ret_age_ms, struct err *e);

#endif
