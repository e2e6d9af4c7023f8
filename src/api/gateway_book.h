/*
 * Gateway book: what the routes of gateways are made of (Databases, Members, verifiers), followed
 * in the store as digests, and which routes are to be made anew because of it.
 *
 * gateway_routes.c makes them. Everything is guarded by the book's lock, which its callers take.
 */
#ifndef SLIPWAY_API_GATEWAY_BOOK_H
#define SLIPWAY_API_GATEWAY_BOOK_H

#include <pthread.h>

#include "api/verifier.h"
#include "base/list.h"
#include "base/map.h"
#include "store/store.h"

struct follow;

/* What a map holds begins with this: has it been seen since the list began? */
struct gateway_node {
	bool is_seen;
};

enum gateway_lag { GATEWAY_LAG_UNKNOWN, GATEWAY_LAG_WITHIN, GATEWAY_LAG_BEYOND };

struct gateway_member {
	struct gateway_node node;
	struct list in_route;
	struct gateway_entry *route;
	char *ns, *name, *uid;
	char *digest;
	enum gateway_lag lag;
	int64_t lag_bytes; /* when its class last changed */
};

struct gateway_entry {
	struct gateway_node node;
	struct list by_change; /* the newest last */
	struct list dirty; /* alone: it is not */
	struct list members;
	char *ns, *database;
	char *digest; /* NULL: it has no row */
	int64_t max_lag_bytes;
	int64_t revision; /* the newest of the objects that it is made of */
	char *text; /* its line as it is told; NULL: never, or gone */
	uint64_t hash; /* of that, but for the revision */
	int64_t change; /* when it last changed: counts changes */
	int64_t gone_ms; /* since when it is gone, if it was ever told */
};

struct gateway_verifier {
	struct gateway_node node;
	struct verifier verifier;
};

struct gateway_book {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* signalled when something becomes dirty */
	struct map routes; /* "namespace/database" to struct gateway_entry */
	struct map members; /* "namespace/member" to struct gateway_member */
	struct map verifiers; /* "namespace/secret" to struct gateway_verifier */
	struct list dirty; /* routes that are to be made anew */
	struct follow *follow_databases, *follow_members, *follow_secrets;
};

void gateway_book_init(struct gateway_book *b);
/* Lists before it returns: the book is complete then. ERR_UNAVAILABLE: the store is away. */
enum err_code gateway_book_follow(struct gateway_book *b, struct store *s, struct err *e);
void gateway_book_unfollow(struct gateway_book *b); /* nothing changes any more */
void gateway_book_done(struct gateway_book *b);

/* All below: under the lock. */

/* Its route is to be made anew; revision 0: no object's. */
void gateway_book_touch(struct gateway_book *b, struct gateway_entry *route, int64_t revision);

/* The route goes if nothing is known of it and nobody was told of it. */
void gateway_book_forget_if_empty(struct gateway_book *b, struct gateway_entry *route);

/* {role: [verifier]} of the Database that the route is of, a new value; d is its digest. */
json_t *
gateway_book_verifiers(struct gateway_book *b, const struct gateway_entry *route, const json_t *d);

#endif
