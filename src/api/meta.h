/*
 * Metadata of an object on its way in: names, labels, annotations, finalizers; what of it a client
 * may say and what is the platform's. Pure.
 */
#ifndef SLIPWAY_API_META_H
#define SLIPWAY_API_META_H

#include "codec/schema.h"
#include "kinds/kinds.h"

enum { META_ANNOTATIONS_MAX = 256 << 10, META_GENERATED = 5 };

/* Adds a cause for each violation; old is NULL at creation. */
void meta_check(
	const struct kind *k, const json_t *object, const json_t *old, struct schema_causes *out);

/* Takes off what a client cannot set at creation. */
void meta_clean(json_t *object);

/* Takes over from old what a client cannot change. */
void meta_keep(json_t *object, const json_t *old);

/* metadata.name from metadata.generateName and five random letters. */
void meta_generate_name(json_t *object);

/* Does anything but metadata and status differ? Then generation counts up. */
bool meta_is_spec_changed(const json_t *object, const json_t *old);

#endif
