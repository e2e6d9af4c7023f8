/*
 * Field ownership: metadata.managedFields (FieldsV1) and server-side apply, as Kubernetes'
 * structured-merge-diff does it, over codec/schema's list types.
 *
 * Pure. Values are whole objects with their managedFields; results are new values.
 */
#ifndef SLIPWAY_CODEC_FIELDS_H
#define SLIPWAY_CODEC_FIELDS_H

#include "codec/schema.h"

enum { FIELDS_CONFLICTS_MAX = 50, FIELDS_UPDATE_MANAGERS_MAX = 10 };

struct fields_conflict {
	const char *manager; /* who owns it, without the closing quote: 'argo' for an applier,
				'kubectl-edit" using slipway.dev/v1 at 2026-…Z' for others */
	const char *field; /* ".spec.standbys" */
};

/* More than the most are counted, not kept. Those of a manager stand together. */
struct fields_conflicts {
	struct arena *arena;
	struct fields_conflict v[FIELDS_CONFLICTS_MAX];
	size_t n;
};

/*
 * Server-side apply of `applied` by manager onto live (NULL: create). Without force, a field that
 * another manager owns with another value is a conflict: ERR_CONFLICT, *conflicts is filled, and e
 * has Kubernetes' sentence. It is none where last_applied (what a client wrote before by comparing
 * on its own, or NULL) has the value that live still has: that is taken over. Fields that the
 * manager applied before and no longer names are removed unless somebody else owns them.
 * subresource is "" (status is left out of what is applied) or "status" (all but status is). now is
 * as clock_text_s writes it. The result's managedFields are sorted, and where nothing changed it
 * equals live.
 */
enum err_code fields_apply(
	const struct schema *s, const json_t *live, const json_t *applied,
	const json_t *last_applied, const char *manager, const char *api_version,
	const char *subresource, bool force, const char *now, json_t **ret,
	struct fields_conflicts *conflicts, struct err *e);

/*
 * After any other write: object is what will be stored, live what was (NULL: created). The manager
 * becomes owner (operation Update) of each field that changed, others lose it. Changes object's
 * managedFields only: they start from those that object brings (clients may rewrite them; [{}]
 * resets them), or from live's where it brings none that can be read, or goes through a
 * subresource. At most FIELDS_UPDATE_MANAGERS_MAX managers of operation Update are kept apart: the
 * oldest become "ancient-changes".
 */
void fields_update(
	const struct schema *s, const json_t *live, json_t *object, const char *manager,
	const char *api_version, const char *subresource, const char *now);

#endif
