/*
 * Arena: memory of one request, session or job, freed at once.
 *
 * Blocks are taken from malloc as needed, so an empty arena costs nothing. Out of memory aborts:
 * nothing here ever returns NULL. Not for two threads at a time.
 */
#ifndef SLIPWAY_BASE_ARENA_H
#define SLIPWAY_BASE_ARENA_H

#include <stdarg.h>

#include "base/defs.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used; /* bytes given out from head */
	size_t total; /* bytes given out in all: what a limit can look at */
};

/* A zeroed struct arena is an empty arena: struct arena a = {0}. */
void arena_done(struct arena *a);

/* Frees all but one block, for a loop that works in rounds. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t bytes) __attribute__((malloc, returns_nonnull));

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_alloc_array((a), (n), sizeof(type)))
void *arena_alloc_array(struct arena *a, size_t n, size_t bytes) __attribute__((returns_nonnull));

/* Copies that end in a NUL byte. */
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF(2, 0);

/* malloc, calloc, realloc, strdup that abort when there is no memory. */
void *mem_alloc(size_t bytes) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_resize(void *p, size_t bytes) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((returns_nonnull));
char *mem_printf(const char *fmt, ...) PRINTF(1, 2);

/* For CLEANUP on a char * or void * that mem_alloc or a library's malloc gave. */
void mem_drop(void *pp);

#endif
