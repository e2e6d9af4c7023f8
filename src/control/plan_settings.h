/*
 * Settings of the servers, and the restarts that some of them need.
 *
 * A standby must never have less of the bound settings (max_connections and its like) than its
 * primary runs with: else it stops replaying. So a raised one reaches the primary when all standbys
 * have it in effect, and a lowered one reaches a standby when the primary has it in effect.
 * Restarts go one server at a time, and only within the maintenance window where there is one.
 */
#ifndef SLIPWAY_CONTROL_PLAN_SETTINGS_H
#define SLIPWAY_CONTROL_PLAN_SETTINGS_H

#include "control/cluster.h"

/* Gives each member its settings. */
void plan_settings(struct cluster *c);

/* Restarts the next server that needs it, if its turn has come. After plan_sync. */
void plan_settings_restart(struct cluster *c);

#endif
