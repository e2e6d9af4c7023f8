/*
 * Home: a member's folder on the host, and the little that the agent keeps about it.
 *
 *   <data>/m/<first 12 hex digits of uid>/ want.json state.json data/ run/ log/
 *
 * Both files are written durably. They say what was wanted and done, never what is running.
 * Blocking: called from jobs, and once for each member when the agent starts.
 */
#ifndef SLIPWAY_AGENT_HOME_H
#define SLIPWAY_AGENT_HOME_H

#include "agent/want.h"

enum { HOME_UID_DIGITS = 12, HOME_WANT_MAX = 4 << 20, HOME_HASH = 33 };

/* state.json */
struct home_state {
	int port; /* 0: none yet */
	int64_t epoch; /* whose role is in place */
	int64_t restarted; /* spec.restart that the last start carried out */
	int64_t restart_ms; /* that the last restart took, from its stop to taking connections; 0 */
	bool is_initialised; /* there was a whole data folder once */
	char access[HOME_HASH], roles[HOME_HASH]; /* of the want whose roles are there */

	/* what holds for one process only: postmaster_name, "" for none */
	char server[48];
	char loaded[HOME_HASH], settings[HOME_HASH]; /* pgconf_files' hash, want.settings_hash */
	bool is_proven;
	char proven_names[512];
	uint64_t proven_lsn;
};

/* "<data>/m/<uid>", in the arena. */
const char *home_path(struct arena *a, const char *data, const char *uid);

/* Makes the folder, run/ and log/. */
enum err_code home_make(const char *home, struct err *e);

enum err_code home_write_want(const char *home, const struct want *w, struct err *e);
enum err_code home_read_want(const char *home, struct want **ret, struct err *e);

/* A missing or torn state.json is an empty state. */
void home_read_state(const char *home, struct home_state *ret);
enum err_code home_write_state(const char *home, const struct home_state *s, struct err *e);

/* Removes all: data first, want.json last, so that a remover that was killed is followed by one
 * that knows what to go on with. */
enum err_code home_remove(const char *home, struct err *e);

#endif
