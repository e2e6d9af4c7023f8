#include "store/filter.h"

#include <stdlib.h>

enum { LABELS_MAX = 1 << 20 };

enum op { OP_EQ, OP_NE, OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT, OPS };

static const char *const op_names[OPS] = {
	[OP_EQ] = "=",         [OP_NE] = "!=",         [OP_IN] = "in",
	[OP_NOT_IN] = "notin", [OP_EXISTS] = "exists", [OP_NOT] = "!",
};

static enum op op_of(const json_t *requirement)
{
	const char *name = jv_str(requirement, "op");
	size_t i = 0;

	while (name && i < OPS && strcmp(op_names[i], name) != 0)
		i++;
	return name ? (enum op)i : OPS;
}

void filter_init(struct filter *f, const struct store_filter *from)
{
	*f = (struct filter){0};
	if (!from)
		return;
	f->ns = from->ns && from->ns[0] ? mem_strdup(from->ns) : NULL;
	f->name = from->name ? mem_strdup(from->name) : NULL;
	f->labels = json_array_size(from->labels) ? json_deep_copy(from->labels) : NULL;
}

void filter_done(struct filter *f)
{
	free(f->ns);
	free(f->name);
	json_decref(f->labels);
	*f = (struct filter){0};
}

enum err_code filter_check(const struct store_filter *f, struct err *e)
{
	size_t i;
	json_t *r;

	if (!f || !f->labels)
		return ERR_OK;
	if (!json_is_array(f->labels))
		return err_set(e, ERR_INVALID, "label selector: want an array");
	json_array_foreach (f->labels, i, r) {
		enum op op = op_of(r);
		size_t n = json_array_size(json_object_get(r, "values"));

		if (!jv_str(r, "key") || op == OPS)
			return err_set(e, ERR_INVALID, "label selector: want key and op");
		if (op <= OP_NE ? n != 1 : op <= OP_NOT_IN && n == 0)
			return err_set(
				e, ERR_INVALID, "label selector: '%s' %s has %zu values",
				jv_str(r, "key"), op_names[op], n);
	}
	return ERR_OK;
}

bool filter_takes_name(const struct filter *f, struct str ns, struct str name)
{
	return (!f->ns || str_is(ns, f->ns)) && (!f->name || str_is(name, f->name));
}

static bool is_among(const char *value, const json_t *values)
{
	size_t i;
	json_t *v;

	json_array_foreach (values, i, v) {
		const char *s = json_string_value(v);

		if (value && s && strcmp(s, value) == 0)
			return true;
	}
	return false;
}

static bool takes(const json_t *requirement, const json_t *labels)
{
	const char *value = json_string_value(json_object_get(labels, jv_str(requirement, "key")));
	const json_t *values = json_object_get(requirement, "values");

	switch (op_of(requirement)) {
	case OP_EQ:
	case OP_IN:
		return is_among(value, values);
	case OP_NE:
	case OP_NOT_IN:
		return !is_among(value, values);
	case OP_EXISTS:
		return value;
	case OP_NOT:
		return !value;
	case OPS:
		break;
	}
	return false;
}

bool filter_takes_labels(const json_t *requirements, struct str labels_text)
{
	CLEANUP(jv_drop) json_t *labels = NULL;
	size_t i;
	json_t *r;

	if (!requirements)
		return true;
	if (labels_text.p && jv_parse(labels_text, LABELS_MAX, &labels, NULL) != ERR_OK)
		return false;
	json_array_foreach (requirements, i, r) {
		if (!takes(r, labels))
			return false;
	}
	return true;
}
