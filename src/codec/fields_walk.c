#include "codec/fields_walk.h"

#include "codec/fields_set.h"

enum shape { SHAPE_LEAF, SHAPE_OBJECT, SHAPE_LIST };

/* A field of an object or an item of a list. */
struct element {
	const char *text; /* "f:size", 'k:{"name":"app"}', 'v:"x"' */
	const struct schema_node *node;
	json_t *value;
	bool is_entry; /* no field that the schema names: owned itself, not only what it holds */
};

struct elements {
	struct element *v;
	size_t n;
	struct map by_text; /* of many */
	struct arena *arena;
};

enum { INDEXED_MIN = 9 }; /* fewer are looked for one by one */

static enum shape shape_of(const struct schema_node *n, const json_t *v, int depth)
{
	if (depth >= FIELDS_DEPTH_MAX)
		return SHAPE_LEAF;
	if (json_is_object(v))
		return SHAPE_OBJECT;
	return json_is_array(v) && n && n->list != LIST_ATOMIC ? SHAPE_LIST : SHAPE_LEAF;
}

static const struct element *elements_find(const struct elements *e, const char *text)
{
	if (e->by_text.n)
		return map_get(&e->by_text, str_of(text));
	for (size_t i = 0; i < e->n; i++)
		if (!strcmp(e->v[i].text, text))
			return &e->v[i];
	return NULL;
}

static void elements_add(struct elements *e, struct element item)
{
	e->v[e->n++] = item;
	if (e->n < INDEXED_MIN)
		return;
	for (size_t i = e->by_text.n; i < e->n; i++)
		map_put(&e->by_text, str_of(e->v[i].text), &e->v[i]);
}

static const char *element_text(struct arena *a, char kind, struct str s)
{
	char *text = arena_alloc(a, s.n + 3);

	text[0] = kind;
	text[1] = ':';
	memcpy(text + 2, s.p, s.n);
	return text;
}

static void fields_list(struct elements *e, const struct schema_node *n, const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)object, name, value) {
		const struct schema_node *field = n ? map_get(&n->properties, str_of(name)) : NULL;

		elements_add(
			e,
			(struct element){
				.text = element_text(e->arena, 'f', str_of(name)),
				.node = field ? field
					: n   ? n->extra
					      : NULL,
				.value = value,
				.is_entry = !field,
			});
	}
}

/* NULL: it lacks a key. */
static const char *item_text(struct elements *e, const struct schema_node *n, const json_t *item)
{
	CLEANUP(jv_drop) json_t *keys = json_object();
	const json_t *name;
	size_t i;

	if (n->list == LIST_SET)
		return element_text(e->arena, 'v', jv_text_sorted(e->arena, item));
	json_array_foreach (n->keys, i, name) {
		const char *key = json_string_value(name);
		const struct schema_node *field = map_get(&n->items->properties, str_of(key));
		json_t *value = json_object_get(item, key);

		if (!value)
			value = (json_t *)field->dflt;
		if (!value)
			return NULL;
		json_object_set(keys, key, value);
	}
	return element_text(e->arena, 'k', jv_text_sorted(e->arena, keys));
}

/* An item without its keys, or a second one of the same, is known by its place: no item is lost,
 * and the schema's check says what is wrong with it. */
static void items_list(struct elements *e, const struct schema_node *n, const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *text = item_text(e, n, item);

		if (!text || elements_find(e, text))
			text = arena_printf(e->arena, "i:%zu", i);
		elements_add(
			e,
			(struct element){
				.text = text, .node = n->items, .value = item, .is_entry = true});
	}
}

static void
elements_init(struct elements *e, struct arena *a, const struct schema_node *n, const json_t *v)
{
	*e = (struct elements){.arena = a};
	e->v = arena_array(a, struct element, json_object_size(v) + json_array_size(v));
	if (json_is_object(v))
		fields_list(e, n, v);
	else if (json_is_array(v))
		items_list(e, n, v);
}

static void elements_done(struct elements *e)
{
	map_done(&e->by_text);
}

/* Which fields a value has. */

