/*
 * Discover: the majors of PostgreSQL that are installed on this host.
 *
 * Each folder of a path with '*' in it is asked once: its postgres says what it is. Where a major
 * is there twice, the newer minor counts. Blocks for some milliseconds a new folder.
 */
#ifndef SLIPWAY_AGENT_DISCOVER_H
#define SLIPWAY_AGENT_DISCOVER_H

#include "codec/jv.h"

#define DISCOVER_PATH                                                                              \
	"/usr/lib/postgresql/*/bin:/opt/slipway/postgresql/*/bin:/usr/local/pgsql*/bin"

struct discover;

/* path: folders with '*', ':' between; NULL: DISCOVER_PATH. */
struct discover *discover_new(const char *path);
void discover_free(struct discover *d);

/* Looks again, for what was installed or removed since. Says whether anything changed. */
bool discover_look(struct discover *d);

/* The folder of its programs; NULL: not installed. */
const char *discover_bin(const struct discover *d, int major);

/* [{"major":"15","version":"15.18","path":"/usr/lib/postgresql/15/bin"}], majors in order; a new
 * value. */
json_t *discover_report(const struct discover *d);

#endif
