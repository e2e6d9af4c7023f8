/*
 * Tables and metadata alone: the forms that kubectl prints from. Pure.
 */
#ifndef SLIPWAY_API_TABLE_H
#define SLIPWAY_API_TABLE_H

#include "codec/jv.h"
#include "kinds/kinds.h"

enum table_include { TABLE_METADATA, TABLE_OBJECT, TABLE_NONE };

/* "Metadata" (and NULL), "Object", "None"; false: anything else. */
bool table_include_parse(const char *text, enum table_include *ret);

/* A table without rows; the definitions of columns are left out where has_columns is false. */
json_t *table_new(const struct kind *k, bool has_columns);
void table_add(json_t *table, const struct kind *k, const json_t *object, enum table_include how);

/* {kind: PartialObjectMetadata, metadata} of an object. */
json_t *table_metadata(const json_t *object);

#endif