static json_t *
set_of(struct arena *a, const struct schema_node *n, const json_t *v, bool is_entry, int depth)
{
	json_t *children;
	struct elements e;

	if (shape_of(n, v, depth) == SHAPE_LEAF)
		return fields_set_node(NULL, true);
	if (json_is_object(v) && !json_object_size(v))
		return fields_set_node(NULL, true);
	children = json_object();
	elements_init(&e, a, n, v);
	for (size_t i = 0; i < e.n; i++) {
		json_t *child = set_of(a, e.v[i].node, e.v[i].value, e.v[i].is_entry, depth + 1);

		if (child)
			json_object_set_new(children, e.v[i].text, child);
	}
	elements_done(&e);
	return fields_set_node(children, is_entry);
}

json_t *fields_of(const struct schema_node *n, const json_t *value)
{
	CLEANUP(arena_done) struct arena a = {0};

	return json_object_size(value) ? set_of(&a, n, value, false, 0) : NULL;
}

/* Comparing. */

void fields_diff_done(struct fields_diff *d)
{
	json_decref(d->added);
	json_decref(d->modified);
	json_decref(d->removed);
	*d = (struct fields_diff){0};
}

/* Of two that differ. */
static struct fields_diff diff_leaf(const json_t *from, const json_t *to)
{
	if (!from)
		return (struct fields_diff){.added = json_object()};
	if (!to)
		return (struct fields_diff){.removed = json_object()};
	return (struct fields_diff){.modified = json_object()};
}

static bool is_empty(const json_t *v)
{
	return !v || json_is_null(v) || (json_is_object(v) && !json_object_size(v)) ||
		(json_is_array(v) && !json_array_size(v));
}

/* Whether the two are looked into: of one shape that holds others, or one of them nothing. */
static bool is_walked(const struct schema_node *n, const json_t *a, const json_t *b, int depth)
{
	enum shape of_a = shape_of(n, a, depth), of_b = shape_of(n, b, depth);

	if (is_empty(a) && is_empty(b))
		return false;
	if (!a || json_is_null(a))
		return of_b != SHAPE_LEAF;
	if (!b || json_is_null(b))
		return of_a != SHAPE_LEAF;
	return of_a == of_b && of_a != SHAPE_LEAF;
}

static void child_put(json_t **children, const char *text, json_t *child)
{
	if (!child)
		return;
	if (!*children)
		*children = json_object();
	json_object_set_new(*children, text, child);
}

static struct fields_diff
compare(struct arena *a, const struct schema_node *n, const json_t *from, const json_t *to,
	int depth);

static void compare_child(
	struct arena *a, struct fields_diff *d, const struct element *from,
	const struct element *to, int depth)
{
	const struct element *any = from ? from : to;
	struct fields_diff child =
		compare(a, any->node, from ? from->value : NULL, to ? to->value : NULL, depth);

	child_put(&d->added, any->text, child.added);
	child_put(&d->modified, any->text, child.modified);
	child_put(&d->removed, any->text, child.removed);
}

static struct fields_diff
compare(struct arena *a, const struct schema_node *n, const json_t *from, const json_t *to,
	int depth)
{
	struct fields_diff d = {0};
	struct elements old, new;

	if (from && to && json_equal(from, to))
		return d; /* the most frequent case, quicker than a walk */
	if (!is_walked(n, from, to, depth))
		return diff_leaf(from, to);
	elements_init(&old, a, n, from);
	elements_init(&new, a, n, to);
	for (size_t i = 0; i < old.n; i++)
		compare_child(a, &d, &old.v[i], elements_find(&new, old.v[i].text), depth + 1);
	for (size_t i = 0; i < new.n; i++)
		if (!elements_find(&old, new.v[i].text))
			compare_child(a, &d, NULL, &new.v[i], depth + 1);
	elements_done(&old);
	elements_done(&new);
	d.added = fields_set_node(d.added, !from);
	d.removed = fields_set_node(d.removed, !to);
	return d;
}

