/*
 * YAML 1.1 as Kubernetes reads it, into JSON values (libyaml's events), and back.
 *
 * Plain scalars become null, true/false, numbers or strings by the YAML 1.2 core schema ("no" and
 * "on" stay strings). Aliases are expanded to at most YAML_ALIAS_MAX nodes; duplicate keys, tags
 * other than the core ones, and documents over max bytes are refused with line and column.
 */
#ifndef SLIPWAY_CODEC_YAML_H
#define SLIPWAY_CODEC_YAML_H

#include "codec/jv.h"

enum { YAML_ALIAS_MAX = 10000, YAML_DOCS_MAX = 10000 };

/* All documents of a stream as one array; empty ones are left out. JSON is YAML too. */
enum err_code yaml_parse(struct str in, size_t max, json_t **ret_docs, struct err *e);

/* Block style, keys in their order, strings quoted only where they must be. */
void yaml_print(struct buf *out, const json_t *v);

#endif
