/*
 * Crew: the children of `up` and the signals that ask it to stop, in one poll.
 *
 * One thread. SIGINT, SIGTERM and SIGHUP are blocked and counted from crew_open on.
 */
#ifndef SLIPWAY_APP_CREW_H
#define SLIPWAY_APP_CREW_H

#include "app/proc.h"

enum { CREW_MAX = 20 };

struct crew {
	struct proc procs[CREW_MAX];
	size_t n;
	int signal_fd;
	unsigned asked_to_stop; /* signals that came */
	unsigned changes; /* counts up whenever a process came or went */
};

enum err_code crew_open(struct crew *c, struct err *e);

/* Borrowed; not moved until the crew ends. Its conf is the caller's to fill. */
struct proc *crew_add(struct crew *c, const char *name);

/* Waits until something happened, at most max_ms (-1: for ever), and lets it happen. */
void crew_step(struct crew *c, int max_ms);

/* Asks those from first to last (an index behind it) to stop and waits until they have. */
void crew_stop(struct crew *c, size_t first, size_t last);

#endif
