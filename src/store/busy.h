/*
 * The objects that are being written now, so that two writers of one object in this process go one
 * after the other. Any thread.
 */
#ifndef SLIPWAY_STORE_BUSY_H
#define SLIPWAY_STORE_BUSY_H

#include <pthread.h>

#include "base/map.h"
#include "store/store.h"

struct busy {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct map keys; /* "kind/namespace/name" */
	int waiting;
};

void busy_init(struct busy *b);
void busy_done(struct busy *b);

/* Waits until none of the n objects is taken, and takes them all. ERR_INVALID: one is named twice.
 */
enum err_code busy_take(struct busy *b, const struct store_write *w, size_t n, struct err *e);
void busy_give(struct busy *b, const struct store_write *w, size_t n);

#endif
