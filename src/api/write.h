/*
 * create, update; and the common end of every change of an object.
 */
#ifndef SLIPWAY_API_WRITE_H
#define SLIPWAY_API_WRITE_H

#include "api/admit.h"

enum { WRITE_TRIES = 6 };

json_t *write_create(struct call *c);
json_t *write_update(struct call *c);

/* Reads the object of the path: 404, 503, … */
json_t *write_read_live(struct call *c, json_t **ret);

/* w->object, which came from a body or a patch, over w->live: keeps what is the platform's, runs
 * admission, notes who owns which field, writes, answers. ret_is_stale: somebody else was faster,
 * and the caller may try again with what is there now (no Status then). */
json_t *write_change(struct admission *w, bool *ret_is_stale);

/* Stores w->object as new, and answers 201; the metadata that is the platform's must be off. */
json_t *write_new(struct admission *w);

/* An object with all its parts in place (as server-side apply makes it) over w->live. */
json_t *write_store(struct admission *w, bool *ret_is_stale);

#endif
