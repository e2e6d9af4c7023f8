/*
 * The plan of a Database: what is, in; what to write, out. The whole life of a Database is decided
 * here: ARCHITECTURE.md, "A Database's life".
 *
 * Pure but for the randomness of passwords, which the caller may replace. Each call does every step
 * that is possible now; called again with what it wrote, it has nothing to do.
 */
#ifndef SLIPWAY_CONTROL_DATABASE_PLAN_H
#define SLIPWAY_CONTROL_DATABASE_PLAN_H

#include "control/cluster.h"
#include "control/plan_access.h"

void database_plan(
	const struct cluster_in *in, const struct plan_access_conf *access, struct arena *a,
	struct outcome *ret);

#endif
