/* What a plain YAML scalar means, for the reader and for the writer, which must quote by the same
 * rules. */
#ifndef SLIPWAY_CODEC_YAML_SCALAR_H
#define SLIPWAY_CODEC_YAML_SCALAR_H

#include "codec/jv.h"

/* By the YAML 1.2 core schema (10.3.2): null, a boolean, a number or a string. NULL: a number that
 * no value of ours can hold (over 64 bits, infinite, none). s ends in a NUL byte. */
json_t *yaml_scalar_resolve(struct str s);

/* Whether some reader would take the text for what is no string: by the core schema, or by YAML
 * 1.1, as kubectl's reader does (yes, 1_000, 0b1, 12:30, 2026-11-24, <<). */
bool yaml_scalar_is_special(struct str s);

#endif
