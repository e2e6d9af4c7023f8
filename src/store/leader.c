#include "store/leader.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/wake.h"

enum {
	ASK_MS = 1000,
	ANSWER_MS = 2000, /* a server that takes longer has lost us, though it may not know */
	GOOD_MS = 4000, /* how long an answer counts; below what the server's keepalive takes */
};

struct leader {
	struct sessions *sessions;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under the lock: */
	bool is_closing;
	int fd; /* of the session that holds the lock; -1: we do not hold it */
	int64_t good_until_ms;
	/* the thread's own: */
	struct db *db; /* NULL: none now */
};

static void set(struct leader *l, int fd)
{
	bool was, is = fd >= 0;

	pthread_mutex_lock(&l->lock);
	was = l->fd >= 0;
	l->fd = fd;
	l->good_until_ms = clock_mono_ms() + GOOD_MS;
	pthread_mutex_unlock(&l->lock);
	if (was != is)
		log_info("leadership changed", "is_leader=%s", is ? "true" : "false");
}

static void disconnect(struct leader *l)
{
	set(l, -1);
	db_close(l->db);
	l->db = NULL;
}

/* The advisory lock counts how often it was taken, so it is only asked for while it is not ours. */
static enum err_code ask(struct leader *l, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	enum err_code code = ERR_OK;

	if (!l->db) {
		code = sessions_open(l->sessions, &l->db, e);
		if (code != ERR_OK)
			return code;
		db_set_timeout(l->db, ANSWER_MS);
	}
	code = db_exec_named(
		l->db, "leader",
		l->fd >= 0 ? "SELECT true" : "SELECT pg_try_advisory_lock(7539212)", NULL, 0, &r,
		e);
	if (code == ERR_OK)
		set(l, db_bool(&r, 0, 0) ? PQsocket(db_conn(l->db)) : -1);
	return sessions_note(l->sessions, code);
}

static bool rest(struct leader *l)
{
	int64_t until = clock_mono_ms() + ASK_MS;
	bool is_closing;

	pthread_mutex_lock(&l->lock);
	if (!l->is_closing)
		wake_wait(&l->wake, &l->lock, until);
	is_closing = l->is_closing;
	pthread_mutex_unlock(&l->lock);
	return !is_closing;
}

static void *run(void *arg)
{
	struct leader *l = arg;
	struct err e;

	do {
		if (ask(l, &e) != ERR_OK)
			disconnect(l);
	} while (rest(l));
	disconnect(l);
	return NULL;
}

struct leader *leader_new(struct sessions *s)
{
	struct leader *l = mem_alloc(sizeof(*l));

	l->sessions = s;
	l->fd = -1;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	if (pthread_create(&l->thread, NULL, run, l))
		abort();
	return l;
}

void leader_free(struct leader *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->is_closing = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool leader_is(struct leader *l)
{
	struct pollfd p;
	bool is;

	pthread_mutex_lock(&l->lock);
	p = (struct pollfd){.fd = l->fd, .events = POLLRDHUP};
	/* under the lock, so that the descriptor is still the session's */
	is = l->fd >= 0 && clock_mono_ms() < l->good_until_ms && poll(&p, 1, 0) == 0;
	pthread_mutex_unlock(&l->lock);
	return is;
}
