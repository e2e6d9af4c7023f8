#include "cli/table.h"

void table_cell(struct buf *out, const json_t *v)
{
	if (!v || json_is_null(v))
		buf_puts(out, "<none>");
	else if (json_is_string(v))
		buf_puts(out, json_string_value(v));
	else
		jv_print(out, v, false);
}

static const char *const *row_cells(
	struct arena *a, const json_t *columns, const json_t *row, bool is_wide, bool has_namespace)
{
	const char **cells = arena_array(a, const char *, COLUMNS_MAX + 1);
	const json_t *column, *values = json_object_get(row, "cells");
	size_t n = 0, i;

	if (has_namespace)
		cells[n++] = columns_clean(
			a,
			str_of(row ? jv_str_or(row, "object.metadata.namespace", "")
				   : "NAMESPACE"));
	json_array_foreach (columns, i, column) {
		CLEANUP(buf_done) struct buf cell = {0};

		if (n == COLUMNS_MAX || (!is_wide && jv_int(column, "priority", 0) > 0))
			continue;
		if (row)
			table_cell(&cell, json_array_get(values, i));
		else
			buf_puts(&cell, jv_str_or(column, "name", ""));
		cells[n++] = columns_clean(a, buf_view(&cell));
	}
	return cells;
}

static const char *upper(struct arena *a, const char *s)
{
	char *ret = arena_strdup(a, s);

	for (char *c = ret; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return ret;
}

void table_print(
	struct buf *out, struct table *t, const json_t *doc, bool is_wide, bool has_namespace)
{
	CLEANUP(arena_done) struct arena a = {0};
	const json_t *columns = json_object_get(doc, "columnDefinitions");
	const json_t *rows = json_object_get(doc, "rows"), *row;
	const char *const **all = arena_array(&a, const char *const *, json_array_size(rows) + 1);
	const char **head =
		(const char **)(uintptr_t)row_cells(&a, columns, NULL, is_wide, has_namespace);
	size_t i;

	for (i = 0; head[i]; i++)
		head[i] = upper(&a, head[i]);
	if (!t->has_header)
		columns_fit(&t->columns, head);
	json_array_foreach (rows, i, row) {
		all[i] = row_cells(&a, columns, row, is_wide, has_namespace);
		columns_fit(&t->columns, all[i]);
	}
	if (!t->has_header && json_array_size(columns))
		columns_print(out, &t->columns, head);
	t->has_header = t->has_header || json_array_size(columns);
	for (i = 0; i < json_array_size(rows); i++)
		columns_print(out, &t->columns, all[i]);
}

void rows_add(struct rows *r, const char *const *cells)
{
	const char **copy = arena_array(r->arena, const char *, COLUMNS_MAX + 1);

	if (r->n == r->cap) {
		const char *const **more =
			arena_array(r->arena, const char *const *, r->cap * 2 + 8);

		if (r->n)
			memcpy(more, r->v, r->n * sizeof(*more));
		r->v = more;
		r->cap = r->cap * 2 + 8;
	}
	for (size_t i = 0; i < COLUMNS_MAX && cells[i]; i++) {
		copy[i] = columns_clean(r->arena, str_of(cells[i]));
	}
	r->v[r->n++] = copy;
}

void rows_print(struct buf *out, const struct rows *r, const char *indent)
{
	struct columns c = {0};

	for (size_t i = 0; i < r->n; i++)
		columns_fit(&c, r->v[i]);
	for (size_t i = 0; i < r->n; i++) {
		buf_puts(out, indent);
		columns_print(out, &c, r->v[i]);
	}
}
