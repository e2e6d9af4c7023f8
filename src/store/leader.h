/*
 * Leadership: one thread that holds, or tries to get, the one advisory lock of all replicas, on a
 * session of its own. The server releases it with the session; we notice that at once where the
 * connection ends, and after a few seconds where the server hangs.
 */
#ifndef SLIPWAY_STORE_LEADER_H
#define SLIPWAY_STORE_LEADER_H

#include "store/sessions.h"

struct leader;

struct leader *leader_new(struct sessions *s);
void leader_free(struct leader *l); /* gives leadership up */
bool leader_is(struct leader *l); /* any thread, does not block */

#endif
