/*
 * Index: what is where, in memory, small: which Members and Secrets belong to which Database, which
 * hosts there are and how many members they have, which gateways, which namespaces come to an end.
 *
 * Fed by lists and the watch, and by what we have written ourselves, so that it is never behind our
 * own writes. It says where to look; the objects themselves are read from the store. Any thread.
 */
#ifndef SLIPWAY_CONTROL_INDEX_H
#define SLIPWAY_CONTROL_INDEX_H

#include "control/place.h"

struct index;

/* All hosts at one time; given back with index_hosts_drop. */
struct index_hosts {
	struct place_host *v;
	size_t n;
	struct arena arena;
	int users;
};

typedef void index_key(void *arg, const char *key);

struct index *index_new(void);
void index_free(struct index *x);

/* Takes in an object of any kind, unless a newer revision of it is known. touch is called with the
 * key of each object that must be looked at because of it ("Database/shop/orders"). */
void index_put(struct index *x, const json_t *object, index_key *touch, void *arg);
/* The object as it was last, with the revision of its deletion. */
void index_remove(struct index *x, const json_t *object, index_key *touch, void *arg);

/* Between these, what is not put is what has gone unseen: it is forgotten at the end. */
void index_list_begin(struct index *x);
void index_list_end(struct index *x, index_key *touch, void *arg);

/* Names of the Members or Secrets that say that they belong to this Database: a new array. */
json_t *index_children(struct index *x, const char *kind, const char *ns, const char *database);

struct index_hosts *index_hosts(struct index *x);
void index_hosts_drop(struct index *x, struct index_hosts *h);

/* Every host's name, and whether its Ready condition is True. */
typedef void index_host(void *arg, const char *name, bool is_ready);
void index_each_host(struct index *x, index_host *on_host, void *arg);

/* The same of gateways. */
void index_each_gateway(struct index *x, index_host *on_gateway, void *arg);

/* All gateways, with what each says of a hold of this Database (gateway_set_of): a new array. */
json_t *index_gateways(struct index *x, const char *ns, const char *database);

/* A namespace that is there and not coming to an end. */
bool index_is_open(struct index *x, const char *ns);

/* A Database at rest is looked at less often. */
void index_settle(struct index *x, const char *ns, const char *database, bool is_settled);

/* Keys of Databases that have work outstanding, and of those at rest whose turn it is: round counts
 * up, and each has its turn once in `rounds`. */
void index_each_due(struct index *x, uint64_t round, uint64_t rounds, index_key *touch, void *arg);

#endif
