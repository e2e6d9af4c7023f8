#include "codec/schema.h"

#include <stdlib.h>

#include "base/embed.h"
#include "codec/schema_node.h"

extern const struct embed codec_embed[];

void schema_cause_add(
	struct schema_causes *c, const char *reason, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (c->n++ >= SCHEMA_CAUSES_MAX)
		return;
	va_start(ap, fmt);
	c->v[c->n - 1] = (struct schema_cause){
		.reason = arena_strdup(c->arena, reason),
		.field = arena_strdup(c->arena, field),
		.message = arena_vprintf(c->arena, fmt, ap),
	};
	va_end(ap);
}

static const struct {
	const char *name;
	unsigned type;
} type_names[] = {
	{"object", TYPE_OBJECT},   {"array", TYPE_ARRAY},   {"string", TYPE_STRING},
	{"integer", TYPE_INTEGER}, {"number", TYPE_NUMBER}, {"boolean", TYPE_BOOLEAN},
	{"null", TYPE_NULL},
};

const char *schema_type_name(unsigned type)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	assert(!"one type");
}

unsigned schema_type_of(const json_t *value)
{
	static const unsigned types[] = {
		[JSON_OBJECT] = TYPE_OBJECT, [JSON_ARRAY] = TYPE_ARRAY,
		[JSON_STRING] = TYPE_STRING, [JSON_INTEGER] = TYPE_INTEGER,
		[JSON_REAL] = TYPE_NUMBER,   [JSON_TRUE] = TYPE_BOOLEAN,
		[JSON_FALSE] = TYPE_BOOLEAN, [JSON_NULL] = TYPE_NULL,
	};

	return types[json_typeof(value)];
}

/* Loading. Each keyword of a node has a function that reads its argument into the node. */

struct loader {
	struct schema *schema;
	struct buf path; /* of the node at hand */
	struct err *e;
};

static enum err_code node_load(struct loader *l, const json_t *doc, struct schema_node **ret);

static enum err_code refuse(struct loader *l, const char *keyword, const char *what)
{
	return err_set(
		l->e, ERR_INVALID, "schema of '%s': keyword %s %s",
		l->path.n ? l->path.p : "(root)", keyword, what);
}

static enum err_code
child_load(struct loader *l, const char *name, const json_t *doc, struct schema_node **ret)
{
	size_t n = l->path.n;
	enum err_code code;

	buf_printf(&l->path, "%s%s", n ? "." : "", name);
	code = node_load(l, doc, ret);
	if (code)
		return code;
	l->path.n = n;
	l->path.p[n] = '\0';
	return ERR_OK;
}

static enum err_code load_type(struct loader *l, struct schema_node *n, const json_t *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (strcmp(json_string_value(arg), type_names[i].name) != 0)
			continue;
		n->type = type_names[i].name;
		n->types = type_names[i].type;
		if (n->types == TYPE_NUMBER)
			n->types |= TYPE_INTEGER;
		return ERR_OK;
	}
	return refuse(l, "type", "is none that there is");
}

static enum err_code load_int_or_string(struct loader *l, struct schema_node *n, const json_t *arg)
{
	if (json_object_get(n->doc, "type"))
		return refuse(l, "x-kubernetes-int-or-string", "stands beside type");
	n->type = "integer,string";
	n->types = TYPE_INTEGER | TYPE_STRING;
	return ERR_OK;
}

static enum err_code load_properties(struct loader *l, struct schema_node *n, const json_t *arg)
{
	const char *name;
	json_t *doc;

	json_object_foreach ((json_t *)arg, name, doc) {
		struct schema_node *child = NULL;
		enum err_code code = child_load(l, name, doc, &child);

		if (child)
			map_put(&n->properties, str_of(name), child);
		if (code)
			return code;
	}
	return ERR_OK;
}

static enum err_code load_extra(struct loader *l, struct schema_node *n, const json_t *arg)
{
	if (json_is_true(arg)) {
		n->keeps_unknown = true;
		return ERR_OK;
	}
	if (!json_is_object(arg))
		return refuse(l, "additionalProperties", "wants a schema or true");
	return child_load(l, "*", arg, &n->extra);
}

static enum err_code load_items(struct loader *l, struct schema_node *n, const json_t *arg)
{
	return child_load(l, "[]", arg, &n->items);
}

static enum err_code load_nullable(struct loader *l, struct schema_node *n, const json_t *arg)
{
	n->is_nullable = json_is_true(arg);
	return ERR_OK;
}

static enum err_code load_unknown(struct loader *l, struct schema_node *n, const json_t *arg)
{
	n->keeps_unknown = json_is_true(arg);
	return ERR_OK;
}

static enum err_code load_default(struct loader *l, struct schema_node *n, const json_t *arg)
{
	n->dflt = arg;
	return ERR_OK;
}