void fields_compare(
	const struct schema_node *n, const json_t *from, const json_t *to, struct fields_diff *ret)
{
	CLEANUP(arena_done) struct arena a = {0};

	*ret = is_empty(from) && is_empty(to) ? (struct fields_diff){0}
					      : compare(&a, n, from, to, 0);
}

/* Merging. */

static json_t *
merge(struct arena *a, const struct schema_node *n, const json_t *under, const json_t *over,
      int depth);

static json_t *
merge_objects(struct arena *a, const struct elements *under, const struct elements *over, int depth)
{
	json_t *out = json_object();

	for (size_t i = 0; i < under->n; i++) {
		const struct element *u = &under->v[i], *o = elements_find(over, u->text);

		json_object_set_new(
			out, u->text + 2, merge(a, u->node, u->value, o ? o->value : NULL, depth));
	}
	for (size_t i = 0; i < over->n; i++)
		if (!elements_find(under, over->v[i].text))
			json_object_set_new(
				out, over->v[i].text + 2, json_deep_copy(over->v[i].value));
	return out;
}

/* Takes the next item of over, merged, to the list; true when it is the one named text. */
static bool item_take(
	struct arena *a, json_t *out, const struct elements *under, const struct element *o,
	int depth, const char *text)
{
	const struct element *u = elements_find(under, o->text);

	json_array_append_new(out, merge(a, o->node, u ? u->value : NULL, o->value, depth));
	return !strcmp(o->text, text);
}

static json_t *
merge_lists(struct arena *a, const struct elements *under, const struct elements *over, int depth)
{
	json_t *out = json_array();
	size_t taken = 0;

	for (size_t i = 0; i < under->n; i++) {
		const struct element *u = &under->v[i], *o = elements_find(over, u->text);

		if (!o) {
			json_array_append_new(out, json_deep_copy(u->value));
			continue;
		}
		if (o < over->v + taken)
			continue; /* it came with an earlier one */
		while (taken < over->n &&
		       !item_take(a, out, under, &over->v[taken++], depth, u->text))
			;
	}
	while (taken < over->n)
		item_take(a, out, under, &over->v[taken++], depth, "");
	return out;
}

static json_t *
merge(struct arena *a, const struct schema_node *n, const json_t *under, const json_t *over,
      int depth)
{
	struct elements u, o;
	json_t *out;

	if (!over)
		return json_deep_copy(under);
	if (!under || !is_walked(n, under, over, depth))
		return json_deep_copy(over);
	elements_init(&u, a, n, under);
	elements_init(&o, a, n, over);
	out = json_is_object(json_is_null(over) ? under : over)
		? merge_objects(a, &u, &o, depth + 1)
		: merge_lists(a, &u, &o, depth + 1);
	elements_done(&u);
	elements_done(&o);
	return out;
}

json_t *fields_merge(const struct schema_node *n, const json_t *under, const json_t *over)
{
	CLEANUP(arena_done) struct arena a = {0};

	return merge(&a, n, under, over, 0);
}

/* Taking out. */

static json_t *take_out(
	struct arena *a, const struct schema_node *n, const json_t *v, const json_t *set, int depth)
{
	json_t *out;
	struct elements e;

	if (!json_object_size(set) || shape_of(n, v, depth) == SHAPE_LEAF)
		return json_deep_copy(v);
	out = json_is_object(v) ? json_object() : json_array();
	elements_init(&e, a, n, v);
	for (size_t i = 0; i < e.n; i++) {
		const json_t *at = json_object_get(set, e.v[i].text);
		json_t *kept;

		if (fields_set_has(at))
			continue;
		kept = take_out(a, e.v[i].node, e.v[i].value, at, depth + 1);
		if (is_empty(kept) && !is_empty(e.v[i].value))
			json_decref(kept);
		else if (json_is_object(v))
			json_object_set_new(out, e.v[i].text + 2, kept);
		else
			json_array_append_new(out, kept);
	}
	elements_done(&e);
	return out;
}

json_t *fields_remove(const struct schema_node *n, const json_t *value, const json_t *set)
{
	CLEANUP(arena_done) struct arena a = {0};

	return take_out(&a, n, value, set, 0);
}
