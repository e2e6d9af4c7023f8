/*
 * Manifests: the objects in files, folders or standard input, in order.
 *
 * A folder gives its *.yaml, *.yml and *.json files, sorted by name, without those below it.
 * Kinds that others need (Namespaces) come first, else the order stays.
 */
#ifndef SLIPWAY_CLI_MANIFEST_H
#define SLIPWAY_CLI_MANIFEST_H

#include "cli/session.h"

enum { MANIFEST_MAX = 1000, MANIFEST_FILE_MAX = 16 << 20 };

struct manifest {
	const json_t *object; /* borrowed from manifests.docs */
	const struct kind *kind;
	const char *ns; /* NULL for cluster-wide kinds */
	const char *name;
	const char *origin; /* "orders.yaml": for messages */
};

struct manifests {
	struct arena arena;
	json_t *docs; /* keeps the objects */
	struct manifest *v;
	size_t n;
};

/* The namespace of an object that names none is ns. Starts zeroed; manifests_done in any case. */
enum err_code
manifests_read(const struct opt_strs *files, const char *ns, struct manifests *ret, struct err *e);
void manifests_done(struct manifests *m);

/* "database payments-dev/orders", "namespace payments-dev" */
const char *manifest_title(struct arena *a, const struct manifest *m);

#endif
