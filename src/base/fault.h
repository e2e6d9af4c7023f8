/*
 * Fault points: named places at each call that can lose data, armed from tests.
 *
 *   SLIPWAY_FAULT=file.rename:3       the third time, the call fails with EIO
 *   SLIPWAY_FAULT=store.commit:1:kill the first time, the process kills itself (SIGKILL)
 *   several, with commas between them
 *
 * Unarmed, a point costs one load. Any thread.
 */
#ifndef SLIPWAY_BASE_FAULT_H
#define SLIPWAY_BASE_FAULT_H

#include "base/defs.h"

/* True (with errno = EIO) when the call behind this point must fail now. */
bool fault_hit(const char *point);

#endif
