/*
 * Want: what the control plane wants one member to be, read from a line of the wants stream or from
 * want.json.
 *
 * Counted: want_keep and want_drop on the loop's thread only; a job may read one that its server
 * keeps. Everything in it lives as long as it does and never changes. What a name or a setting may
 * hold is checked here, so that those who write SQL, files and paths from it need not.
 */
#ifndef SLIPWAY_AGENT_WANT_H
#define SLIPWAY_AGENT_WANT_H

#include "codec/jv.h"

enum { WANT_MAJOR_MIN = 13, WANT_STANDBYS_MAX = 8, WANT_GATEWAYS_MAX = 64 };

struct want {
	int count;
	struct arena arena;
	json_t *json; /* whole, as it came */

	const char *uid, *namespace, *name;
	const char *slot; /* name with dashes as underscores */
	const char *database; /* the Database that it belongs to */
	bool is_deleting, is_running, is_primary;
	int64_t epoch, restart;
	int major;
	const char *system_identifier; /* of the cluster that it has been part of; NULL: none yet */
	const char *sync_names; /* "" for none */
	const char *upstream_member; /* NULL: none */
	const char *upstream_host;
	int upstream_port;
	const char *standbys[WANT_STANDBYS_MAX]; /* names of Members */
	size_t standbys_n;
	const json_t *settings; /* an object of strings */
	const json_t *databases, *roles; /* arrays */
	const json_t *gateways; /* array of {"name", "address"}: where each comes from */

	const char *hash; /* of all */
	const char *settings_hash, *roles_hash; /* as reported */
	const char *access_hash; /* of databases and roles with their verifiers */
};

/* ERR_INVALID says what is wrong with it. */
enum err_code want_parse(const json_t *json, struct want **ret, struct err *e);
struct want *want_keep(struct want *w);
void want_drop(struct want **w); /* sets it to NULL */

#endif
