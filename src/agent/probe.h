/*
 * Probe: one session with a server that asks it, again and again, what it is: libpq on the loop.
 *
 * Everything on the loop's thread; nothing blocks. While the server cannot be asked, has_answer is
 * false and it tries again by itself. on_answer comes after each answer, and when there is none any
 * more.
 */
#ifndef SLIPWAY_AGENT_PROBE_H
#define SLIPWAY_AGENT_PROBE_H

#include <libpq-fe.h>
#include <uv.h>

#include "agent/seen.h"

struct probe_socket;

struct probe {
	uv_loop_t *loop;
	uv_timer_t timer;
	char *conninfo; /* NULL: it rests */
	PGconn *conn;
	struct probe_socket *socket;
	int phase;
	int part; /* result of the question that comes next */
	int period_ms;
	int failures; /* in a row */
	uint64_t questions; /* asked so far: the last answer is to this one */
	int64_t asked_ms;
	int64_t pending_ms; /* when pending_restart was asked for */
	bool has_answer;
	struct seen_server server, next;
	void (*on_answer)(struct probe *p);
	void (*closed)(struct probe *p);
};

void probe_init(struct probe *p, uv_loop_t *loop, void (*on_answer)(struct probe *p));

/* Connects, and asks every period_ms. */
void probe_start(struct probe *p, const char *conninfo);
void probe_stop(struct probe *p);
void probe_set_period(struct probe *p, int period_ms);

/* Asks at once, and for the settings that wait for a restart too. */
void probe_now(struct probe *p);

void probe_close(struct probe *p, void (*closed)(struct probe *p));

#endif
