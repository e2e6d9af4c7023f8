#include "http/turner.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "http/wire.h"

enum {
	/* A stuck turn waits for events only so long: bytes may lie decrypted where no event tells
	 * of them, behind a client that is stuck. */
	STUCK_MS = 20,
};

struct turner {
	struct MHD_Daemon *mhd;
	int epoll_fd; /* libmicrohttpd's */
	int wake_fd;
	_Atomic bool is_woken; /* and has not turned since: once is enough */
	_Atomic bool is_stopping;
	pthread_t thread;
};

static __thread struct turner *self;

struct turner *turner_self(void)
{
	return self;
}

static void wake(struct turner *l)
{
	uint64_t one = 1;

	if (!atomic_exchange(&l->is_woken, true) && write(l->wake_fd, &one, sizeof(one)) < 0)
		log_error("HTTP event loop", "reason=%s", log_q(strerror(errno)));
}

/* Before the turn that looks for what was resumed: what is resumed later wakes again. Whoever has
 * set the flag but not yet written leaves it set: its write is still to come. */
static void wake_clear(struct turner *l)
{
	uint64_t count;

	if (atomic_load(&l->is_woken) && read(l->wake_fd, &count, sizeof(count)) > 0)
		atomic_store(&l->is_woken, false);
}

/* A daemon without a thread of its own does not wake anybody itself. */
void turner_resume(struct turner *l, struct MHD_Connection *c)
{
	MHD_resume_connection(c);
	wake(l);
}

static bool is_eager(struct turner *l)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return MHD_get_timeout(l->mhd, &ms) == MHD_YES && ms == 0;
}

static void *turn(void *arg)
{
	struct turner *l = arg;
	struct pollfd events = {.fd = l->epoll_fd, .events = POLLIN};

	self = l;
	while (!l->is_stopping) {
		wake_clear(l);
		wire_turn_begin();
		if (MHD_run_wait(l->mhd, -1) != MHD_YES) {
			log_error("HTTP event loop", "reason=%s", log_q(strerror(errno)));
			poll(NULL, 0, STUCK_MS);
		}
		if (wire_turn_is_stuck() && is_eager(l))
			poll(&events, 1, STUCK_MS);
	}
	return NULL;
}

static int thread_start(struct turner *l, size_t stack_bytes)
{
	pthread_attr_t attr;
	int no;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack_bytes);
	no = pthread_create(&l->thread, &attr, turn, l);
	pthread_attr_destroy(&attr);
	return no;
}

/* libmicrohttpd takes an event with a NULL pointer for a wake-up, and nothing else. */
static int wake_add(struct turner *l)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		return -1;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev);
}

enum err_code
turner_start(struct MHD_Daemon *mhd, size_t stack_bytes, struct turner **ret, struct err *e)
{
	struct turner *l = mem_alloc(sizeof(*l));

	l->mhd = mhd;
	l->epoll_fd = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	if (wake_add(l) < 0 || (errno = thread_start(l, stack_bytes)) != 0) {
		err_os(e, "start an event thread");
		fd_drop(&l->wake_fd);
		free(l);
		return ERR_IO;
	}
	*ret = l;
	return ERR_OK;
}

void turner_stop(struct turner *l)
{
	l->is_stopping = true;
	wake(l);
	pthread_join(l->thread, NULL);
	MHD_stop_daemon(l->mhd);
	fd_drop(&l->wake_fd);
	free(l);
}
