/* The verb `plan`: what apply would do, and what it costs. */
#ifndef SLIPWAY_CLI_PLAN_H
#define SLIPWAY_CLI_PLAN_H

#include "base/opt.h"

extern const struct opt_verb plan_verb;

#endif