static enum err_code load_list_type(struct loader *l, struct schema_node *n, const json_t *arg)
{
	static const char *const names[] = {
		[LIST_ATOMIC] = "atomic", [LIST_SET] = "set", [LIST_MAP] = "map"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(json_string_value(arg), names[i])) {
			n->list = (enum list_type)i;
			return ERR_OK;
		}
	}
	return refuse(l, "x-kubernetes-list-type", "is none of atomic, set, map");
}

static enum err_code load_keys(struct loader *l, struct schema_node *n, const json_t *arg)
{
	n->keys = arg;
	return ERR_OK;
}

static enum err_code load_nothing(struct loader *l, struct schema_node *n, const json_t *arg)
{
	return ERR_OK;
}

static const struct keyword {
	const char *name;
	enum { ARG_STRING, ARG_BOOLEAN, ARG_OBJECT, ARG_ARRAY, ARG_ANY } arg;
	unsigned types; /* that a node may have to use it */
	enum err_code (*load)(struct loader *l, struct schema_node *n, const json_t *arg);
} keywords[] = {
	{"type", ARG_STRING, TYPE_ANY, load_type},
	{"x-kubernetes-int-or-string", ARG_BOOLEAN, TYPE_ANY, load_int_or_string},
	{"description", ARG_STRING, TYPE_ANY, load_nothing},
	{"nullable", ARG_BOOLEAN, TYPE_ANY, load_nullable},
	{"default", ARG_ANY, TYPE_ANY, load_default},
	{"properties", ARG_OBJECT, TYPE_OBJECT, load_properties},
	{"additionalProperties", ARG_ANY, TYPE_OBJECT, load_extra},
	{"x-kubernetes-preserve-unknown-fields", ARG_BOOLEAN, TYPE_OBJECT, load_unknown},
	{"items", ARG_OBJECT, TYPE_ARRAY, load_items},
	{"x-kubernetes-list-type", ARG_STRING, TYPE_ARRAY, load_list_type},
	{"x-kubernetes-list-map-keys", ARG_ARRAY, TYPE_ARRAY, load_keys},
};

static bool arg_fits(const struct keyword *k, const json_t *arg)
{
	switch (k->arg) {
	case ARG_STRING:
		return json_is_string(arg);
	case ARG_BOOLEAN:
		return json_is_boolean(arg);
	case ARG_OBJECT:
		return json_is_object(arg);
	case ARG_ARRAY:
		return json_is_array(arg);
	case ARG_ANY:
		return true;
	}
	return false;
}

static enum err_code pattern_compile(struct loader *l, struct schema_limit *limit)
{
	char why[200];
	int code;

	limit->regex = arena_new(&l->schema->arena, regex_t);
	code = regcomp(limit->regex, json_string_value(limit->arg), REG_EXTENDED | REG_NOSUB);
	if (!code)
		return ERR_OK;
	regerror(code, limit->regex, why, sizeof(why));
	limit->regex = NULL;
	return refuse(l, "pattern", why);
}

static enum err_code
limit_load(struct loader *l, struct schema_node *n, const char *name, const json_t *arg)
{
	const struct schema_limit_kind *kind = schema_limit_find(name);
	struct schema_limit *limit = &n->limits[n->limits_n];

	if (!kind)
		return refuse(l, name, "is unknown");
	if (!schema_limit_fits(kind, arg, n->types))
		return refuse(l, name, "does not fit");
	*limit = (struct schema_limit){.kind = kind, .arg = arg};
	n->limits_n++;
	return strcmp(name, "pattern") ? ERR_OK : pattern_compile(l, limit);
}

static const struct keyword *keyword_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		if (!strcmp(keywords[i].name, name))
			return &keywords[i];
	return NULL;
}

static enum err_code
keyword_load(struct loader *l, struct schema_node *n, const char *name, const json_t *arg)
{
	const struct keyword *k = keyword_find(name);

	if (!k)
		return limit_load(l, n, name, arg);
	if (!(k->types & n->types) || !arg_fits(k, arg))
		return refuse(l, name, "does not fit");
	return k->load(l, n, arg);
}

/* Items of a list of type map are known by their keys, so each has them: required, or by default.
 */
static bool is_always_there(const struct schema_node *items, const char *key)
{
	const struct schema_node *field = items ? map_get(&items->properties, str_of(key)) : NULL;
	const json_t *name;
	size_t i;

	if (!field)
		return false;
	json_array_foreach (json_object_get(items->doc, "required"), i, name)
		if (!strcmp(json_string_value(name), key))
			return true;
	return field->dflt != NULL;
}

/* What one keyword cannot see alone. */
static enum err_code node_verify(struct loader *l, const struct schema_node *n)
{
	struct arena a = {0};
	struct schema_causes causes = {.arena = &a};
	const json_t *key;
	size_t i;
	enum err_code code = ERR_OK;

