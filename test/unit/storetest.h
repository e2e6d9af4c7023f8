/*
 * For tests that need a store: one on a throw-away PostgreSQL, and short ways to write to it.
 *
 * Failures fail the running test. Not for two threads at a time, except storetest_write.
 */
#ifndef SLIPWAY_TEST_STORETEST_H
#define SLIPWAY_TEST_STORETEST_H

#include "pgtest.h"
#include "store/store.h"

/* A store of its own on pg, as a further replica would have it. The key is kept in pg's folder. */
struct store *storetest_open(const struct pgtest *pg);
void storetest_close(struct store *s);

/* One write of kind Database in namespace "shop"; text NULL: no object. *ret_revision (may be
 * NULL): of what is stored now. e may be NULL. */
enum err_code storetest_write(
	struct store *s, enum store_verb verb, const char *name, const char *text,
	int64_t *ret_revision, struct err *e);

int64_t storetest_revision(const json_t *o);

#endif
