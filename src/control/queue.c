#include "control/queue.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/wake.h"

enum { NOT_IN_HEAP = -1 };
static const int64_t never = INT64_MAX;

struct item {
	char *key;
	int64_t due_ms; /* never: not asked for */
	int64_t backoff_ms; /* of the next failure */
	ptrdiff_t at; /* in the heap; NOT_IN_HEAP while a worker has it */
	bool is_forgotten; /* a worker has it, but nobody wants it back */
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct map items;
	struct item **heap; /* the first is the next that is due */
	size_t n, cap;
	bool is_held, is_stopped;
};

static void heap_set(struct queue *q, size_t at, struct item *i)
{
	q->heap[at] = i;
	i->at = (ptrdiff_t)at;
}

static void heap_up(struct queue *q, size_t at)
{
	struct item *i = q->heap[at];

	for (; at > 0 && q->heap[(at - 1) / 2]->due_ms > i->due_ms; at = (at - 1) / 2)
		heap_set(q, at, q->heap[(at - 1) / 2]);
	heap_set(q, at, i);
}

static void heap_down(struct queue *q, size_t at)
{
	struct item *i = q->heap[at];

	for (;;) {
		size_t child = at * 2 + 1;

		if (child + 1 < q->n && q->heap[child + 1]->due_ms < q->heap[child]->due_ms)
			child++;
		if (child >= q->n || q->heap[child]->due_ms >= i->due_ms)
			break;
		heap_set(q, at, q->heap[child]);
		at = child;
	}
	heap_set(q, at, i);
}

static void heap_push(struct queue *q, struct item *i)
{
	if (q->n == q->cap) {
		q->cap = q->cap ? q->cap * 2 : 64;
		q->heap = mem_resize(q->heap, q->cap * sizeof(struct item *));
	}
	heap_set(q, q->n++, i);
	heap_up(q, q->n - 1);
}

static struct item *heap_pop(struct queue *q)
{
	struct item *first = q->heap[0], *last = q->heap[--q->n];

	if (q->n) {
		heap_set(q, 0, last);
		heap_down(q, 0);
	}
	first->at = NOT_IN_HEAP;
	return first;
}

static void item_free(struct item *i)
{
	free(i->key);
	free(i);
}

static struct item *item_get(struct queue *q, const char *key)
{
	struct item *i = map_get(&q->items, str_of(key));

	if (i)
		return i;
	i = mem_alloc(sizeof(*i));
	*i = (struct item){mem_strdup(key), never, QUEUE_BACKOFF_MIN_MS, NOT_IN_HEAP, false};
	map_put(&q->items, str_of(key), i);
	return i;
}

struct queue *queue_new(void)
{
	struct queue *q = mem_alloc(sizeof(*q));

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->wake, NULL);
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	map_for_each (slot, &q->items)
		item_free(slot->value);
	map_done(&q->items);
	free(q->heap);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

void queue_add(struct queue *q, const char *key, int64_t delay_ms)
{
	int64_t due = clock_mono_ms() + MAX(delay_ms, 0);
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->items.n;

	struct item *i = item_get(q, key);

	i->is_forgotten = false;
	if (q->items.n > n) {
		i->due_ms = due;
		heap_push(q, i);
	} else if (due < i->due_ms) {
		i->due_ms = due;
		if (i->at != NOT_IN_HEAP)
			heap_up(q, (size_t)i->at);
	}
	if (q->n && q->heap[0] == i)
		pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

static void wait_until(struct queue *q, int64_t at_ms)
{
	if (at_ms == never)
		pthread_cond_wait(&q->wake, &q->lock);
	else
		wake_wait(&q->wake, &q->lock, at_ms);
}

const char *queue_take(struct queue *q, int timeout_ms)
{
	int64_t now = clock_mono_ms(), end = timeout_ms < 0 ? never : now + timeout_ms;
	struct item *i = NULL;

	pthread_mutex_lock(&q->lock);
	while (!q->is_stopped) {
		int64_t next = q->n && !q->is_held ? q->heap[0]->due_ms : never;

		now = clock_mono_ms();
		if (next <= now) {
			i = heap_pop(q);
			i->due_ms = never;
			if (q->n) /* one signal may have stood for several keys */
				pthread_cond_signal(&q->wake);
			break;
		}
		if (now >= end)
			break;
		wait_until(q, MIN(next, end));
	}
	pthread_mutex_unlock(&q->lock);
	return i ? i->key : NULL;
}

void queue_hold(struct queue *q, bool is_held)
{
	pthread_mutex_lock(&q->lock);
	q->is_held = is_held;
	pthread_cond_signal(&q->wake); /* each taker passes it on while more are due */
	pthread_mutex_unlock(&q->lock);
}

/* Back to those that wait, or away when nobody asked for it meanwhile. */
static void item_return(struct queue *q, struct item *i)
{
	if (i->due_ms == never) {
		map_remove(&q->items, str_of(i->key));
		item_free(i);
		return;
	}
	heap_push(q, i);
	if (q->heap[0] == i)
		pthread_cond_signal(&q->wake);
}

void queue_done(struct queue *q, const char *key)
{
	pthread_mutex_lock(&q->lock);

	struct item *i = map_get(&q->items, str_of(key));

	assert(i && i->at == NOT_IN_HEAP);
	i->backoff_ms = QUEUE_BACKOFF_MIN_MS;
	item_return(q, i);
	pthread_mutex_unlock(&q->lock);
}

int64_t queue_fail(struct queue *q, const char *key, int64_t max_ms)
{
	int64_t delay;

	pthread_mutex_lock(&q->lock);

	struct item *i = map_get(&q->items, str_of(key));

	assert(i && i->at == NOT_IN_HEAP);
	delay = MIN(i->backoff_ms, max_ms);
	i->backoff_ms = MIN(i->backoff_ms * 2, QUEUE_BACKOFF_MAX_MS);
	i->due_ms = i->is_forgotten ? never : clock_mono_ms() + delay;
	item_return(q, i);
	pthread_mutex_unlock(&q->lock);
	return delay;
}

void queue_clear(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	while (q->n) {
		struct item *i = heap_pop(q);

		map_remove(&q->items, str_of(i->key));
		item_free(i);
	}
	map_for_each (slot, &q->items) {
		struct item *i = slot->value;

		i->due_ms = never;
		i->is_forgotten = true;
	}
	pthread_mutex_unlock(&q->lock);
}

void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->is_stopped = true;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

size_t queue_length(struct queue *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->items.n;
	pthread_mutex_unlock(&q->lock);
	return n;
}
