/*
 * Postmaster: what postmaster.pid says, and the process behind it, if it is one.
 *
 * A pid file may be stale and its pid somebody else's: the process counts only when it works in
 * that data folder.
 */
#ifndef SLIPWAY_AGENT_POSTMASTER_H
#define SLIPWAY_AGENT_POSTMASTER_H

#include "base/child.h"

struct postmaster {
	pid_t pid;
	bool is_ready; /* it takes connections */
};

/* ERR_NOT_FOUND: there is no file, or not all of its first line yet. */
enum err_code postmaster_read(const char *data, struct postmaster *ret, struct err *e);

/* The server that runs in this data folder, whoever started it; ERR_NOT_FOUND: none. */
enum err_code postmaster_adopt(const char *data, struct child *ret, struct err *e);

/* "PID:TICKS", the same for one process only. */
void postmaster_name(const struct child *c, char *ret, size_t size);

#endif
