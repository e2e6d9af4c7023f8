#include "api/follow.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wake.h"

enum { FOLLOW_RETRY_MS = 1000 };

struct follow {
	struct store *store;
	const char *kind;
	follow_on_change *on_change;
	void *arg;
	struct store_watch *watch; /* the thread's, once it runs */
	pthread_t thread;
	pthread_mutex_t lock; /* of the two flags */
	pthread_cond_t wake;
	bool is_lost; /* the watch has ended */
	bool is_stopping;
};

static void on_event(void *arg, const struct store_event *ev, enum err_code code)
{
	struct follow *f = arg;

	if (code) {
		pthread_mutex_lock(&f->lock);
		f->is_lost = true;
		pthread_cond_signal(&f->wake);
		pthread_mutex_unlock(&f->lock);
	} else if (ev->type == STORE_DELETED) {
		f->on_change(f->arg, FOLLOW_DROP, ev->ns, ev->name, ev->text);
	} else if (ev->type != STORE_BOOKMARK) {
		f->on_change(f->arg, FOLLOW_PUT, ev->ns, ev->name, ev->text);
	}
}

static bool on_text(void *arg, const char *ns, const char *name, struct str text)
{
	struct follow *f = arg;

	f->on_change(f->arg, FOLLOW_PUT, ns, name, text);
	return true;
}

/* All objects, and the watch from there on. */
static enum err_code follow_list(struct follow *f, struct err *e)
{
	int64_t revision = 0;
	enum err_code code;

	f->on_change(f->arg, FOLLOW_BEGIN, "", "", (struct str){"", 0});
	code = store_list(f->store, f->kind, NULL, 0, NULL, on_text, f, &revision, e);
	if (code)
		return code;
	f->on_change(f->arg, FOLLOW_END, "", "", (struct str){"", 0});
	return store_watch_start(f->store, f->kind, NULL, revision, on_event, f, &f->watch, e);
}

/* Waits for the end of the watch; false: for the end of us. */
static bool wait_for_loss(struct follow *f)
{
	bool is_lost;

	pthread_mutex_lock(&f->lock);
	while (!f->is_lost && !f->is_stopping)
		pthread_cond_wait(&f->wake, &f->lock);
	is_lost = !f->is_stopping;
	f->is_lost = false;
	pthread_mutex_unlock(&f->lock);
	return is_lost;
}

/* A moment before the next try; false: stop. */
static bool rest(struct follow *f)
{
	int64_t until_ms = clock_mono_ms() + FOLLOW_RETRY_MS;
	bool is_stopping;

	pthread_mutex_lock(&f->lock);
	if (!f->is_stopping)
		wake_wait(&f->wake, &f->lock, until_ms);
	is_stopping = f->is_stopping;
	pthread_mutex_unlock(&f->lock);
	return !is_stopping;
}

static void *follow_run(void *arg)
{
	struct follow *f = arg;
	struct err e;

	while (wait_for_loss(f)) {
		store_watch_stop(f->watch);
		f->watch = NULL;
		while (follow_list(f, &e)) {
			log_warn("cannot list", "kind=%s why=%s", f->kind, log_q(e.text));
			if (!rest(f))
				return NULL;
		}
	}
	return NULL;
}

enum err_code follow_start(
	struct store *s, const char *kind, follow_on_change *on_change, void *arg,
	struct follow **ret, struct err *e)
{
	struct follow *f = mem_alloc(sizeof(*f));
	enum err_code code;

	*f = (struct follow){.store = s, .kind = kind, .on_change = on_change, .arg = arg};
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	code = follow_list(f, e);
	if (!code && pthread_create(&f->thread, NULL, follow_run, f)) {
		store_watch_stop(f->watch);
		code = err_set(e, ERR_LIMIT, "no thread for following %s", kind);
	}
	if (code) {
		pthread_cond_destroy(&f->wake);
		pthread_mutex_destroy(&f->lock);
		free(f);
		return code;
	}
	*ret = f;
	return ERR_OK;
}

void follow_stop(struct follow *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->is_stopping = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	if (f->watch)
		store_watch_stop(f->watch);
	pthread_cond_destroy(&f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}
