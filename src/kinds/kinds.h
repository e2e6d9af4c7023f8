/*
 * Kinds: what the API serves, each from kinds/<name>.json (embedded) and a file of rules here.
 *
 * kinds/<name>.json is {group, version, kind, plural, singular, shortNames, categories, scope,
 * hasStatus, columns: [{name, type, path, priority, description}], schema}; schema says what stands
 * beside apiVersion, kind and metadata. The table is built once at start
 * and then only read: any thread.
 */
#ifndef SLIPWAY_KINDS_KINDS_H
#define SLIPWAY_KINDS_KINDS_H

#include "codec/schema.h"

enum { KIND_NAME_MAX = 63, KIND_LONG_NAME_MAX = 253 };

struct kind {
	const char *group; /* "" for core */
	const char *version;
	const char *api_version; /* "slipway.dev/v1", "v1" */
	const char *name; /* "Database" */
	const char *plural, *singular;
	const char *resource; /* "databases.slipway.dev", "secrets": as messages name it */
	const json_t *short_names, *categories; /* arrays of strings */
	bool is_namespaced;
	bool has_status; /* serves the status subresource */
	const json_t *columns;
	struct schema *schema;

	/* Rules beyond the schema; each may be NULL. old is NULL at creation. */
	void (*prepare)(json_t *object, const json_t *old); /* fills what depends on other fields */
	void (*check)(const json_t *object, const json_t *old, struct schema_causes *out);
	/* May it be deleted? A sentence in e when not. */
	enum err_code (*check_delete)(const json_t *object, struct err *e);
	/* A column's value where the path alone does not say it. NULL: the path's. */
	json_t *(*column)(const json_t *object, const char *column);
};

enum err_code
kinds_init(struct err *e); /* loads all embedded schemas; once, before threads start */
const struct kind *kinds_all(size_t *ret_n);
const struct kind *kind_by_name(const char *name);
/* By plural, singular, short name or kind, without regard to case, "databases.slipway.dev" too: for
 * the command line. */
const struct kind *kind_by_alias(const char *alias);
const struct kind *kind_by_resource(const char *group, const char *version, const char *plural);

/* RFC 1123 label of at most KIND_NAME_MAX. */
bool kind_name_is_ok(const char *name);

/* Why an object of the kind cannot have this name, in Kubernetes' own words; NULL: it can. Labels
 * for Database, Member and Namespace, subdomains of at most KIND_LONG_NAME_MAX for the others. */
const char *kind_name_problem(const struct kind *k, const char *name);

/* The cell of a column (an entry of kind.columns) for an object: a new value, null where there is
 * none. Dates are ages ("5m"). */
json_t *kind_column(const struct kind *k, const json_t *column, const json_t *object);

/* The schema of ObjectMeta, for documents about the API. */
const json_t *kind_objectmeta(void);

#endif
