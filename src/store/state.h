/* The store's parts. Each looks after its own locks; struct store only holds them together. */
#ifndef SLIPWAY_STORE_STATE_H
#define SLIPWAY_STORE_STATE_H

#include "store/busy.h"
#include "store/cache.h"
#include "store/committer.h"
#include "store/leader.h"
#include "store/pulse.h"
#include "store/sessions.h"
#include "store/store.h"
#include "store/watch.h"

struct keeper;

struct store {
	const struct secret_key *key; /* the caller's; NULL: Secrets cannot be kept */
	struct sessions sessions;
	struct busy busy;
	struct cache cache;
	struct pulses pulses;
	struct committer *committer;
	struct watcher *watcher;
	struct leader *leader;
	struct keeper *keeper;
};

#endif
