/*
 * Selectors: ?labelSelector= and ?fieldSelector= as Kubernetes parses them. Pure.
 */
#ifndef SLIPWAY_API_SELECTOR_H
#define SLIPWAY_API_SELECTOR_H

#include "base/err.h"
#include "codec/jv.h"
#include "kinds/kinds.h"

/*
 * "a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1" as [{"key", "op", "values"}] with op one of "=", "!=",
 * "in", "notin", "exists", "!", ">" and "<"; "" gives an empty array. Names and values are checked;
 * the message is Kubernetes'.
 */
enum err_code selector_labels(struct str text, json_t **ret, struct err *e);

/* Does the object match? An absent label matches "!=" and "notin". */
bool selector_labels_match(const json_t *labels, const json_t *object);

/* Conditions ">" and "<" that the store does not know, taken out of labels; NULL: none. */
json_t *selector_take_numeric(json_t *labels);

/*
 * "metadata.name=a,type!=Normal" as [{"field", "op", "value"}] with op "=" or "!=". A field that
 * the kind cannot be selected by is ERR_INVALID.
 */
enum err_code selector_fields(const struct kind *k, struct str text, json_t **ret, struct err *e);
bool selector_fields_match(const json_t *fields, const json_t *object);

/* The value that one "=" condition demands of a field; NULL: none does. */
const char *selector_field_value(const json_t *fields, const char *field);

/* Why it cannot be a label's name or value, in Kubernetes' words; NULL: it can. */
const char *selector_label_name_problem(const char *name);
const char *selector_label_value_problem(const char *value);

#endif
