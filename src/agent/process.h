/*
 * Process: one postgres process and its life (unit.h): started, watched by pidfd, told to end.
 *
 * Everything on the loop's thread. The process runs in a session of its own, so that it outlives
 * the agent; process_adopt finds it again. on_change comes after each change of state, from the
 * call or callback that made it.
 */
#ifndef SLIPWAY_AGENT_PROCESS_H
#define SLIPWAY_AGENT_PROCESS_H

#include <uv.h>

#include "agent/unit.h"
#include "base/child.h"

struct process_watch;

enum { PROCESS_ID = 48, PROCESS_WHY = 400 };

struct process {
	uv_loop_t *loop;
	const char *name; /* of its member, for the log */
	const char *data, *log; /* the data folder, the file that it writes to */
	void (*on_change)(struct process *p, enum unit_act act);

	enum unit_state state;
	int64_t since_ms; /* in this state */
	char id[PROCESS_ID]; /* postmaster_name of it; "" for none */
	char why[PROCESS_WHY]; /* with UNIT_ACT_FAILED and _DIED: why it ended */
	bool is_port_taken; /* with UNIT_ACT_FAILED: that is why */
	int64_t age_ms; /* with UNIT_ACT_DIED: how long it was up */

	const char *bin; /* where its programs are */
	struct child child;
	struct process_watch *watch;
	uint64_t log_from; /* where its lines begin */
	uv_timer_t ready, limit;
	int handles;
	void (*closed)(struct process *p);
};

/* loop, name, data, log and on_change are set. */
void process_init(struct process *p);

/* A server of an earlier agent: then its life goes on, from UNIT_STARTING. */
void process_adopt(struct process *p);

/* Does nothing where there is one. */
void process_start(struct process *p, const char *bin);

/* For UNIT_WANT_DOWN and UNIT_WANT_GONE. */
void process_feed(struct process *p, enum unit_event event);

/* Leaves it running. */
void process_close(struct process *p, void (*closed)(struct process *p));

#endif
