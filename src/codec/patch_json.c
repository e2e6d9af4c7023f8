/*
 * JSON patches (RFC 6902) over JSON pointers (RFC 6901).
 *
 * The value hangs in a holder under the empty key, so that "" is a place like any other.
 */
#include "codec/patch.h"

struct operation {
	const json_t *doc;
	const char *name, *path;
	size_t index; /* in the patch */
};

struct patcher {
	json_t *holder;
	size_t moved; /* bytes that copies and moves have measured */
	struct arena arena;
	struct err *e;
};

/* Where an operation works: a key of an object or an index of a list. */
struct place {
	json_t *parent; /* borrowed; NULL: no such place */
	struct str key;
	int depth; /* levels above what stands there */
};

static enum err_code op_error(struct patcher *p, const struct operation *op, const char *what)
{
	return err_set(
		p->e, ERR_INVALID, "JSON patch, operation %zu: %s '%s': %s", op->index, op->name,
		op->path, what);
}

/* "~1" is "/", "~0" is "~", any other "~" is an error. */
static bool token_unescape(struct arena *a, struct str in, struct str *ret)
{
	char *out = arena_alloc(a, in.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '~') {
			if (++i == in.n || (in.p[i] != '0' && in.p[i] != '1'))
				return false;
			c = in.p[i] == '0' ? '~' : '/';
		}
		out[n++] = c;
	}
	*ret = (struct str){out, n};
	return true;
}

/* An index as RFC 6901 writes it (no zeros in front), at most n. */
static bool index_parse(struct str key, size_t n, size_t *ret)
{
	uint64_t i;

	if ((key.n > 1 && key.p[0] == '0') || !str_to_u64(key, &i) || i > n)
		return false;
	*ret = i;
	return true;
}

static json_t *place_get(const struct place *at)
{
	size_t i;

	if (json_is_object(at->parent))
		return json_object_getn(at->parent, at->key.p, at->key.n);
	if (json_is_array(at->parent) && index_parse(at->key, json_array_size(at->parent), &i))
		return json_array_get(at->parent, i);
	return NULL;
}

/* False: the pointer is malformed. */
static bool place_find(struct patcher *p, const char *pointer, struct place *ret)
{
	struct place at = {.parent = p->holder, .key = STR("")};
	struct str rest = str_of(pointer), token;

	str_split(&rest, '/', &token);
	if (token.n)
		return false; /* does not start with "/" */
	while (str_split(&rest, '/', &token)) {
		at.parent = place_get(&at);
		at.depth++;
		if (!token_unescape(&p->arena, token, &at.key))
			return false;
	}
	*ret = at;
	return true;
}

static bool place_add(const struct place *at, json_t *value)
{
	size_t n = json_array_size(at->parent), i;

	if (json_is_object(at->parent))
		return !json_object_setn(at->parent, at->key.p, at->key.n, value);
	if (!json_is_array(at->parent))
		return false;
	if (str_is(at->key, "-"))
		i = n;
	else if (!index_parse(at->key, n, &i))
		return false;
	return !json_array_insert(at->parent, i, value);
}

static void place_remove(const struct place *at)
{
	size_t i;

	if (json_is_object(at->parent))
		json_object_deln(at->parent, at->key.p, at->key.n);
	else if (index_parse(at->key, json_array_size(at->parent), &i))
		json_array_remove(at->parent, i);
}

/* About the bytes of a value. Stops at more than JV_DEPTH_MAX levels or PATCH_MOVED_MAX bytes. */
static size_t measure(const json_t *v, int depth)
{
	size_t bytes = 8 + json_string_length(v), i;
	const char *name;
	json_t *item;

	if (depth > JV_DEPTH_MAX)
		return PATCH_MOVED_MAX + 1;
	json_array_foreach (v, i, item) {
		if (bytes > PATCH_MOVED_MAX)
			return bytes;
		bytes += measure(item, depth + 1);
	}
	json_object_foreach ((json_t *)v, name, item) {
		if (bytes > PATCH_MOVED_MAX)
			return bytes;
		bytes += strlen(name) + measure(item, depth + 1);
	}
	return bytes;
}

static enum err_code limit_error(struct patcher *p, const struct operation *op)
{
	return err_set(
		p->e, ERR_LIMIT,
		"JSON patch, operation %zu: %s '%s': nested deeper than %d levels, or more than %d "
		"bytes copied and moved in all",
		op->index, op->name, op->path, JV_DEPTH_MAX, PATCH_MOVED_MAX);
}

/* Adds value; its depth is that of a value from outside, or was measured. */
static enum err_code
add_at(struct patcher *p, const struct operation *op, const struct place *at, json_t *value)
{
	if (!place_add(at, value))
		return op_error(p, op, "there is no such place");
	return ERR_OK;
}

static enum err_code op_add(struct patcher *p, const struct operation *op, const struct place *at)
{
	CLEANUP(jv_drop) json_t *value = json_deep_copy(json_object_get(op->doc, "value"));

