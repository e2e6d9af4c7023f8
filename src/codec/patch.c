/* Merge patches (RFC 7386), and strategic ones, which know directives and two lists that merge. */
#include "codec/patch.h"

/* Merges patch, an object, into target, another. */
static void merge(json_t *target, const json_t *patch)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)patch, name, value) {
		json_t *at = json_object_get(target, name);

		if (json_is_null(value)) {
			json_object_del(target, name);
			continue;
		}
		if (!json_is_object(value)) {
			json_object_set_new(target, name, json_deep_copy(value));
			continue;
		}
		if (!json_is_object(at)) {
			at = json_object();
			json_object_set_new(target, name, at);
		}
		merge(at, value);
	}
}

enum err_code patch_merge(const json_t *value, const json_t *patch, json_t **ret, struct err *e)
{
	json_t *v;

	if (!json_is_object(patch))
		return err_set(e, ERR_INVALID, "a merge patch is an object");
	v = json_is_object(value) ? json_deep_copy(value) : json_object();
	merge(v, patch);
	*ret = v;
	return ERR_OK;
}

json_t *patch_diff(const json_t *from, const json_t *to)
{
	json_t *patch, *value;
	const char *name;

	if (json_equal(from, to))
		return NULL;
	if (!json_is_object(from) || !json_is_object(to))
		return json_deep_copy(to);
	patch = json_object();
	json_object_foreach ((json_t *)from, name, value)
		if (!json_object_get(to, name))
			json_object_set_new(patch, name, json_null());
	json_object_foreach ((json_t *)to, name, value) {
		json_t *old = json_object_get(from, name);
		json_t *change = old ? patch_diff(old, value) : json_deep_copy(value);

		if (change)
			json_object_set_new(patch, name, change);
	}
	return patch;
}

/* Strategic merge. */

static const char set_order[] = "$setElementOrder/";
static const char delete_from[] = "$deleteFromPrimitiveList/";

/* Lists that merge: both stand in metadata, in every kind. */
static const struct merge_list {
	const char *name;
	const char *key; /* NULL: the items are the keys */
} merge_lists[] = {
	{"finalizers", NULL},
	{"ownerReferences", "uid"},
};

static const struct merge_list *merge_list_find(bool in_metadata, const char *name)
{
	for (size_t i = 0; in_metadata && i < ARRAY_LEN(merge_lists); i++)
		if (!strcmp(merge_lists[i].name, name))
			return &merge_lists[i];
	return NULL;
}

static const json_t *item_key(const struct merge_list *l, const json_t *item)
{
	return l->key ? json_object_get(item, l->key) : item;
}

/* The list's item with that key, or its length. */
static size_t item_find(const struct merge_list *l, const json_t *list, const json_t *key)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (key && json_equal(item_key(l, item), key))
			break;
	return i;
}

static enum err_code
strategic_merge(json_t *target, const json_t *patch, int depth, bool in_metadata, struct err *e);

/* A copy of an item with directives in it carried out. */
static enum err_code item_make(const json_t *item, json_t **ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *v = json_is_object(item) ? json_object() : json_deep_copy(item);
	enum err_code code = ERR_OK;

	if (json_is_object(item))
		code = strategic_merge(v, item, 2, false, e);
	if (!code)
		*ret = json_incref(v);
	return code;
}

static enum err_code
item_merge(const struct merge_list *l, json_t *list, const json_t *item, struct err *e)
{
	const json_t *key = item_key(l, item);
	size_t at = item_find(l, list, key);
	bool is_there = at < json_array_size(list);
	json_t *made;
	enum err_code code;

	if (!key)
		return err_set(
			e, ERR_INVALID, "patch of metadata.%s: an item has no %s", l->name, l->key);
	if (!strcmp(jv_str_or(item, "$patch", ""), "delete")) {
		json_array_remove(list, at);
		return ERR_OK;
	}
	if (is_there && json_is_object(item))
		return strategic_merge(json_array_get(list, at), item, 2, false, e);
	if (is_there)
		return ERR_OK;
	code = item_make(item, &made, e);
	if (!code)
		json_array_append_new(list, made);
	return code;
}

/* An item {"$patch": "replace"} says that the others are all that there shall be. */
static bool list_is_replaced(const json_t *items)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item)
		if (!strcmp(jv_str_or(item, "$patch", ""), "replace"))
			return true;
	return false;
}

static enum err_code
list_merge(const struct merge_list *l, json_t *list, const json_t *items, struct err *e)
{
	const json_t *item;
	enum err_code code = ERR_OK;
	size_t i;

	if (list_is_replaced(items))
		json_array_clear(list);
	json_array_foreach (items, i, item) {
		if (!strcmp(jv_str_or(item, "$patch", ""), "replace"))
			continue;
		code = item_merge(l, list, item, e);
		if (code)
			break;
	}
	return code;
}

