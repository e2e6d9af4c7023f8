/* Time zones of this machine: the files below /usr/share/zoneinfo. Any thread. */
#ifndef SLIPWAY_KINDS_ZONE_H
#define SLIPWAY_KINDS_ZONE_H

#include "base/defs.h"

/* Is it the IANA name of a zone that there is ("Europe/Berlin")? */
bool zone_exists(const char *name);

#endif
