/*
 * The client verbs of the command line: each is a client of the API, as kubectl is.
 *
 * Exit codes: 0 fine, 1 error (one sentence on standard error), and what a verb's table adds.
 */
#ifndef SLIPWAY_CLI_CLI_H
#define SLIPWAY_CLI_CLI_H

#include "base/opt.h"

/* Ends with NULL. */
extern const struct opt_verb *const cli_verbs[];

#endif
