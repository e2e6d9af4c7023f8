/*
 * Pglog: a server's log file: why it did not start, and that it does not grow without end.
 *
 * The server appends to it (its standard error), so it is never renamed: what it holds is copied to
 * postgres.log.1, and it is cut to nothing.
 */
#ifndef SLIPWAY_AGENT_PGLOG_H
#define SLIPWAY_AGENT_PGLOG_H

#include "base/str.h"

enum { PGLOG_MAX = 16 << 20 };

/* How long it is now: where the next start's lines begin. */
uint64_t pglog_size(const char *path);

/* The reason that the lines from offset on give: the first FATAL or PANIC, or what the line before
 * it says where that says more. "" when there is none. */
void pglog_reason(const char *path, uint64_t offset, char *ret, size_t size);

/* Was the server's address in use? */
bool pglog_says(const char *path, uint64_t offset, const char *text);

/* Cuts it when it is over PGLOG_MAX. */
void pglog_rotate(const char *path);

#endif
