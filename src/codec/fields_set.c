#include "codec/fields_set.h"

json_t *fields_set_node(json_t *children, bool is_in)
{
	if (!json_object_size(children)) {
		json_decref(children);
		return is_in ? json_object() : NULL;
	}
	if (is_in)
		json_object_set_new(children, ".", json_object());
	return children;
}

bool fields_set_has(const json_t *node)
{
	return node && (!json_object_size(node) || json_object_get(node, "."));
}

enum operation { UNION, COMMON, WITHOUT };

static bool decide(enum operation op, bool a, bool b)
{
	switch (op) {
	case UNION:
		return a || b;
	case COMMON:
		return a && b;
	case WITHOUT:
		return a && !b;
	}
	return false;
}

/* A subtree that only one side has, or NULL. */
static json_t *only(enum operation op, const json_t *a, const json_t *b)
{
	if (a)
		return op == COMMON ? NULL : json_incref((json_t *)a);
	return op == UNION ? json_incref((json_t *)b) : NULL;
}

static json_t *combine(enum operation op, const json_t *a, const json_t *b)
{
	json_t *children, *node;
	const char *element;

	if (!a || !b)
		return only(op, a, b);
	children = json_object();
	json_object_foreach ((json_t *)a, element, node) {
		json_t *child = !strcmp(element, ".")
			? NULL
			: combine(op, node, json_object_get(b, element));

		if (child)
			json_object_set_new(children, element, child);
	}
	json_object_foreach ((json_t *)b, element, node)
		if (op == UNION && !json_object_get(a, element))
			json_object_set(children, element, node);
	json_object_del(children, ".");
	return fields_set_node(children, decide(op, fields_set_has(a), fields_set_has(b)));
}

json_t *fields_set_union(const json_t *a, const json_t *b)
{
	return combine(UNION, a, b);
}

json_t *fields_set_common(const json_t *a, const json_t *b)
{
	return combine(COMMON, a, b);
}

json_t *fields_set_without(const json_t *a, const json_t *b)
{
	return combine(WITHOUT, a, b);
}

void fields_set_strip(json_t **set)
{
	static const char *const metadata_names[] = {
		".",
		"f:name",
		"f:namespace",
		"f:uid",
		"f:resourceVersion",
		"f:generation",
		"f:creationTimestamp",
		"f:deletionTimestamp",
		"f:deletionGracePeriodSeconds",
		"f:selfLink",
		"f:managedFields",
	};
	json_t *metadata = json_object_get(*set, "f:metadata");

	for (size_t i = 0; i < ARRAY_LEN(metadata_names); i++)
		json_object_del(metadata, metadata_names[i]);
	if (!json_object_size(metadata))
		json_object_del(*set, "f:metadata");
	json_object_del(*set, "f:apiVersion");
	json_object_del(*set, "f:kind");
	if (!json_object_size(*set))
		jv_drop(set);
}

/* The schema below an element, and whether that is a field that the schema names. */
static const struct schema_node *
descend(const struct schema_node *n, const char *element, bool *ret_is_named)
{
	const struct schema_node *field = NULL;
	struct str name = str_of(element);

	*ret_is_named = false;
	if (!n)
		return NULL;
	if (!str_cut_prefix(&name, "f:"))
		return n->items;
	field = map_get(&n->properties, name);
	*ret_is_named = field != NULL;
	return field ? field : n->extra;
}

static json_t *named(const struct schema_node *n, const json_t *set, bool is_named)
{
	json_t *children, *node;
	const char *element;

	if (!json_object_size(set))
		return json_deep_copy(set);
	children = json_object();
	json_object_foreach ((json_t *)set, element, node) {
		const struct schema_node *below;
		bool is_child_named;

		if (!strcmp(element, "."))
			continue;
		below = descend(n, element, &is_child_named);
		json_object_set_new(children, element, named(below, node, is_child_named));
	}
	return fields_set_node(children, is_named || fields_set_has(set));
}

json_t *fields_set_named(const struct schema_node *n, const json_t *set)
{
	return set ? named(n, set, false) : NULL;
}

/* An element as a path has it: .name, [name="app",port=80], [="value"], [0]. */
static void print_element(struct buf *out, const char *element)
{
	CLEANUP(jv_drop) json_t *key = NULL;
	const char *name, *before = "[";
	json_t *value;

	if (element[0] == 'f') {
		buf_printf(out, ".%s", element + 2);
		return;
	}
	if (element[0] != 'k' || jv_parse(str_of(element + 2), SIZE_MAX, &key, NULL)) {
		buf_printf(out, "[%s%s]", element[0] == 'v' ? "=" : "", element + 2);
		return;
	}
	json_object_foreach (key, name, value) {
		buf_printf(out, "%s%s=", before, name);
		jv_print(out, value, false);
		before = ",";
	}
	buf_putc(out, ']');
}

static void
each(const json_t *set, struct buf *path, void (*fn)(void *ctx, const char *path), void *ctx)
{
	size_t n = path->n;
	const char *element;
	json_t *node;

	json_object_foreach ((json_t *)set, element, node) {
		if (!strcmp(element, "."))
			continue;
		print_element(path, element);
		if (fields_set_has(node))
			fn(ctx, path->p);
		each(node, path, fn, ctx);
		path->n = n;
	}
}

void fields_set_each(const json_t *set, void (*fn)(void *ctx, const char *path), void *ctx)
{
	CLEANUP(buf_done) struct buf path = {0};

	each(set, &path, fn, ctx);
}

/* Reading. */

/* "k:" and "v:" hold JSON, which others may write with other spaces and orders. */
static const char *element_read(struct arena *a, const char *in)
{
	CLEANUP(jv_drop) json_t *v = NULL;
	struct str text = str_of(in);
	uint64_t i;

	if (!text.n || !strchr("fkvi", text.p[0]) || text.n < 2 || text.p[1] != ':')
		return NULL;
	text = (struct str){in + 2, text.n - 2};
	if (in[0] == 'f' || (in[0] == 'i' && str_to_u64(text, &i)))
		return in;
	if (in[0] == 'i' || jv_parse(text, SIZE_MAX, &v, NULL))
		return NULL;
	if (in[0] == 'k' && !json_object_size(v))
		return NULL;
	return arena_printf(a, "%c:%s", in[0], jv_text_sorted(a, v).p);
}

static bool node_read(struct arena *a, const json_t *in, json_t **ret)
{
	CLEANUP(jv_drop) json_t *node = json_object();
	const char *name;
	json_t *child;

	if (!json_is_object(in))
		return false;
	json_object_foreach ((json_t *)in, name, child) {
		const char *element = strcmp(name, ".") ? element_read(a, name) : name;
		json_t *made;

		if (!element || !node_read(a, child, &made))
			return false;
		json_object_set_new(node, element, made);
	}
	if (json_object_size(node) == 1)
		json_object_del(node, "."); /* alone, it says what {} says */
	*ret = json_incref(node);
	return true;
}

enum err_code fields_set_read(const json_t *in, json_t **ret, struct err *e)
{
	struct arena a = {0};
	json_t *set = NULL;
	bool is_set = node_read(&a, in, &set);

	arena_done(&a);
	if (!is_set)
		return err_set(e, ERR_INVALID, "fieldsV1 is no tree of f:, k:, v: and i: keys");
	json_object_del(set, ".");
	if (!json_object_size(set))
		jv_drop(&set);
	*ret = set;
	return ERR_OK;
}
