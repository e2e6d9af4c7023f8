/*
 * Gateways, as one Database is concerned: the servers let them in, its Secrets point at them, and
 * they hold its sessions when somebody asks for it.
 */
#ifndef SLIPWAY_CONTROL_PLAN_GATEWAY_H
#define SLIPWAY_CONTROL_PLAN_GATEWAY_H

#include "control/cluster.h"
#include "control/credentials.h"

/* Who may come in, into the members. Also those that are silent: a server lets them in when they
 * come back. */
void plan_gateway_admit(struct cluster *c);

/* Where applications connect to, if there is a gateway: those that are heard; while none is, those
 * that were, so that Secrets stay as they are through a restart. False: none is known. dbname: the
 * PostgreSQL database. */
bool plan_gateway_where(struct cluster *c, const char *dbname, struct credentials_where *ret);

/* status.hold, as it is asked for; the condition Held, as the gateways tell. */
void plan_gateway_hold(struct cluster *c);

#endif
