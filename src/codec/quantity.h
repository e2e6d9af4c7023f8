/*
 * Kubernetes quantities of bytes: "10Gi", "1.5Ti", "500M", "2e9", "1048576". Pure.
 */
#ifndef SLIPWAY_CODEC_QUANTITY_H
#define SLIPWAY_CODEC_QUANTITY_H

#include "base/err.h"
#include "base/str.h"

enum { QUANTITY_TEXT = 24 };

/* Digits with at most one point, and one of Ki Mi Gi Ti Pi Ei, k M G T P E, m u n, or e and an
 * exponent. Parts of a byte are rounded up, as Kubernetes does. ERR_INVALID: it is none, or below
 * zero; ERR_LIMIT: over 2^63 - 1 bytes. */
enum err_code quantity_parse(struct str in, uint64_t *ret_bytes, struct err *e);

/* With the largest binary unit that says it exactly: "10Gi", "1536Mi", "1000"; returns ret. */
const char *quantity_text(uint64_t bytes, char ret[QUANTITY_TEXT]);

#endif
