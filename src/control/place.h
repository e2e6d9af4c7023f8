/*
 * Place: which host gets the next member of a Database. Pure; no state; nothing can fail.
 *
 * A member goes to a zone where the Database has none yet, on a host that has the major version, is
 * heard, and takes new members: to the zone that the Database names first, else to the host with
 * the fewest members, else to the first by name.
 */
#ifndef SLIPWAY_CONTROL_PLACE_H
#define SLIPWAY_CONTROL_PLACE_H

#include "codec/jv.h"

/* A Host, as far as placing and sentences about it need it. */
struct place_host {
	const char *name, *zone;
	const char *address; /* NULL: not reported yet */
	const char *silent_since; /* NULL: it is heard, or was never */
	uint32_t majors; /* bit n: PostgreSQL n is installed */
	bool is_ready; /* its agent is heard */
	bool is_closed; /* spec.unschedulable */
	size_t members;
};

enum { PLACE_USED_MAX = 8 };

struct place_ask {
	int major;
	const json_t *zones; /* allowed ones, in order; NULL or empty: any */
	const char *used[PLACE_USED_MAX]; /* zones that have a member already */
	size_t used_n;
	size_t zones_needed; /* by the Database in all, for the sentence */
};

/* The host, or NULL and a sentence in the arena: what is missing, and what there is. */
const struct place_host *place_choose(
	struct arena *a, const struct place_host *hosts, size_t n, const struct place_ask *ask,
	const char **ret_why);

/* "first", "second", "third"; "next" beyond. */
const char *place_ordinal(size_t n);

/* A host's summary from the Host object; strings point into it. members is left 0. */
void place_host_of(const json_t *host, struct place_host *ret);

#endif
