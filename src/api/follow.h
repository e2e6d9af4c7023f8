/*
 * Following a kind: all its objects, and then every change, handed to somebody who keeps a picture.
 *
 * on_change is called by one thread at a time (the store's watch thread, or our own while it lists
 * anew after the watch was lost): it must not block, nor call the store. Between FOLLOW_BEGIN and
 * FOLLOW_END come all objects there are; what was known before and is not among them has gone.
 */
#ifndef SLIPWAY_API_FOLLOW_H
#define SLIPWAY_API_FOLLOW_H

#include "store/store.h"

enum follow_event { FOLLOW_BEGIN, FOLLOW_PUT, FOLLOW_DROP, FOLLOW_END };

/* text is the object's JSON; empty for BEGIN and END. */
typedef void follow_on_change(
	void *arg, enum follow_event what, const char *ns, const char *name, struct str text);

struct follow;

/* Lists before it returns: the picture is complete then. ERR_UNAVAILABLE: the store is away. */
enum err_code follow_start(
	struct store *s, const char *kind, follow_on_change *on_change, void *arg,
	struct follow **ret, struct err *e);
void follow_stop(struct follow *f); /* no call comes after it has returned */

#endif
