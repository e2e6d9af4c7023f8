/*
 * Table: meta.k8s.io/v1 Table as text, in columns, as kubectl prints it. Pure.
 */
#ifndef SLIPWAY_CLI_TABLE_H
#define SLIPWAY_CLI_TABLE_H

#include "codec/columns.h"
#include "codec/jv.h"

/* The widths so far: a table that grows (a watch) keeps its columns in place. Starts zeroed. */
struct table {
	struct columns columns;
	bool has_header; /* it has been printed */
};

/* is_wide: columns of any priority, not only 0. With a namespace column before the others when
 * has_namespace. */
void table_print(
	struct buf *out, struct table *t, const json_t *doc, bool is_wide, bool has_namespace);

/* A value as a cell: strings as they are, null as "<none>", others as JSON. */
void table_cell(struct buf *out, const json_t *v);

/* Rows of text of our own: cells by the column, NULL ends a row's cells; aligned in columns. */
struct rows {
	struct arena *arena;
	const char *const *(*v);
	size_t n, cap;
};
void rows_add(struct rows *r, const char *const *cells);
void rows_print(struct buf *out, const struct rows *r, const char *indent);

#endif
