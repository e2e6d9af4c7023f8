#include "gateway/replies.h"

#include <stdlib.h>

#include "base/arena.h"

void replies_done(struct replies *r)
{
	while (r->n)
		replies_pop(r);
	free(r->ring);
	*r = (struct replies){0};
}

static bool has_ready(const struct reply *e)
{
	return e->kind <= REPLY_SYNC;
}

static void grow(struct replies *r)
{
	uint32_t cap = MAX(r->cap * 2, 16);
	struct reply *ring = mem_alloc(cap * sizeof(*ring));

	for (uint32_t i = 0; i < r->n; i++)
		ring[i] = r->ring[(r->at + i) & (r->cap - 1)];
	free(r->ring);
	r->ring = ring;
	r->at = 0;
	r->cap = cap;
}

void replies_push(struct replies *r, struct reply reply)
{
	if (has_ready(&reply)) {
		r->ready++;
		r->is_skipping = false;
	} else if (r->is_skipping) {
		stmt_drop(reply.stmt);
		return;
	}
	if (r->n == r->cap)
		grow(r);
	r->ring[(r->at + r->n++) & (r->cap - 1)] = reply;
}

struct reply *replies_head(const struct replies *r)
{
	return r->n ? &r->ring[r->at] : NULL;
}

void replies_pop(struct replies *r)
{
	struct reply *head = replies_head(r);

	assert(head);
	if (has_ready(head))
		r->ready--;
	stmt_drop(head->stmt);
	r->at = (r->at + 1) & (r->cap - 1);
	r->n--;
}

bool replies_ends(const struct reply *head, char type)
{
	static const char *const ends[] = {
		[REPLY_QUERY] = "Z",     [REPLY_SYNC] = "Z",  [REPLY_PARSE] = "1",
		[REPLY_BIND] = "2",      [REPLY_CLOSE] = "3", [REPLY_DESCRIBE] = "Tn",
		[REPLY_EXECUTE] = "CIs",
	};

	return strchr(ends[head->kind], type) != NULL;
}

void replies_error(struct replies *r, void (*drop)(void *arg, struct reply *gone), void *arg)
{
	struct reply *head = replies_head(r);

	if (head && head->kind == REPLY_QUERY)
		return;
	while ((head = replies_head(r)) && !has_ready(head)) {
		drop(arg, head);
		replies_pop(r);
	}
	r->is_skipping = head == NULL;
}
