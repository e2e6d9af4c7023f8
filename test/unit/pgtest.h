/*
 * A throw-away PostgreSQL for tests: its own folder under /tmp, a unix socket only, no port taken.
 *
 *	struct pgtest pg;
 *
 *	if (!pgtest_start(&pg, 15, NULL))	// false: this major is not installed
 *		skip();
 *	db_open(pg.conninfo, 5000, &d, &e);	// the superuser "slipway", database "postgres"
 *	pgtest_kill(&pg);			// kill -9, as a power cut would
 *	pgtest_restart(&pg);			// the same data, the same conninfo; ready when it
 *returns pgtest_stop(&pg);			// stops it by pid and removes the folder
 *
 * Started by root, the server runs as user slipway. It dies with the thread that started it, so a
 * test that crashes leaves no process behind. It runs with fsync off, which a kill does not notice;
 * further settings (with fsync = on for a bench) are lines of postgresql.conf. Not for two threads
 * at a time; what goes wrong is printed and fails the test by abort().
 * Meson: add pgtest_dep to the test's dependencies.
 */
#ifndef SLIPWAY_TEST_PGTEST_H
#define SLIPWAY_TEST_PGTEST_H

#include <sys/types.h>

#include "base/defs.h"

struct pgtest {
	int major;
	char bin[128]; /* folder of postgres and initdb */
	char dir[64]; /* holds data/, the socket and the log */
	char conninfo[256];
	pid_t pid; /* of the postmaster; 0: not running */
};

/* The majors that tests go through, those that are installed of 14, 15 and 17; ends with 0. */
const int *pgtest_majors(void);

bool pgtest_start(struct pgtest *t, int major, const char *conf);
void pgtest_stop(struct pgtest *t);

void pgtest_kill(struct pgtest *t);
void pgtest_restart(struct pgtest *t);

/* SIGSTOP and SIGCONT for the postmaster and all its children: a server that hangs. */
void pgtest_freeze(struct pgtest *t, bool is_frozen);

#endif
