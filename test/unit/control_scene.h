/* Scenes with one Database: what agents report, and what people get to read. */
#ifndef CONTROL_SCENE_H
#define CONTROL_SCENE_H

#include "control_world.h"

/* The agent of a member reports these fields of its status. */
void says(struct world *w, const char *member, const char *fields);
/* All of its spec is in place, as its agent would say so. */
void obeys(struct world *w, const char *member, int port);
/* The agent of orders-1, the primary. */
void streams(struct world *w, const char *fields);

/* "True Ready: Running in zone-a" */
const char *condition(struct world *w, const char *type);
#define assert_condition(w, type, text) assert_string_equal(condition(w, type), text)

const char *text_at(struct world *w, const char *kind, const char *name, const char *path);
const char *names_of(struct world *w); /* whom the primary shall count */
const char *set_of(struct world *w); /* status.syncSet, with spaces between */

/* One that is ready; a flexible one has its standby in zone-b. */
void make_flexible(struct world *w, const char *spec);
void make_single(struct world *w, const char *spec);

#endif
