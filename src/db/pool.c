#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/wake.h"
#include "db/db.h"

enum { IDLE_MS = 30000, IDLE_KEPT = 2 };

struct idle {
	struct db *db;
	int64_t since_ms;
};

struct db_pool {
	char *conninfo;
	char *setup; /* NULL: none */
	int max;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	/* under the lock: */
	int open; /* sessions in all, also those being opened */
	int idle_n;
	struct idle *idle; /* a stack, so that few sessions stay warm and the others get old */
};

enum err_code
db_pool_new(const char *conninfo, const char *setup, int max, struct db_pool **ret, struct err *e)
{
	struct db_pool *p = mem_alloc(sizeof(*p));

	(void)e; /* sessions are opened when they are asked for */
	assert(max > 0);
	p->conninfo = mem_strdup(conninfo);
	p->setup = setup ? mem_strdup(setup) : NULL;
	p->max = max;
	p->idle = mem_alloc((size_t)max * sizeof(*p->idle));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->freed, NULL);
	*ret = p;
	return ERR_OK;
}

void db_pool_free(struct db_pool *p)
{
	if (!p)
		return;
	assert(p->open == p->idle_n); /* all have been given back */
	for (int i = 0; i < p->idle_n; i++)
		db_close(p->idle[i].db);
	pthread_cond_destroy(&p->freed);
	pthread_mutex_destroy(&p->lock);
	free(p->idle);
	free(p->setup);
	free(p->conninfo);
	free(p);
}

static void forget(struct db_pool *p, struct db *d)
{
	db_close(d);
	pthread_mutex_lock(&p->lock);
	p->open--;
	pthread_cond_signal(&p->freed);
	pthread_mutex_unlock(&p->lock);
}

static enum err_code open_new(struct db_pool *p, int timeout_ms, struct db **ret, struct err *e)
{
	struct db *d = NULL;
	enum err_code code = db_open(p->conninfo, timeout_ms, &d, e);

	if (code == ERR_OK && p->setup)
		code = db_script(d, p->setup, e);
	if (code != ERR_OK) {
		forget(p, d);
		return code;
	}
	*ret = d;
	return ERR_OK;
}

/* An idle session, or NULL with the right to open one; false: all are taken, in vain. */
static bool take(struct db_pool *p, int timeout_ms, struct db **ret)
{
	int64_t until = clock_mono_ms() + timeout_ms;
	bool is_free = true;

	pthread_mutex_lock(&p->lock);
	while (p->idle_n == 0 && p->open == p->max && is_free)
		is_free = wake_wait(&p->freed, &p->lock, until);
	if (p->idle_n > 0) {
		*ret = p->idle[--p->idle_n].db;
		is_free = true;
	} else if (p->open < p->max) {
		*ret = NULL;
		p->open++;
		is_free = true;
	}
	pthread_mutex_unlock(&p->lock);
	return is_free;
}

enum err_code db_pool_get(struct db_pool *p, int timeout_ms, struct db **ret, struct err *e)
{
	struct db *d = NULL;

	for (;;) {
		if (!take(p, timeout_ms, &d))
			return err_set(
				e, ERR_LIMIT, "database: all %d sessions are busy; try again later",
				p->max);
		if (!d)
			return open_new(p, timeout_ms, ret, e);
		if (db_is_alive(d)) {
			*ret = d;
			return ERR_OK;
		}
		forget(p, d);
	}
}

void db_pool_put(struct db_pool *p, struct db *d)
{
	if (!d)
		return;
	if (db_is_broken(d) || PQtransactionStatus(db_conn(d)) != PQTRANS_IDLE) {
		forget(p, d);
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->idle[p->idle_n++] = (struct idle){d, clock_mono_ms()};
	pthread_cond_signal(&p->freed);
	pthread_mutex_unlock(&p->lock);
}

/* The one that idles longest, if it has for too long. */
static struct db *take_old(struct db_pool *p)
{
	struct db *d = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->idle_n > IDLE_KEPT && clock_mono_ms() - p->idle[0].since_ms > IDLE_MS) {
		d = p->idle[0].db;
		p->idle_n--;
		memmove(p->idle, p->idle + 1, (size_t)p->idle_n * sizeof(*p->idle));
	}
	pthread_mutex_unlock(&p->lock);
	return d;
}

void db_pool_trim(struct db_pool *p)
{
	struct db *d;

	while ((d = take_old(p)))
		forget(p, d);
}
