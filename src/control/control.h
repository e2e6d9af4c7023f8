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
	const char *ca_pem; /* the platform's CA, for the Secrets' ca.crt; NULL: leave that out */
	int resync_ms; /* 0: 10 s: objects with work outstanding are looked at again that often,
			  those at rest once in 360 times */
	int host_silent_ms; /* 0: 5 s without a report make a host not Ready */
};

enum err_code control_start(const struct control_conf *c, struct control **ret, struct err *e);
void control_stop(struct control *c);

#endif
