/*
 * Columns: rows of text, aligned as kubectl aligns them, by the cells that they take on a terminal.
 *
 * A row is an array of cells that ends in NULL. First every row is fitted, then each printed; the
 * widths may go on growing, as in a watch. Pure.
 */
#ifndef SLIPWAY_CODEC_COLUMNS_H
#define SLIPWAY_CODEC_COLUMNS_H

#include "base/arena.h"
#include "base/str.h"

enum { COLUMNS_MAX = 32, COLUMNS_GAP = 3 };

struct columns { /* starts zeroed */
	size_t widths[COLUMNS_MAX];
};

/* Text for one cell: what a terminal would obey or reorder (control characters, line breaks,
 * bidirectional overrides), and what is no UTF-8, becomes '?'. */
const char *columns_clean(struct arena *a, struct str text);

/* Terminal cells of a clean text. */
size_t columns_width(const char *text);

void columns_fit(struct columns *c, const char *const *row);

/* The row and a line break; nothing behind its last cell. Cells over COLUMNS_MAX are left out. */
void columns_print(struct buf *out, const struct columns *c, const char *const *row);

#endif
