/*
 * Host: all members of this host, brought step by step to what the control plane wants.
 *
 * No network: agent.c carries wants in and reports out. Everything on the loop's thread. It starts
 * from the wants that its folders keep; a primary that is down waits until host_wants was called.
 */
#ifndef SLIPWAY_AGENT_HOST_H
#define SLIPWAY_AGENT_HOST_H

#include <uv.h>

#include "agent/driver.h"
#include "codec/jv.h"

struct host;

struct host_conf {
	const char *data; /* the agent's folder */
	const char *address;
	const char *pg_path; /* for discover_new; NULL: the usual */
	const struct agent_driver *driver;
	void (*on_change)(void *arg); /* a report now would say something new */
	void *arg;
};

enum err_code
host_new(uv_loop_t *loop, const struct host_conf *c, struct host **ret, struct err *e);

/* A line of the wants stream: {"members":[...]}, the whole of what this host must be. */
void host_wants(struct host *h, const json_t *wants);

/* What POST report says; a new value. */
json_t *host_report(struct host *h);

/* Is each server that was found running known again? */
bool host_is_settled(const struct host *h);

/* The certificate in the agent's folder is another one. */
void host_renewed(struct host *h);

/* with_members: their servers are stopped first. done comes once, from the loop; then host_free. */
void host_stop(struct host *h, bool with_members, void (*done)(void *arg), void *arg);
void host_free(struct host *h);

#endif
