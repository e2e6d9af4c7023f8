/*
 * The watcher: one thread that reads change_log for all watches of this process.
 *
 * It has a session of its own, which LISTENs; NOTIFY only says that it is worth to look. Each watch
 * has its position, the revision up to which all has been handed over, and that is all that must
 * survive a lost session.
 */
#ifndef SLIPWAY_STORE_WATCH_H
#define SLIPWAY_STORE_WATCH_H

#include "store/sessions.h"
#include "store/store.h"

struct watcher;

struct watcher *watcher_new(struct sessions *s, const struct secret_key *key);
void watcher_free(struct watcher *w); /* all watches have been stopped */

enum err_code watcher_start(
	struct watcher *w, const char *kind, const struct store_filter *f, int64_t revision,
	store_on_event *on_event, void *arg, struct store_watch **ret, struct err *e);

#endif
