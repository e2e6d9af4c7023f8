/*
 * Rotation of credentials, the reader's part: a Secret whose new password the servers do not take
 * yet is handed out only once they do (kinds/credential.h).
 */
#ifndef SLIPWAY_API_ROTATION_H
#define SLIPWAY_API_ROTATION_H

#include "api/call.h"

enum { ROTATION_WAIT_MS = 20000 };

bool rotation_is_pending(const struct kind *k, const json_t *object);
bool rotation_may_be_pending(const struct kind *k, struct str text); /* cheap, may err to yes */

/* Says that it is being fetched, waits for the servers, and replaces *object with what is then
 * stored. 503 when they do not get there in time: the old password goes on working. */
json_t *rotation_finish(struct call *c, json_t **object);

/* The same for all that are pending in the namespace of the path (or in all). */
json_t *rotation_finish_all(struct call *c);

#endif
