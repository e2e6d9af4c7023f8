/* slipway gateway: the endpoint of the databases, as a process of its own. */
#ifndef SLIPWAY_APP_GATEWAY_VERB_H
#define SLIPWAY_APP_GATEWAY_VERB_H

#include "base/opt.h"

extern const struct opt_verb gateway_verb;

#endif
