/* Time zones of this machine: the files below /usr/share/zoneinfo. Any thread. */
#ifndef SLIPWAY_KINDS_ZONE_H
#define SLIPWAY_KINDS_ZONE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Is it the IANA name of a zone that there is ("Europe/Berlin")? */
bool zone_exists(const char *name);

/* The bytes of its file, for codec/window; none for UTC where there is no file of it.
 * ERR_NOT_FOUND: there is no such zone on this machine. */
enum err_code zone_read(struct arena *a, const char *name, struct str *ret, struct err *e);

#endif
