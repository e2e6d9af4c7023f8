/*
 * io_uring(7): receives stay with the kernel (multishot, into buffers that the ring provides),
 * sends of a round go out with the same system call that waits for the next one.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "net/loop_io.h"

enum { ENTRIES = 4096, BUFFERS = 256 /* a power of two */, GROUP = 0, CQES = 256 };
enum { ON_RECV, ON_SEND, ON_CONNECT, ON_ACCEPT, ON_WATCH, ON_CANCEL, TAG = 7 };

struct uring_io {
	struct io_uring ring;
	struct io_uring_buf_ring *buffers;
	char *memory; /* of the buffers */
	size_t ring_bytes;
	int returned; /* buffers to give back with the next advance */
};

static enum err_code no(struct err *e, const char *what, int error)
{
	return err_set(e, ERR_UNAVAILABLE, "io_uring: %s: %s", what, strerror(error));
}

static char *buffer(struct uring_io *io, unsigned id)
{
	return io->memory + (size_t)id * STREAM_READ;
}

static void give_back(struct uring_io *io, unsigned id)
{
	io_uring_buf_ring_add(
		io->buffers, buffer(io, id), STREAM_READ, (unsigned short)id,
		io_uring_buf_ring_mask(BUFFERS), io->returned++);
}

static void publish(struct uring_io *io)
{
	if (io->returned)
		io_uring_buf_ring_advance(io->buffers, io->returned);
	io->returned = 0;
}

static enum err_code buffers_open(struct uring_io *io, struct err *e)
{
	struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = GROUP};
	int result;

	io->ring_bytes = BUFFERS * sizeof(struct io_uring_buf);
	io->buffers = mmap(
		NULL, io->ring_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (io->buffers == MAP_FAILED)
		return no(e, "memory for buffers", errno);
	reg.ring_addr = (uintptr_t)io->buffers;
	result = io_uring_register_buf_ring(&io->ring, &reg, 0);
	if (result) {
		munmap(io->buffers, io->ring_bytes);
		return no(e, "provided buffers", -result);
	}
	io_uring_buf_ring_init(io->buffers);
	io->memory = mem_alloc((size_t)BUFFERS * STREAM_READ);
	for (unsigned i = 0; i < BUFFERS; i++)
		give_back(io, i);
	publish(io);
	return ERR_OK;
}

static enum err_code uring_open(struct loop *l, struct err *e)
{
	struct uring_io *io = mem_alloc(sizeof(*io));
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
		.cq_entries = ENTRIES * 4};
	int result = io_uring_queue_init_params(ENTRIES, &io->ring, &p);

	if (result) {
		free(io);
		return no(e, "setup", -result);
	}
	if (buffers_open(io, e)) {
		io_uring_queue_exit(&io->ring);
		free(io);
		return ERR_UNAVAILABLE;
	}
	(void)io_uring_register_ring_fd(&io->ring);
	l->io = io;
	return ERR_OK;
}

static void uring_close(struct loop *l)
{
	struct uring_io *io = l->io;

	io_uring_queue_exit(&io->ring);
	munmap(io->buffers, io->ring_bytes);
	free(io->memory);
	free(io);
}

static struct io_uring_sqe *sqe(struct loop *l, void *what, uintptr_t tag)
{
	struct uring_io *io = l->io;
	struct io_uring_sqe *q = io_uring_get_sqe(&io->ring);

	while (!q) {
		if (io_uring_submit(&io->ring) < 0)
			abort();
		q = io_uring_get_sqe(&io->ring);
	}
	/* the prep functions keep what stands here but user_data: the caller sets it last */
	q->user_data = (uintptr_t)what | tag;
	return q;
}

static void mark(struct io_uring_sqe *q, void *what, uintptr_t tag)
{
	io_uring_sqe_set_data64(q, (uintptr_t)what | tag);
}

