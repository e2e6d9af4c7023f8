/*
 * The agent: makes one host match what the control plane wants of it.
 *
 * Everything runs on the loop's thread; work that blocks (a base backup, removing a folder) in a
 * thread of its own. No globals: a process may hold thousands (a bench does). Restarting it never
 * touches a running postgres: it adopts it by pidfd.
 */
#ifndef SLIPWAY_AGENT_AGENT_H
#define SLIPWAY_AGENT_AGENT_H

#include <uv.h>

#include "base/err.h"

struct agent;
struct agent_driver;

struct agent_conf {
	const char
		*data; /* its folder; agent.json in it says name, zone, address, url after a join */
	const char *pg_path; /* folders of PostgreSQL programs with '*', ':' between; NULL: the
				usual ones */
	const struct agent_driver *driver; /* NULL: real postgres */
};

/* Joins the platform (blocking): makes the key, spends the token, keeps certificate and agent.json.
 * A folder that has joined already is fine and spends nothing. */
struct agent_join {
	const char *data, *url, *token, *name, *zone, *address;
};
enum err_code agent_join(const struct agent_join *j, struct err *e);

enum err_code
agent_new(uv_loop_t *loop, const struct agent_conf *c, struct agent **ret, struct err *e);

/* Stops watching; with_members: stops the servers first. done comes once, from the loop. */
void agent_stop(struct agent *a, bool with_members, void (*done)(void *arg), void *arg);
void agent_free(struct agent *a);

#endif
