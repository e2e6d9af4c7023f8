/*
 * Admission: everything that must be true of an object before it is written, in Kubernetes' order:
 * shape, unknown fields, defaults, schema, metadata, the kind's own rules.
 */
#ifndef SLIPWAY_API_ADMIT_H
#define SLIPWAY_API_ADMIT_H

#include "api/body.h"

/* A write on its way through admission. */
struct admission {
	struct call *call;
	const struct kind *kind;
	struct options options;
	json_t *live; /* what is stored; NULL: creation. Owned */
	json_t *object; /* what shall be stored. Owned */
	bool is_warned; /* unknown fields have been named to the client */
};

void admission_done(struct admission *w);

/* Is the body an object of this kind, for this path? Fills in apiVersion, kind, namespace, and name
 * where the path has one. */
json_t *admit_shape(struct admission *w);

/* Takes unknown fields out, and refuses them or warns, as the options say. */
json_t *admit_fields(struct admission *w);

/* Defaults, schema, metadata, rules. 422 with all causes. */
json_t *admit_rules(struct admission *w);

/* May something be created in the path's namespace? 404 or 403. */
json_t *admit_namespace(struct admission *w);

#endif