static void receive(struct loop *l, struct stream *s)
{
	struct io_uring_sqe *q;

	if (s->is_reading || s->is_closing || s->is_ended || s->has_end || s->is_connecting)
		return;
	q = sqe(l, s, ON_RECV);
	io_uring_prep_recv_multishot(q, s->fd, NULL, 0, 0);
	q->flags |= IOSQE_BUFFER_SELECT;
	q->buf_group = GROUP;
	mark(q, s, ON_RECV);
	s->is_reading = true;
	s->in_flight++;
}

static void uring_add(struct loop *l, struct stream *s, const struct sockaddr *to, socklen_t n)
{
	struct io_uring_sqe *q;

	if (!s->is_connecting) {
		receive(l, s);
		return;
	}
	q = sqe(l, s, ON_CONNECT);
	io_uring_prep_poll_add(q, s->fd, POLLOUT);
	mark(q, s, ON_CONNECT);
	s->in_flight++;
}

static void uring_send(struct loop *l, struct stream *s)
{
	struct stream_chunk *c = s->out;
	struct io_uring_sqe *q;

	if (s->is_sending || !c)
		return;
	q = sqe(l, s, ON_SEND);
	io_uring_prep_send(
		q, s->fd, c->data + c->start, c->end - c->start, MSG_NOSIGNAL | MSG_WAITALL);
	mark(q, s, ON_SEND);
	s->is_sending = true;
	s->in_flight++;
}

static void cancel(struct loop *l, struct stream *s, uintptr_t tag)
{
	struct io_uring_sqe *q = sqe(l, NULL, ON_CANCEL);

	io_uring_prep_cancel64(q, (uintptr_t)s | tag, 0);
	mark(q, NULL, ON_CANCEL);
}

static void bury(struct loop *l, struct stream *s)
{
	if (s->in_flight > 0 || s->is_removed)
		return;
	s->is_removed = true;
	close(s->fd);
	s->fd = -1;
	loop_dead(l, s);
}

static void uring_remove(struct loop *l, struct stream *s)
{
	if (s->is_reading)
		cancel(l, s, ON_RECV);
	if (s->is_sending)
		cancel(l, s, ON_SEND);
	if (s->is_connecting)
		cancel(l, s, ON_CONNECT);
	bury(l, s);
}

static void on_recv(struct loop *l, struct stream *s, const struct io_uring_cqe *cqe)
{
	struct uring_io *io = l->io;
	int n = cqe->res;

	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		s->is_reading = false;
		s->in_flight--;
	}
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

		if (n > 0)
			stream_got(s, buffer(io, id), (size_t)n);
		give_back(io, id);
		publish(io);
	}
	if (s->is_closing) {
		bury(l, s);
		return;
	}
	if (n == 0)
		stream_got(s, NULL, 0);
	else if (n < 0 && n != -ENOBUFS && n != -ECANCELED && n != -EINTR)
		stream_broke(s, -n);
	if (s->is_closing)
		return;
	if (!s->is_paused)
		receive(l, s);
	else if (s->is_reading && s->in_n)
		cancel(l, s, ON_RECV); /* it has spoken although nobody listens */
}

static void on_send(struct loop *l, struct stream *s, int n)
{
	s->is_sending = false;
	s->in_flight--;
	if (n > 0)
		stream_sent(s, (size_t)n);
	if (s->is_closing) {
		bury(l, s);
		return;
	}
	if (n < 0 && n != -EINTR && n != -EAGAIN)
		stream_broke(s, -n);
	else if (s->out)
		loop_dirty(l, s);
}

static void on_connect(struct loop *l, struct stream *s, int events)
{
	int error = events < 0 ? -events : 0;
	socklen_t n = sizeof(error);

	s->in_flight--;
	if (s->is_closing) {
		bury(l, s);
		return;
	}
	if (!error && getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n))
		error = errno;
	if (error) {
		stream_broke(s, error);
		return;
	}
	stream_connected(s);
	if (!s->is_closing)
		receive(l, s);
}

