/*
 * Driver: the vtable behind which postgres is. The real one is agent_driver_postgres (server.c);
 * agent_driver_fake (fake.c) plays thousands of members in one process.
 *
 * All calls on the loop's thread, and none of them blocks. A driver does one step at a time for a
 * server and calls changed() whenever what is seen has changed: from the loop, never from inside a
 * call. Whatever a step needs beyond the want it knows from its host.
 */
#ifndef SLIPWAY_AGENT_DRIVER_H
#define SLIPWAY_AGENT_DRIVER_H

#include <uv.h>

#include "agent/port.h"
#include "agent/seen.h"

struct discover;
struct driver_server;

/* What the host knows; lives as long as the agent. */
struct driver_host {
	uv_loop_t *loop;
	const char *data; /* the agent's folder: agent.key, agent.crt, ca.crt, m/ */
	const char *address; /* where servers listen */
	const char *os_user; /* who the agent runs as */
	struct discover *programs;
	struct port_book ports;
	bool is_heard; /* the control plane has spoken since the agent started */
};

struct agent_driver {
	const char *name;

	/* Whether members have folders: want.json is read at start. */
	bool has_folders;

	/* A server that may be running, from an earlier agent. */
	struct driver_server *(*open)(
		struct driver_host *h, struct want *w, void (*changed)(void *arg), void *arg);

	/* What is so now. Valid until the next call. */
	const struct seen *(*seen)(struct driver_server *s);

	/* From now on this is wanted. */
	void (*want)(struct driver_server *s, struct want *w);

	/* How often to look: often while something is about to change. */
	void (*watch)(struct driver_server *s, bool is_urgent);

	/* Begins a step; seen says how it went: done, or failed and why. Only when busy is
	 * STEP_NONE, but for STEP_STOP and STEP_QUIT, which may come at any time. */
	void (*step)(struct driver_server *s, enum step step);

	/* Asks the step that is busy to give up; it ends as failed or done. */
	void (*cancel)(struct driver_server *s);

	/* The host's certificate has changed. */
	void (*renewed)(struct driver_server *s);

	/* Forgets it and leaves a postgres running; cancels what is busy. closed comes once. */
	void (*close)(struct driver_server *s, void (*closed)(void *arg), void *arg);
};

extern const struct agent_driver agent_driver_postgres, agent_driver_fake;

#endif
