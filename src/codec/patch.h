/*
 * Patches: RFC 7386 (merge), RFC 6902 (JSON patch), and Kubernetes' strategic merge for core kinds.
 *
 * Pure: a new value comes back that shares nothing with the old one, which is untouched.
 * ERR_INVALID: the patch is malformed or does not fit the value (a failed `test` says so).
 * ERR_LIMIT: a JSON patch of more than PATCH_OPS_MAX operations, or one that copies and moves more
 * than PATCH_MOVED_MAX bytes, or makes a value deeper than JV_DEPTH_MAX.
 */
#ifndef SLIPWAY_CODEC_PATCH_H
#define SLIPWAY_CODEC_PATCH_H

#include "codec/jv.h"

enum { PATCH_OPS_MAX = 10000, PATCH_MOVED_MAX = 8 << 20 };

/* A value that is no object is taken as {}; a patch must be an object. */
enum err_code patch_merge(const json_t *value, const json_t *patch, json_t **ret, struct err *e);
enum err_code patch_json(const json_t *value, const json_t *ops, json_t **ret, struct err *e);

/* $patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList; lists that merge are
 * metadata.finalizers (a set) and metadata.ownerReferences (by uid); all others are replaced. */
enum err_code
patch_strategic(const json_t *value, const json_t *patch, json_t **ret, struct err *e);

/* The RFC 7386 patch that makes `from` into `to` (NULL when they are equal). Such a patch cannot
 * set a null: where `to` has one in an object, it comes out missing. */
json_t *patch_diff(const json_t *from, const json_t *to);

#endif
