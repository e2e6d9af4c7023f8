/*
 * Boot: a number for each life of an agent, greater than that of the one before: with the number of
 * a report in it, it says which of two reports is the newer one.
 *
 * Kept in <data>/boot. It also is never below the wall clock (in microseconds), so that a folder
 * that was lost does not make a host's reports old. Blocking; called once, when the agent starts.
 */
#ifndef SLIPWAY_AGENT_BOOT_H
#define SLIPWAY_AGENT_BOOT_H

#include "base/err.h"

enum err_code boot_next(const char *data, int64_t *ret, struct err *e);

#endif
