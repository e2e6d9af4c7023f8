/* Values made to fit a schema: defaults filled in, unknown fields taken out. */
#include "codec/schema.h"
#include "codec/schema_node.h"

/* A null where none may be is as if the field was not there (as in apiextensions-apiserver). */
static void drop_nulls(const struct schema_node *n, json_t *object)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value)
	{
		const struct schema_node *field = schema_node_field(n, str_of(name));

		if (json_is_null(value) && field && !field->is_nullable && field->types != TYPE_ANY)
			json_object_del(object, name);
	}
}

/* In the order of the schema. */
static void fill_missing(const struct schema_node *n, json_t *object)
{
	const char *name;
	json_t *doc;

	json_object_foreach (json_object_get(n->doc, "properties"), name, doc) {
		const struct schema_node *field = map_get(&n->properties, str_of(name));

		if (field->dflt && !json_object_get(object, name))
			json_object_set_new(object, name, json_deep_copy(field->dflt));
	}
}

static void fill(const struct schema_node *n, json_t *value)
{
	const char *name;
	json_t *item;
	size_t i;

	if (!n)
		return;
	if (json_is_object(value)) {
		drop_nulls(n, value);
		fill_missing(n, value);
	}
	json_object_foreach (value, name, item)
		fill(schema_node_field(n, str_of(name)), item);
	json_array_foreach (value, i, item)
		fill(n->items, item);
}

void schema_default(const struct schema *s, json_t *value)
{
	fill(s->root, value);
}

struct prune {
	struct schema_causes *out; /* NULL: nobody asks */
	struct buf path;
};

static bool knows_all(const struct schema_node *n)
{
	return n->keeps_unknown || n->types == TYPE_ANY;
}

static void prune(struct prune *p, const struct schema_node *n, json_t *value);

/* False: the schema does not know the field. */
static bool prune_field(struct prune *p, const struct schema_node *n, json_t *value)
{
	if (n)
		prune(p, n, value);
	return n != NULL;
}

static void prune_fields(struct prune *p, const struct schema_node *n, json_t *object)
{
	size_t path_n = p->path.n;
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value)
	{
		buf_printf(&p->path, "%s%s", path_n ? "." : "", name);
		if (!prune_field(p, schema_node_field(n, str_of(name)), value) && !knows_all(n)) {
			if (p->out)
				schema_cause_add(
					p->out, "FieldValueUnknown", p->path.p,
					"unknown field \"%s\"", p->path.p);
			json_object_del(object, name);
		}
		p->path.n = path_n;
	}
}

static void prune(struct prune *p, const struct schema_node *n, json_t *value)
{
	size_t path_n = p->path.n, i;
	json_t *item;

	if (json_is_object(value))
		prune_fields(p, n, value);
	if (!n->items)
		return;
	json_array_foreach (value, i, item) {
		buf_printf(&p->path, "[%zu]", i);
		prune(p, n->items, item);
		p->path.n = path_n;
	}
}

void schema_prune(const struct schema *s, json_t *value, struct schema_causes *out)
{
	struct prune p = {.out = out};

	prune(&p, s->root, value);
	buf_done(&p.path);
}
