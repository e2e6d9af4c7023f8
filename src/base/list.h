/* Circular doubly linked list, embedded in its owners. No allocation, nothing can fail. */
#ifndef SLIPWAY_BASE_LIST_H
#define SLIPWAY_BASE_LIST_H

#include "base/defs.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_between(struct list *at, struct list *prev, struct list *next)
{
	at->prev = prev;
	at->next = next;
	prev->next = at;
	next->prev = at;
}

static inline void list_push_back(struct list *head, struct list *at)
{
	list_insert_between(at, head->prev, head);
}

static inline void list_push_front(struct list *head, struct list *at)
{
	list_insert_between(at, head, head->next);
}

/* Leaves at empty, so that a second removal does no harm. */
static inline void list_remove(struct list *at)
{
	at->prev->next = at->next;
	at->next->prev = at->prev;
	list_init(at);
}

/* Takes the first one out; NULL when there is none. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *at = head->next;

	if (at == head)
		return NULL;
	list_remove(at);
	return at;
}

#define list_entry(at, type, member) container_of(at, type, member)
#define list_for_each(at, head) for (struct list *at = (head)->next; at != (head); at = at->next)
/* The body may remove at. */
#define list_for_each_safe(at, head)                                                               \
	for (struct list *at = (head)->next, *at##_next = at->next; at != (head);                  \
	     at = at##_next, at##_next = at->next)

#endif
