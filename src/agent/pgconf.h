/*
 * Pgconf: the text of a server's configuration files, from the want and what only the host knows.
 *
 * Pure. slipway.conf is all of postgresql.conf: defaults of ours, spec.settings over them, and over
 * those what the agent alone may say (addresses, files, TLS, replication). pg_hba.conf admits the
 * agent (socket, peer), standbys (certificates of hosts), and the wanted roles on the wanted
 * databases: from a gateway's address by that gateway's certificate, from elsewhere by SCRAM over
 * TLS; nobody else.
 */
#ifndef SLIPWAY_AGENT_PGCONF_H
#define SLIPWAY_AGENT_PGCONF_H

#include "agent/want.h"

/* What only the host knows. */
struct pgconf {
	const char *home; /* the member's folder: its socket is in home/run */
	const char *certs; /* the folder of agent.key, agent.crt, ca.crt */
	const char *address;
	int port;
	const char *os_user; /* who the agent runs as */
};

enum { PGCONF_FILES = 4 };

struct pgconf_file {
	const char *name; /* "pg_hba.conf" */
	struct str text;
};

/* All files, and a hash over them: what says whether a server has been told. */
void pgconf_files(
	struct arena *a, const struct want *w, const struct pgconf *c,
	struct pgconf_file ret[PGCONF_FILES], const char **ret_hash);

/* How a standby's host reaches a primary: for the walreceiver, and for the base backup. */
const char *pgconf_conninfo(struct arena *a, const struct want *w, const struct pgconf *c);

/* keyword='value', quoted as libpq reads it. */
void pgconf_conninfo_add(struct buf *out, const char *keyword, const char *value);

#endif
