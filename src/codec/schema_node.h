/*
 * What a schema is made of, for the files of codec/ that walk one beside a value.
 *
 * Nodes live in the schema's arena and are only read once it is loaded: any thread.
 */
#ifndef SLIPWAY_CODEC_SCHEMA_NODE_H
#define SLIPWAY_CODEC_SCHEMA_NODE_H

#include <regex.h>

#include "base/map.h"
#include "codec/jv.h"

enum { /* bits */
       TYPE_OBJECT = 1,
       TYPE_ARRAY = 2,
       TYPE_STRING = 4,
       TYPE_INTEGER = 8,
       TYPE_NUMBER = 16,
       TYPE_BOOLEAN = 32,
       TYPE_NULL = 64,
       TYPE_ANY = 127,
};

enum list_type { LIST_ATOMIC, LIST_SET, LIST_MAP };

struct schema_causes;
struct schema_node;

/* A keyword that limits a value, as it stands in one node. */
struct schema_limit {
	const struct schema_limit_kind *kind;
	const json_t *arg;
	regex_t *regex; /* of pattern; NULL else */
};

struct schema_node {
	const json_t *doc;
	const char *type; /* as messages name it: "integer,string"; NULL: any */
	unsigned types; /* that a value may have */
	bool is_nullable;
	bool keeps_unknown; /* fields that no property names are let through, unchecked */
	struct map properties; /* of struct schema_node */
	struct schema_node *extra; /* of fields that no property names; NULL: none */
	struct schema_node *items; /* NULL: any */
	const json_t *dflt; /* NULL: none */
	enum list_type list;
	const json_t *keys; /* of LIST_MAP: names */
	struct schema_limit *limits;
	size_t limits_n;
};

struct schema {
	json_t *doc; /* as given */
	json_t *whole; /* with apiVersion, kind and metadata */
	struct schema_node *root;
	struct arena arena;
};

/* The node of an object's field; NULL where the schema does not know it. */
const struct schema_node *schema_node_field(const struct schema_node *n, struct str name);

unsigned schema_type_of(const json_t *value); /* one bit; an integer is TYPE_INTEGER only */
const char *schema_type_name(unsigned type); /* of one bit */

/* Finds a limit by its keyword: NULL when it is none. */
const struct schema_limit_kind *schema_limit_find(const char *keyword);
/* Whether arg is what the keyword takes, on a value of these types. */
bool schema_limit_fits(const struct schema_limit_kind *k, const json_t *arg, unsigned types);

void schema_node_check(const struct schema_node *n, const json_t *value, struct schema_causes *out);

#endif
