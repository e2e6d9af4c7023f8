/*
 * Objects as JSON values and as the text that a row holds.
 *
 * A body is an object's JSON text in a fixed order (apiVersion, kind, metadata, the rest, status)
 * without metadata.resourceVersion: that is the row's revision, which is not known before the
 * commit, and is put in on the way out. The values of a Secret's data are sealed in a body.
 * Pure, but for the sealing's randomness.
 */
#ifndef SLIPWAY_STORE_OBJECT_H
#define SLIPWAY_STORE_OBJECT_H

#include "store/store.h"

enum { OBJECT_KEY_TEXT = 400, OBJECT_UID = 37 };

/* 'Database "payments-dev/orders"', for messages; returns ret. */
const char *object_key_text(struct store_key key, char ret[OBJECT_KEY_TEXT]);

/* A random UUID, version 4. */
void object_uid_new(char ret[OBJECT_UID]);

/* Appends the body of o. ERR_INVALID: a Secret, and there is no key to seal it with. */
enum err_code object_body(
	struct buf *out, const json_t *o, struct store_key key, const struct secret_key *sealer,
	struct err *e);

/* Body and revision to the whole text (appended), and to a value. ERR_INTERNAL: the row is damaged,
 * or was sealed with another key. */
enum err_code object_text(
	struct buf *out, struct str body, int64_t revision, struct store_key key,
	const struct secret_key *sealer, struct err *e);
enum err_code object_parse(
	struct str body, int64_t revision, struct store_key key, const struct secret_key *sealer,
	json_t **ret, struct err *e);

void object_set_revision(json_t *o, int64_t revision);

#endif
