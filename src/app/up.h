/*
 * The verb `up`: a whole platform on one machine: a system database, a control plane, an agent a
 * zone, started in this order, kept running, and stopped the other way round.
 */
#ifndef SLIPWAY_APP_UP_H
#define SLIPWAY_APP_UP_H

#include "base/opt.h"

extern const struct opt_verb up_verb;

#endif
