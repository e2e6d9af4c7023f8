/* epoll(7), edge-triggered: a stream is registered once, and never touched again until it closes.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "net/loop_io.h"

enum { EVENTS = 512, READS = 8 /* of one stream in a round */ };
enum { IS_STREAM, IS_LISTENER, IS_WATCH, TAG = 7 };

struct epoll_io {
	int fd;
	struct epoll_event events[EVENTS];
	char scratch[STREAM_READ];
};

static enum err_code epoll_open(struct loop *l, struct err *e)
{
	struct epoll_io *io = mem_alloc(sizeof(*io));

	io->fd = epoll_create1(EPOLL_CLOEXEC);
	if (io->fd < 0) {
		free(io);
		return err_os(e, "epoll");
	}
	l->io = io;
	return ERR_OK;
}

static void epoll_close(struct loop *l)
{
	struct epoll_io *io = l->io;

	close(io->fd);
	free(io);
}

static void add(struct loop *l, int fd, uint32_t events, void *what, uintptr_t tag)
{
	struct epoll_io *io = l->io;
	struct epoll_event ev = {.events = events, .data.u64 = (uintptr_t)what | tag};

	if (epoll_ctl(io->fd, EPOLL_CTL_ADD, fd, &ev))
		abort(); /* a descriptor of ours that is none, or no memory in the kernel */
}

static void epoll_add(struct loop *l, struct stream *s, const struct sockaddr *to, socklen_t n)
{
	add(l, s->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, s, IS_STREAM);
}

/* is_ending: the other end has sent its last byte, so read on until it shows. */
static void read_some(struct loop *l, struct stream *s, bool is_ending)
{
	struct epoll_io *io = l->io;

	for (int i = 0; i < READS; i++) {
		ssize_t n = recv(s->fd, io->scratch, sizeof(io->scratch), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			s->is_readable = false;
			return;
		}
		if (n < 0) {
			stream_broke(s, errno);
			return;
		}
		if (n < (ssize_t)sizeof(io->scratch) && !is_ending)
			s->is_readable = false;
		stream_got(s, io->scratch, (size_t)n);
		if (n == 0 || s->is_closing || s->is_paused || !s->is_readable)
			return;
	}
	loop_ready(l, s);
}

static void epoll_read(struct loop *l, struct stream *s)
{
	if (s->is_readable)
		read_some(l, s, true);
}

static void epoll_send(struct loop *l, struct stream *s)
{
	while (s->out && !s->is_closing) {
		struct stream_chunk *c = s->out;
		ssize_t n = send(s->fd, c->data + c->start, c->end - c->start, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			s->is_sending = true; /* until EPOLLOUT */
			return;
		}
		if (n < 0) {
			stream_broke(s, errno);
			return;
		}
		stream_sent(s, (size_t)n);
	}
}

static void epoll_remove(struct loop *l, struct stream *s)
{
	close(s->fd);
	s->fd = -1;
	loop_dead(l, s);
}

static void on_stream(struct loop *l, struct stream *s, uint32_t events)
{
	if (s->is_closing)
		return;
	if (s->is_connecting) {
		int error = 0;
		socklen_t n = sizeof(error);

		if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n))
			error = errno;
		if (error) {
			stream_broke(s, error);
			return;
		}
		stream_connected(s);
	}
	if (s->is_sending && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		s->is_sending = false;
		loop_dirty(l, s);
	}
	if (events & ~(uint32_t)EPOLLOUT) {
		s->is_readable = true;
		if (!s->is_paused)
			read_some(l, s, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
		else if (events & (EPOLLHUP | EPOLLERR))
			stream_broke(s, ECONNRESET);
	}
}

static void accept_again(struct timer *t)
{
	struct listener *n = container_of(t, struct listener, again);

	add(n->loop, n->fd, EPOLLIN, n, IS_LISTENER);
	n->is_armed = true;
}

static void on_listener(struct loop *l, struct listener *n)
{
	struct epoll_io *io = l->io;

	for (int i = 0; i < 64 && n->is_on; i++) {
		int fd = accept4(n->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			n->taken(n, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			(void)epoll_ctl(io->fd, EPOLL_CTL_DEL, n->fd, NULL);
			n->is_armed = false;
			loop_timer(l, &n->again, 100000, accept_again);
			return;
		}
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void epoll_wait_once(struct loop *l, int64_t timeout_us)
{
	struct epoll_io *io = l->io;
	int ms = timeout_us < 0 ? -1 : (int)MIN((timeout_us + 999) / 1000, 1000000);
	int n = epoll_wait(io->fd, io->events, EVENTS, ms);

	l->now_us = clock_mono_us();
	for (int i = 0; i < n; i++) {
		uintptr_t at = (uintptr_t)io->events[i].data.u64;
		void *what = (void *)(at & ~(uintptr_t)TAG); /* NOLINT: a tagged pointer */

		if ((at & TAG) == IS_STREAM)
			on_stream(l, what, io->events[i].events);
		else if ((at & TAG) == IS_LISTENER)
			on_listener(l, what);
		else if (((struct watch *)what)->is_on)
			((struct watch *)what)->ready(what);
	}
}

static void epoll_listen(struct loop *l, struct listener *n)
{
	add(l, n->fd, EPOLLIN, n, IS_LISTENER);
	n->is_armed = true;
}

static void epoll_listen_stop(struct loop *l, struct listener *n)
{
	struct epoll_io *io = l->io;

	if (n->is_armed)
		(void)epoll_ctl(io->fd, EPOLL_CTL_DEL, n->fd, NULL);
	n->is_armed = false;
}

static void epoll_watch(struct loop *l, struct watch *w)
{
	add(l, w->fd, EPOLLIN, w, IS_WATCH);
}

static void epoll_unwatch(struct loop *l, struct watch *w)
{
	struct epoll_io *io = l->io;

	(void)epoll_ctl(io->fd, EPOLL_CTL_DEL, w->fd, NULL);
}

const struct loop_ops loop_epoll = {
	.name = "epoll",
	.open = epoll_open,
	.close = epoll_close,
	.wait = epoll_wait_once,
	.add = epoll_add,
	.send = epoll_send,
	.read = epoll_read,
	.remove = epoll_remove,
	.listen = epoll_listen,
	.listen_stop = epoll_listen_stop,
	.watch = epoll_watch,
	.unwatch = epoll_unwatch,
};