static void uring_listen(struct loop *l, struct listener *n)
{
	struct io_uring_sqe *q = sqe(l, n, ON_ACCEPT);

	io_uring_prep_multishot_accept(q, n->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	mark(q, n, ON_ACCEPT);
	n->is_armed = true;
}

static void accept_again(struct timer *t)
{
	struct listener *n = container_of(t, struct listener, again);

	uring_listen(n->loop, n);
}

static void on_accept(struct loop *l, struct listener *n, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_MORE))
		n->is_armed = false;
	if (cqe->res >= 0) {
		if (n->is_on)
			n->taken(n, cqe->res);
		else
			close(cqe->res);
	}
	if (n->is_armed || !n->is_on)
		return;
	if (cqe->res == -EMFILE || cqe->res == -ENFILE || cqe->res == -ENOMEM)
		loop_timer(l, &n->again, 100000, accept_again);
	else
		uring_listen(l, n);
}

static void uring_listen_stop(struct loop *l, struct listener *n)
{
	struct io_uring_sqe *q;

	if (!n->is_armed)
		return;
	q = sqe(l, NULL, ON_CANCEL);
	io_uring_prep_cancel64(q, (uintptr_t)n | ON_ACCEPT, 0);
	mark(q, NULL, ON_CANCEL);
}

static void uring_watch(struct loop *l, struct watch *w)
{
	struct io_uring_sqe *q;

	if (w->is_armed)
		return;
	q = sqe(l, w, ON_WATCH);
	io_uring_prep_poll_add(q, w->fd, POLLIN);
	mark(q, w, ON_WATCH);
	w->is_armed = true;
}

static void on_watch(struct loop *l, struct watch *w)
{
	w->is_armed = false;
	if (w->is_on)
		w->ready(w);
	if (w->is_on)
		uring_watch(l, w);
}

static void uring_unwatch(struct loop *l, struct watch *w)
{
	struct io_uring_sqe *q;

	if (!w->is_armed)
		return;
	q = sqe(l, NULL, ON_CANCEL);
	io_uring_prep_poll_remove(q, (uintptr_t)w | ON_WATCH);
	mark(q, NULL, ON_CANCEL);
}

static void on_cqe(struct loop *l, const struct io_uring_cqe *cqe)
{
	void *what = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG); /* NOLINT: tagged */

	switch (cqe->user_data & TAG) {
	case ON_RECV:
		on_recv(l, what, cqe);
		break;
	case ON_SEND:
		on_send(l, what, cqe->res);
		break;
	case ON_CONNECT:
		on_connect(l, what, cqe->res);
		break;
	case ON_ACCEPT:
		on_accept(l, what, cqe);
		break;
	case ON_WATCH:
		on_watch(l, what);
		break;
	default: /* a cancel says nothing that the cancelled does not say itself */
		break;
	}
}

static void sleep_on(struct uring_io *io, int64_t timeout_us)
{
	struct __kernel_timespec ts = {
		.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
	struct io_uring_cqe *first;

	if (timeout_us == 0)
		(void)io_uring_submit_and_get_events(&io->ring);
	else if (timeout_us < 0)
		(void)io_uring_submit_and_wait(&io->ring, 1);
	else
		(void)io_uring_submit_and_wait_timeout(&io->ring, &first, 1, &ts, NULL);
}

static void uring_wait(struct loop *l, int64_t timeout_us)
{
	struct uring_io *io = l->io;
	struct io_uring_cqe *cqes[CQES];
	unsigned n;

	sleep_on(io, timeout_us);
	l->now_us = clock_mono_us();
	while ((n = io_uring_peek_batch_cqe(&io->ring, cqes, CQES)) > 0) {
		for (unsigned i = 0; i < n; i++)
			on_cqe(l, cqes[i]);
		io_uring_cq_advance(&io->ring, n);
		if (n < CQES)
			break;
	}
}

static void uring_read(struct loop *l, struct stream *s)
{
	receive(l, s);
}

const struct loop_ops loop_uring = {
	.name = "io_uring",
	.open = uring_open,
	.close = uring_close,
	.wait = uring_wait,
	.add = uring_add,
	.send = uring_send,
	.read = uring_read,
	.remove = uring_remove,
	.listen = uring_listen,
	.listen_stop = uring_listen_stop,
	.watch = uring_watch,
	.unwatch = uring_unwatch,
};