/* The items that order names come first, in its order. */
static void list_order(const struct merge_list *l, json_t *target, const json_t *order)
{
	json_t *list = json_object_get(target, l->name);
	const json_t *item;
	size_t i, done = 0;

	json_array_foreach (order, i, item) {
		size_t at = item_find(l, list, item_key(l, item));
		json_t *moved = json_incref(json_array_get(list, at));

		if (!moved || at < done) {
			json_decref(moved);
			continue;
		}
		json_array_remove(list, at);
		json_array_insert_new(list, done++, moved);
	}
}

static void list_delete(const struct merge_list *l, json_t *target, const json_t *items)
{
	json_t *list = json_object_get(target, l->name);
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item)
		json_array_remove(list, item_find(l, list, item));
}

/* Keeps only the keys that $retainKeys lists. */
static void retain_keys(json_t *target, const json_t *keys)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(target, next, name, value)
	{
		const json_t *key;
		bool is_kept = false;
		size_t i;

		json_array_foreach (keys, i, key)
			is_kept = is_kept || !strcmp(json_string_value(key) ?: "", name);
		if (!is_kept)
			json_object_del(target, name);
	}
}

/* One field of a patch that is no directive. */
static enum err_code field_merge(
	json_t *target, const char *name, const json_t *value, int depth, bool in_metadata,
	struct err *e)
{
	const struct merge_list *l = merge_list_find(in_metadata, name);
	json_t *at = json_object_get(target, name);

	if (json_is_null(value) ||
	    (json_is_object(value) && !strcmp(jv_str_or(value, "$patch", ""), "delete"))) {
		json_object_del(target, name);
		return ERR_OK;
	}
	if (l && json_is_array(value)) {
		if (!json_is_array(at)) {
			at = json_array();
			json_object_set_new(target, name, at);
		}
		return list_merge(l, at, value, e);
	}
	if (!json_is_object(value)) {
		json_object_set_new(target, name, json_deep_copy(value));
		return ERR_OK;
	}
	if (!json_is_object(at)) {
		at = json_object();
		json_object_set_new(target, name, at);
	}
	return strategic_merge(at, value, depth + 1, depth == 0 && !strcmp(name, "metadata"), e);
}

/* Directives that come after the fields: what they speak of must be there. */
static void directives_after(json_t *target, const json_t *patch, bool in_metadata)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)patch, name, value) {
		struct str list = str_of(name);
		const struct merge_list *l;

		if (str_cut_prefix(&list, delete_from)) {
			l = merge_list_find(in_metadata, list.p);
			if (l && !l->key)
				list_delete(l, target, value);
		} else if (str_cut_prefix(&list, set_order)) {
			l = merge_list_find(in_metadata, list.p);
			if (l)
				list_order(l, target, value);
		}
	}
}

static enum err_code directive_check(const char *name, const json_t *value, struct err *e)
{
	static const char *const actions[] = {"replace", "merge", "delete"};

	if (str_starts(str_of(name), delete_from) || str_starts(str_of(name), set_order) ||
	    !strcmp(name, "$retainKeys"))
		return json_is_array(value)
			? ERR_OK
			: err_set(e, ERR_INVALID, "patch: %s wants a list", name);
	if (strcmp(name, "$patch") != 0)
		return err_set(e, ERR_INVALID, "patch: unknown directive %s", name);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (json_is_string(value) && !strcmp(json_string_value(value), actions[i]))
			return ERR_OK;
	return err_set(e, ERR_INVALID, "patch: $patch is none of replace, merge, delete");
}

static enum err_code
strategic_merge(json_t *target, const json_t *patch, int depth, bool in_metadata, struct err *e)
{
	const char *action = jv_str_or(patch, "$patch", "merge");
	const json_t *kept = json_object_get(patch, "$retainKeys");
	enum err_code code = ERR_OK;
	const char *name;
	json_t *value;

	if (strcmp(action, "merge") != 0)
		json_object_clear(target);
	if (!strcmp(action, "delete"))
		return ERR_OK;
	if (kept)
		retain_keys(target, kept);
	json_object_foreach ((json_t *)patch, name, value) {
		code = name[0] == '$' ? directive_check(name, value, e)
				      : field_merge(target, name, value, depth, in_metadata, e);
		if (code)
			return code;
	}
	directives_after(target, patch, in_metadata);
	return ERR_OK;
}

enum err_code patch_strategic(const json_t *value, const json_t *patch, json_t **ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *v = NULL;
	enum err_code code;

	if (!json_is_object(patch))
		return err_set(e, ERR_INVALID, "a strategic merge patch is an object");
	v = json_is_object(value) ? json_deep_copy(value) : json_object();
	code = strategic_merge(v, patch, 0, false, e);
	if (!code)
		*ret = json_incref(v);
	return code;
}
