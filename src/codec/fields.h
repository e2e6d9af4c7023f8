/*
 * Field ownership: metadata.managedFields (FieldsV1) and server-side apply, as Kubernetes'
 * structured-merge-diff does it, over codec/schema's list types.
 *
 * Pure. Values are whole objects with their managedFields; results are new values.
 */
#ifndef SLIPWAY_CODEC_FIELDS_H
#define SLIPWAY_CODEC_FIELDS_H

#include "codec/schema.h"

enum { FIELDS_CONFLICTS_MAX = 50 };

struct fields_conflict {
	const char *manager; /* who owns it, as "kubectl-edit" or 'kubectl-edit" using
				slipway.dev/v1' */
	const char *field; /* ".spec.standbys" */
};

struct fields_conflicts {
	struct arena *arena;
	struct fields_conflict v[FIELDS_CONFLICTS_MAX];
	size_t n;
};

/* Server-side apply of `applied` (no managedFields in it) by manager onto live (NULL: create).
 * Without force, a field that another manager owns with another value is a conflict: ERR_CONFLICT
 * and *conflicts is filled. Fields the manager applied before and no longer names are removed
 * unless somebody else owns them. subresource is "" or "status". */
enum err_code fields_apply(
	const struct schema *s, const json_t *live, const json_t *applied, const char *manager,
	const char *api_version, const char *subresource, bool force, const char *now, json_t **ret,
	struct fields_conflicts *conflicts, struct err *e);

/* After any other write: object is what will be stored, live what was (NULL: created). The manager
 * becomes owner (operation Update) of each field that changed, others lose it. Changes object. */
void fields_update(
	const struct schema *s, const json_t *live, json_t *object, const char *manager,
	const char *api_version, const char *subresource, const char *now);

#endif
