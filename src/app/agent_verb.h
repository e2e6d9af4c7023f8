/* The verb `agent`: makes one host match what the control plane wants of it, until a signal. */
#ifndef SLIPWAY_APP_AGENT_VERB_H
#define SLIPWAY_APP_AGENT_VERB_H

#include "base/opt.h"

extern const struct opt_verb agent_verb;

/* Where `up` puts the join token of an agent that it starts: no process list shows it. */
#define AGENT_TOKEN_ENV "SLIPWAY_JOIN_TOKEN"

#endif
