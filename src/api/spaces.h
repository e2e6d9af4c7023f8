/*
 * Namespaces that there are, so that a creation does not ask the store for its own.
 *
 * A picture that follows the store; what it does not know, the store is asked for, so that a
 * namespace can be used as soon as its creation was answered. Any thread.
 */
#ifndef SLIPWAY_API_SPACES_H
#define SLIPWAY_API_SPACES_H

#include "store/store.h"

enum space { SPACE_NONE, SPACE_ACTIVE, SPACE_TERMINATING };

struct spaces;

enum err_code spaces_new(struct store *s, struct spaces **ret, struct err *e);
void spaces_free(struct spaces *s);
enum err_code spaces_find(struct spaces *s, const char *name, enum space *ret, struct err *e);

#endif
