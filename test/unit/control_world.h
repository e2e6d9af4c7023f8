/*
 * A world for the plan of one Database: a store in memory that obeys the real one's rules of
 * change, hosts, and calls of the plan on what is in it. For test_database_plan and
 * test_database_sim.
 */
#ifndef CONTROL_WORLD_H
#define CONTROL_WORLD_H

#include "control/database_plan.h"

enum { WORLD_OBJECTS = 256, WORLD_HOSTS = 4 };

struct world {
	json_t *objects[WORLD_OBJECTS]; /* NULL: free */
	int64_t revision, uids;
	int64_t now_us;
	struct place_host hosts[WORLD_HOSTS];
	size_t hosts_n;
	json_t *gateways; /* NULL: none */
	size_t writes; /* that changed something, in all */
	size_t groups; /* transactions */
	size_t events;
	char event[64]; /* reason of the last one */
	char events_text[2000]; /* "Reason: message\n" of the last plan */
	int64_t wake_at_us;
	bool is_settled;
	size_t rounds; /* plans that it takes until there is nothing left to do; 0: 1 */
};

/* Three hosts zone-a, zone-b, zone-c with PostgreSQL 13, 15 and 17. */
void world_init(struct world *w);
void world_done(struct world *w);

/* Borrowed; NULL: not there. */
json_t *world_get(const struct world *w, const char *kind, const char *name);
json_t *world_list(const struct world *w, const char *kind); /* a new array */

/* As the API would; object is stolen. Fails the test where the store would refuse. */
void world_create(struct world *w, json_t *object);
void world_write(
	struct world *w, enum store_verb verb, const char *kind, const char *name, json_t *object);
void world_delete(struct world *w, const char *kind, const char *name);

/* A Database with spec in JSON ('...' quotes stand for "..."), prepared and checked. */
void world_database(struct world *w, const char *spec);
/* Replaces its spec's fields by those given. */
void world_change(struct world *w, const char *spec);
json_t *world_json(const char *text);

/* What the plan makes of what is there now, or of what was read before. */
void world_plan(
	const struct world *w, const json_t *database, const json_t *members, const json_t *secrets,
	struct arena *a, struct outcome *ret);
/* All writes or none, as store_write; false: refused. */
bool world_apply(struct world *w, struct outcome *o);

/* Plans and applies; asserts that the next plan has nothing to do. */
void world_reconcile(struct world *w);

#endif
