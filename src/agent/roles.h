/*
 * Roles: the roles, databases and extensions that a want names, made inside a running primary.
 *
 * Idempotent, and safe to be killed in at any statement: what is there already is left or set
 * right. What is no longer named is not dropped, since that would be the data: pg_hba.conf just no
 * longer admits it. Blocking: runs in a job; its sessions commit locally, so that a standby that is
 * away does not hold them up.
 */
#ifndef SLIPWAY_AGENT_ROLES_H
#define SLIPWAY_AGENT_ROLES_H

#include "agent/want.h"
#include "db/db.h"

/* How the agent reaches its own server, as postgres. */
const char *roles_conninfo(struct arena *a, const char *home, int port, const char *database);

/* d is a session with the database postgres. */
enum err_code
roles_apply(struct db *d, const struct want *w, const char *home, int port, struct err *e);

#endif
