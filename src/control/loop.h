/*
 * Loop: the watch feeds the queue, workers take keys from it and call their controllers.
 *
 * A thread leads: while this process is the leader among replicas, it lists everything, watches
 * from there, has hosts judged each second and objects looked at again; a watch that has missed
 * rows is begun anew, and so is everything after an outage of the system database.
 */
#ifndef SLIPWAY_CONTROL_LOOP_H
#define SLIPWAY_CONTROL_LOOP_H

#include "control/context.h"

struct loop;

struct loop_conf {
	struct context *context;
	int resync_ms;
	int workers;
};

enum err_code loop_start(const struct loop_conf *c, struct loop **ret, struct err *e);
void loop_stop(struct loop *l); /* returns when no controller runs any more */

#endif
