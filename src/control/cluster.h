/*
 * Cluster: one Database as the plan sees it: what is (as read) beside what shall be (changed by the
 * steps of the plan, and made into writes at its end).
 *
 * Pure. Strings point into the objects that were read, or live in the arena; the objects that shall
 * be are the cluster's (cluster_done). One thread.
 */
#ifndef SLIPWAY_CONTROL_CLUSTER_H
#define SLIPWAY_CONTROL_CLUSTER_H

#include "control/outcome.h"
#include "control/place.h"

enum { CLUSTER_MEMBERS_MAX = 16 };

#define CLUSTER_FINALIZER_DATABASE "slipway.dev/database"
#define CLUSTER_FINALIZER_MEMBER "slipway.dev/member"

struct cluster_member {
	const char *name;
	const char *slot; /* as replication slot and application_name */
	const json_t *object; /* as read; NULL: it is new */
	const json_t *was; /* spec as read; NULL: it is new */
	const json_t *status; /* as its agent reported; NULL: never */
	json_t *spec; /* what it shall be */
	json_t *entry; /* of the Database's status.members: what the plan remembers of it */
	const struct place_host *host; /* NULL: its Host is gone */
	const char *zone, *state;
	bool is_primary;
	bool is_deleting; /* its agent removes it */
	bool is_unwanted; /* it shall go, once nothing depends on it */
	bool is_gone; /* its row goes with this outcome */
	bool is_heard; /* its host is, so status is of now */
	bool is_running; /* heard, and its server takes connections */
	bool is_streaming; /* a standby: its primary says so */
	bool is_in_set; /* of status.syncSet, as it shall be */
};

/* A word for programs and a sentence for people; text NULL: nothing to say. */
struct cluster_note {
	const char *reason, *text;
};

struct cluster {
	struct arena *arena;
	struct outcome *out;
	int64_t now_us;
	struct str zone_file;
	const json_t *before; /* the Database as read */
	json_t *database; /* as it shall be */
	const struct place_host *hosts;
	size_t hosts_n;
	const json_t *gateways; /* array, gateway_set_of; NULL: none */
	struct cluster_member members[CLUSTER_MEMBERS_MAX]; /* by number */
	size_t members_n;
	struct cluster_member *primary; /* NULL: there is none */
	const char *name, *namespace;
	const char *version; /* of its servers, which spec.version may differ from */
	int major;
	int64_t epoch;
	size_t standbys_wanted;
	bool is_strict;
	bool is_held; /* a raised setting waits for the standbys */
	bool was_settled_once; /* it has been as somebody asked for, some time */

	/* What the steps have to say; each keeps the first that it is told. */
	struct cluster_note blocked; /* it cannot become ready without somebody doing something */
	struct cluster_note outstanding; /* it is not yet as it was asked for */
	struct cluster_note pending; /* a restart waits for the maintenance window */
};

struct cluster_in {
	const json_t *database;
	const json_t *members; /* array; those of an earlier Database of that name are left out */
	const struct place_host *hosts;
	size_t hosts_n;
	const json_t *gateways; /* as gateway_set_of gives them; NULL: none */
	int64_t now_us;
	struct str zone_file; /* of the maintenance window's time zone, where it has one */
};

void cluster_init(
	struct cluster *c, const struct cluster_in *in, struct arena *a, struct outcome *out);
void cluster_done(struct cluster *c);

/* A new one, with the next number. role is "primary" or "standby". */
struct cluster_member *
cluster_member_new(struct cluster *c, const char *role, const struct place_host *host);

/* One that is there and takes part: neither going nor on a host that has gone. */
static inline bool cluster_member_stays(const struct cluster_member *m)
{
	return !m->is_deleting && !m->is_unwanted && m->host;
}

/* Is its spec, as read, in effect on its server? */
bool cluster_member_is_in_effect(struct cluster *c, const struct cluster_member *m);

/* "orders-2 in zone-b" */
const char *cluster_member_text(struct cluster *c, const struct cluster_member *m);

/* Keeps the first one. */
void cluster_note(
	struct cluster *c, struct cluster_note *note, const char *reason, const char *fmt, ...)
	PRINTF(4, 5);

/* Something happened to the Database. */
void cluster_event(struct cluster *c, bool is_warning, const char *reason, const char *fmt, ...)
	PRINTF(4, 5);

/* An object of kind that the Database owns: apiVersion, kind, metadata. */
json_t *cluster_owned(const struct cluster *c, const char *kind, const char *name);

/* Do metadata.ownerReferences name this uid? */
bool cluster_is_owned_by(const json_t *object, const char *uid);

/* Has metadata.deletionTimestamp. */
bool cluster_is_deleting(const json_t *object);

/* Takes the finalizer off a copy of the object: what the store then deletes. */
json_t *cluster_without_finalizer(const json_t *object, const char *finalizer);

/* Writes what shall be and differs from what was. */
void cluster_emit(struct cluster *c);

#endif
