/*
 * Controllers: make what is look like what is wanted, one object at a time.
 *
 * One thread reads the watch and keeps a queue of object keys (a key stands in it once), a few
 * workers reconcile. Only the leader among replicas works; the others wait. Killed at any
 * instruction, the next one goes on from the rows.
 */
#ifndef SLIPWAY_CONTROL_CONTROL_H
#define SLIPWAY_CONTROL_CONTROL_H

#include "base/err.h"

struct control;
struct store;

struct control_conf {
	struct store *store;
	int resync_ms; /* 0: 10 s: every object is looked at again that often */
	int host_silent_ms; /* 0: 5 s without a report make a host not Ready */
};

enum err_code control_start(const struct control_conf *c, struct control **ret, struct err *e);
void control_stop(struct control *c);

#endif
