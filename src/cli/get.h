/* The verb `get`: lists objects, shows one, or watches them. */
#ifndef SLIPWAY_CLI_GET_H
#define SLIPWAY_CLI_GET_H

#include "cli/session.h"

extern const struct opt_verb get_verb;

/* "database.slipway.dev/orders", "secret/orders-app" */
const char *get_name(struct arena *a, const struct kind *k, const char *name);

/* Takes metadata.managedFields off, which people do not want to read. */
void get_tidy(json_t *object);

/* Prints an object, or a list of them, as "json" or "yaml". */
int get_print(const char *form, const json_t *value);

#endif