	if (!value)
		return op_error(p, op, "has no value");
	if (at->depth + jv_depth(value) > JV_DEPTH_MAX)
		return limit_error(p, op);
	return add_at(p, op, at, value);
}

static enum err_code
op_remove(struct patcher *p, const struct operation *op, const struct place *at)
{
	if (!place_get(at))
		return op_error(p, op, "does not exist");
	if (at->parent == p->holder)
		return op_error(p, op, "the whole value cannot be removed");
	place_remove(at);
	return ERR_OK;
}

static enum err_code
op_replace(struct patcher *p, const struct operation *op, const struct place *at)
{
	if (!place_get(at))
		return op_error(p, op, "does not exist");
	if (json_is_array(at->parent))
		place_remove(at);
	return op_add(p, op, at);
}

/* Numbers are the same when their values are (RFC 6902, 4.6). */
static bool is_same(const json_t *a, const json_t *b)
{
	if (json_is_real(a) != json_is_real(b) && json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	return json_equal(a, b);
}

static enum err_code op_test(struct patcher *p, const struct operation *op, const struct place *at)
{
	const json_t *value = json_object_get(op->doc, "value");
	const json_t *is = place_get(at);

	if (!value)
		return op_error(p, op, "has no value");
	if (!is)
		return op_error(p, op, "does not exist");
	if (!is_same(is, value))
		return op_error(p, op, "test failed: the value is another");
	return ERR_OK;
}

/* What stands at "from", measured so that the rest may copy or move it. */
static enum err_code
from_find(struct patcher *p, const struct operation *op, const struct place *to, struct place *ret)
{
	const char *from = jv_str(op->doc, "from");
	struct place at;

	if (!from || !place_find(p, from, &at))
		return op_error(p, op, "from is no JSON pointer");
	if (!place_get(&at))
		return op_error(p, op, "from does not exist");
	p->moved += measure(place_get(&at), to->depth);
	if (p->moved > PATCH_MOVED_MAX)
		return limit_error(p, op);
	*ret = at;
	return ERR_OK;
}

static enum err_code op_copy(struct patcher *p, const struct operation *op, const struct place *at)
{
	CLEANUP(jv_drop) json_t *value = NULL;
	struct place from;
	enum err_code code = from_find(p, op, at, &from);

	if (code)
		return code;
	value = json_deep_copy(place_get(&from));
	return add_at(p, op, at, value);
}

/* Taken out first: the place to put it is looked up in what is left. */
static enum err_code op_move(struct patcher *p, const struct operation *op, const struct place *at)
{
	CLEANUP(jv_drop) json_t *value = NULL;
	struct str path = str_of(op->path);
	struct place from, to;
	enum err_code code = from_find(p, op, at, &from);

	if (code)
		return code;
	if (str_cut_prefix(&path, jv_str(op->doc, "from")) && (path.n == 0 || path.p[0] == '/'))
		return path.n ? op_error(p, op, "lies inside of what is moved") : ERR_OK;
	value = json_incref(place_get(&from));
	place_remove(&from);
	place_find(p, op->path, &to);
	return add_at(p, op, &to, value);
}

static const struct {
	const char *name;
	enum err_code (*run)(struct patcher *, const struct operation *, const struct place *);
} operations[] = {
	{"add", op_add},   {"remove", op_remove}, {"replace", op_replace},
	{"move", op_move}, {"copy", op_copy},     {"test", op_test},
};

static enum err_code op_run(struct patcher *p, const json_t *doc, size_t index)
{
	struct operation op = {
		.doc = doc,
		.name = jv_str_or(doc, "op", "(no op)"),
		.path = jv_str_or(doc, "path", "(no path)"),
		.index = index,
	};
	struct place at;

	if (!place_find(p, op.path, &at))
		return op_error(p, &op, "path is no JSON pointer");
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		if (!strcmp(operations[i].name, op.name))
			return operations[i].run(p, &op, &at);
	return op_error(p, &op, "there is no such operation");
}

enum err_code patch_json(const json_t *value, const json_t *ops, json_t **ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *holder = json_object();
	struct patcher p = {.holder = holder, .e = e};
	enum err_code code = ERR_OK;
	const json_t *op;
	size_t i;

	if (!json_is_array(ops))
		return err_set(e, ERR_INVALID, "a JSON patch is a list of operations");
	if (json_array_size(ops) > PATCH_OPS_MAX)
		return err_set(
			e, ERR_LIMIT, "a JSON patch has at most %d operations", PATCH_OPS_MAX);
	json_object_set_new(holder, "", json_deep_copy(value));
	json_array_foreach (ops, i, op) {
		code = op_run(&p, op, i);
		arena_reset(&p.arena);
		if (code)
			break;
	}
	arena_done(&p.arena);
	if (!code)
		*ret = json_incref(json_object_get(holder, ""));
	return code;
}
