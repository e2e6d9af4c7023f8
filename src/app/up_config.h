/*
 * What one `slipway up` is made of, and remembers: where its API is, and which zones it has.
 *
 * <data>/config.json holds it from the first start on, so that a second one brings the same back.
 */
#ifndef SLIPWAY_APP_UP_CONFIG_H
#define SLIPWAY_APP_UP_CONFIG_H

#include "app/address.h"
#include "app/folder.h"

enum { UP_ZONES_MAX = 16 };

struct up_zone {
	const char *name;
	const char *address;
};

struct up_config {
	struct address api;
	struct up_zone zones[UP_ZONES_MAX];
	size_t n;
};

/* "zone-a@127.0.1.1,zone-b": without an address, the Nth zone is at 127.0.N.1. */
enum err_code
up_zones_parse(struct arena *a, const char *text, struct up_config *ret, struct err *e);

/* What was said (NULL: nothing) over what is remembered over the defaults. A port of 0 is the one
 * that is remembered, else it stays 0. ERR_CONFLICT: it does not fit what is there. */
enum err_code up_config_load(
	struct arena *a, const struct folder *f, const char *api, const char *zones,
	struct up_config *ret, struct err *e);

enum err_code up_config_save(const struct folder *f, const struct up_config *c, struct err *e);

#endif
