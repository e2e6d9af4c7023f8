#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK = 4096 - 64, ARENA_ALIGN = _Alignof(max_align_t) };

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(max_align_t) char data[];
};

static void *no_null(void *p, size_t bytes)
{
	if (!p) {
		fprintf(stderr, "slipway: out of memory for %zu bytes\n", bytes);
		abort();
	}
	return p;
}

void *mem_alloc(size_t bytes)
{
	return no_null(calloc(1, bytes ? bytes : 1), bytes);
}

void *mem_resize(void *p, size_t bytes)
{
	return no_null(realloc(p, bytes ? bytes : 1), bytes);
}

char *mem_strdup(const char *s)
{
	return no_null(strdup(s), strlen(s));
}

char *mem_printf(const char *fmt, ...)
{
	char *ret;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&ret, fmt, ap) < 0)
		ret = NULL;
	va_end(ap);
	return no_null(ret, strlen(fmt));
}

void mem_drop(void *pp)
{
	void **p = pp;

	free(*p);
	*p = NULL;
}

static void blocks_free(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_done(struct arena *a)
{
	blocks_free(a->head);
	*a = (struct arena){0};
}

void arena_reset(struct arena *a)
{
	if (!a->head)
		return;
	blocks_free(a->head->next);
	a->head->next = NULL;
	memset(a->head->data, 0, a->used);
	a->used = 0;
	a->total = 0;
}

static void block_push(struct arena *a, size_t bytes)
{
	size_t size = MAX(bytes, (size_t)ARENA_BLOCK);
	struct arena_block *b = mem_alloc(sizeof(*b) + size);

	b->size = size;
	b->next = a->head;
	a->head = b;
	a->used = 0;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t need = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	char *p;

	assert(need >= bytes);
	if (!a->head || a->head->size - a->used < need)
		block_push(a, need);
	p = a->head->data + a->used;
	a->used += need;
	a->total += need;
	return p;
}

void *arena_alloc_array(struct arena *a, size_t n, size_t bytes)
{
	size_t all;

	if (__builtin_mul_overflow(n, bytes, &all))
		no_null(NULL, SIZE_MAX);
	return arena_alloc(a, all);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (n)
		memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	char *p;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	assert(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}