	if ((n->list == LIST_MAP) != (n->keys != NULL))
		return refuse(l, "x-kubernetes-list-map-keys", "and list type map need each other");
	json_array_foreach (n->keys, i, key)
		if (!json_is_string(key) || !is_always_there(n->items, json_string_value(key)))
			return refuse(
				l, "x-kubernetes-list-map-keys",
				"names a field that items may lack");
	json_array_foreach (json_object_get(n->doc, "required"), i, key)
		if (!map_get(&n->properties, str_of(json_string_value(key))))
			return refuse(l, "required", "names no property");
	if (n->dflt)
		schema_node_check(n, n->dflt, &causes);
	if (causes.n)
		code = refuse(l, "default", causes.v[0].message);
	arena_done(&a);
	return code;
}

/* The type first: the other keywords are judged by it. */
static enum err_code node_load(struct loader *l, const json_t *doc, struct schema_node **ret)
{
	static const char *const first[] = {"type", "x-kubernetes-int-or-string"};
	struct schema_node *n = arena_new(&l->schema->arena, struct schema_node);
	enum err_code code = ERR_OK;
	const char *name;
	json_t *arg;

	if (!json_is_object(doc))
		return refuse(l, "properties", "or items hold what is no object");
	*ret = n; /* so that what it holds is freed also after a failure */
	n->doc = doc;
	n->types = TYPE_ANY;
	n->limits = arena_array(&l->schema->arena, struct schema_limit, json_object_size(doc));
	for (size_t i = 0; i < ARRAY_LEN(first) && !code; i++)
		if (json_object_get(doc, first[i]))
			code = keyword_load(l, n, first[i], json_object_get(doc, first[i]));
	json_object_foreach ((json_t *)doc, name, arg) {
		if (code)
			return code;
		if (strcmp(name, first[0]) != 0 && strcmp(name, first[1]) != 0)
			code = keyword_load(l, n, name, arg);
	}
	return code ? code : node_verify(l, n);
}

static json_t *string_schema(const char *description)
{
	return json_pack("{ssss}", "type", "string", "description", description);
}

/* The schema with the fields that each object has. */
static json_t *whole_make(const json_t *doc)
{
	json_t *whole = json_copy((json_t *)doc);
	json_t *properties = json_object(), *metadata = NULL;

	if (jv_parse(codec_embed[0].bytes, SIZE_MAX, &metadata, NULL))
		assert(!"objectmeta.json is JSON");
	json_object_set_new(properties, "apiVersion", string_schema("Group and version."));
	json_object_set_new(properties, "kind", string_schema("Kind of the object."));
	json_object_set_new(properties, "metadata", metadata);
	json_object_update(properties, json_object_get(doc, "properties"));
	json_object_set_new(whole, "properties", properties);
	return whole;
}

enum err_code schema_load(json_t *doc, struct schema **ret, struct err *e)
{
	struct schema *s;
	struct loader l = {.e = e};
	enum err_code code;

	if (!json_is_object(doc))
		return err_set(e, ERR_INVALID, "a schema is an object");
	s = mem_alloc(sizeof(*s));
	s->doc = json_incref(doc);
	s->whole = whole_make(doc);
	l.schema = s;
	code = node_load(&l, s->whole, &s->root);
	buf_done(&l.path);
	if (code) {
		schema_free(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

/* Frees what of a node is not in the arena. */
static void node_done(struct schema_node *n)
{
	if (!n)
		return;
	map_for_each (slot, &n->properties)
		node_done(slot->value);
	map_done(&n->properties);
	node_done(n->extra);
	node_done(n->items);
	for (size_t i = 0; i < n->limits_n; i++)
		if (n->limits[i].regex)
			regfree(n->limits[i].regex);
}

void schema_free(struct schema *s)
{
	if (!s)
		return;
	node_done(s->root);
	arena_done(&s->arena);
	json_decref(s->whole);
	json_decref(s->doc);
	free(s);
}

const json_t *schema_doc(const struct schema *s)
{
	return s->doc;
}

const struct schema_node *schema_node_field(const struct schema_node *n, struct str name)
{
	const struct schema_node *field = n ? map_get(&n->properties, name) : NULL;

	return field || !n ? field : n->extra;
}

const json_t *schema_at(const struct schema *s, const char *path)
{
	const struct schema_node *n = s->root;
	struct str rest = str_of(path), part;
	uint64_t i;

	while (n && str_split(&rest, '.', &part)) {
		if (n->items && (str_is(part, "[]") || str_to_u64(part, &i)))
			n = n->items;
		else
			n = schema_node_field(n, part);
	}
	return n ? n->doc : NULL;
}
