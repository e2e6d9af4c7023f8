#include "http/hangup.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"

enum { BATCH = 64, STACK_BYTES = 256 * 1024 };

struct hangups {
	int epoll_fd;
	int wake_fd; /* its event has a NULL pointer */
	pthread_t thread;
	pthread_mutex_t lock;
	struct list dropped; /* no longer in the epoll; events fetched before may name them */
	bool is_stopping;
};

static struct hangup *pop_dropped(struct hangups *h)
{
	struct list *at;

	pthread_mutex_lock(&h->lock);
	at = list_pop_front(&h->dropped);
	pthread_mutex_unlock(&h->lock);
	return at ? list_entry(at, struct hangup, at) : NULL;
}

/* Between two batches no fetched event is left, so nothing can name a dropped watch any more. */
static void release_dropped(struct hangups *h)
{
	struct hangup *w;

	while ((w = pop_dropped(h)))
		w->released(w);
}

static bool is_stopping(struct hangups *h)
{
	bool ret;

	pthread_mutex_lock(&h->lock);
	ret = h->is_stopping;
	pthread_mutex_unlock(&h->lock);
	return ret;
}

static void *watch(void *arg)
{
	struct hangups *h = arg;
	struct epoll_event got[BATCH];
	uint64_t count;

	while (!is_stopping(h)) {
		int n = epoll_wait(h->epoll_fd, got, BATCH, -1);

		for (int i = 0; i < n; i++) {
			struct hangup *w = got[i].data.ptr;

			if (w)
				w->on_hangup(w);
			else if (read(h->wake_fd, &count, sizeof(count)) < 0)
				log_warn("hang-up watch", "reason=%s", log_q(strerror(errno)));
		}
		release_dropped(h);
	}
	return NULL;
}

static void wake(struct hangups *h)
{
	uint64_t one = 1;

	if (write(h->wake_fd, &one, sizeof(one)) < 0)
		log_warn("hang-up watch", "reason=%s", log_q(strerror(errno)));
}

static int thread_start(struct hangups *h)
{
	pthread_attr_t attr;
	int no;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	no = pthread_create(&h->thread, &attr, watch, h);
	pthread_attr_destroy(&attr);
	return no;
}

static void hangups_free(struct hangups *h)
{
	fd_drop(&h->epoll_fd);
	fd_drop(&h->wake_fd);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

enum err_code hangups_start(struct hangups **ret, struct err *e)
{
	struct hangups *h = mem_alloc(sizeof(*h));
	struct epoll_event ev = {.events = EPOLLIN};

	pthread_mutex_init(&h->lock, NULL);
	list_init(&h->dropped);
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->epoll_fd < 0 || h->wake_fd < 0 ||
	    epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, h->wake_fd, &ev) < 0 ||
	    (errno = thread_start(h)) != 0) {
		err_os(e, "start the thread that watches for hang-ups");
		hangups_free(h);
		return ERR_IO;
	}
	*ret = h;
	return ERR_OK;
}

void hangups_stop(struct hangups *h)
{
	pthread_mutex_lock(&h->lock);
	h->is_stopping = true;
	pthread_mutex_unlock(&h->lock);
	wake(h);
	pthread_join(h->thread, NULL);
	release_dropped(h);
	hangups_free(h);
}

void hangup_add(struct hangups *h, struct hangup *w)
{
	/* EPOLLERR and EPOLLHUP come unasked; edge-triggered: told once */
	struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = w};

	list_init(&w->at);
	if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
		log_warn("hang-up watch", "fd=%d reason=%s", w->fd, log_q(strerror(errno)));
}

void hangup_drop(struct hangups *h, struct hangup *w)
{
	epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL); /* fails where adding failed */
	pthread_mutex_lock(&h->lock);
	list_push_back(&h->dropped, &w->at);
	pthread_mutex_unlock(&h->lock);
	wake(h);
}
