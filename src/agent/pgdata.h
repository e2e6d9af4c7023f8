/*
 * Pgdata: a server's data folder: looked at, made whole or not at all, configured, removed.
 *
 * A new one is made beside its place, as data.XXXXXX, and gets its name only when all of it is on
 * the disk: so data/ is always whole, and what an ended agent left half done is swept away.
 * Blocking: runs in jobs. Fault points: "pgdata.sync", "pgdata.publish".
 */
#ifndef SLIPWAY_AGENT_PGDATA_H
#define SLIPWAY_AGENT_PGDATA_H

#include "agent/pgconf.h"
#include "agent/seen.h"

/* What is in home/data? For SEEN_BAD, ret_why says what is wrong with it. */
enum seen_data pgdata_look(const char *home, int major, char ret_why[SEEN_WHY]);

/* A name for a new folder, in the arena; removes those that were left behind. */
enum err_code pgdata_begin(struct arena *a, const char *home, const char **ret_dir, struct err *e);

/* initdb into dir, by the programs in bin. */
enum err_code pgdata_init(const char *bin, const char *dir, struct err *e);

/* Writes those files that differ. is_durable: each is synced (a live folder); without it, the
 * caller syncs all (a new one). */
enum err_code pgdata_configure(
	const char *dir, const struct pgconf_file files[PGCONF_FILES], bool is_durable,
	struct err *e);

/* Says so in an empty file: this is a standby. */
enum err_code pgdata_mark_standby(const char *dir, struct err *e);

/* Syncs all of dir, and makes it home/data. On failure dir is removed. */
enum err_code pgdata_publish(const char *home, const char *dir, struct err *e);

/* Removes home/data and what was left of half-made ones. */
enum err_code pgdata_remove(const char *home, struct err *e);

/* Is the disk full? Then e says so in words that help, with what is free at path. */
void pgdata_explain_full(const char *path, struct err *e);

#endif
