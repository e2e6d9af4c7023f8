/*
 * Boot: a number for each life of a process, greater than that of the one before: with the number
 * a report in it, it says which of two reports is the newer one.
 *
 * Kept in <data>/boot. It also is never below the wall clock (in microseconds), so that a folder
 * that was lost does not make its reports old. Blocking; called once, at start.
 */
#ifndef SLIPWAY_BASE_BOOT_H
#define SLIPWAY_BASE_BOOT_H

#include "base/err.h"

enum err_code boot_next(const char *data, int64_t *ret, struct err *e);

#endif
