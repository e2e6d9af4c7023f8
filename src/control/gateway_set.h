/*
 * Gateway set: the gateways, as the index knows them: where each is, whether it is heard, and which
 * Databases' sessions it holds. Few and small; a change of where one is concerns all Databases.
 *
 * Not for two threads at a time: the index's lock guards it.
 */
#ifndef SLIPWAY_CONTROL_GATEWAY_SET_H
#define SLIPWAY_CONTROL_GATEWAY_SET_H

#include "base/map.h"
#include "codec/jv.h"

struct gateway_set {
	struct map by_name; /* to a digest, json_t */
};

void gateway_set_done(struct gateway_set *g);

/* What is different now: where they are, or which Databases have a hold that changed (names of
 * routes, added to the array ret_held). */
bool gateway_set_put(struct gateway_set *g, const json_t *object, json_t *ret_held);
bool gateway_set_remove(struct gateway_set *g, const char *name, json_t *ret_held);

/* Each of them, by name, with its hold of this Database: [{"name", "isReady", "isKnown" (it was
 * ready once), "address", "sources", "hold"?}], a new value. route is "<namespace>.<name>". */
json_t *gateway_set_of(const struct gateway_set *g, const char *route);

#endif
