#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "net/loop_io.h"

struct stream_tls {
	struct tlsio *t;
	struct buf early; /* encrypted bytes that came before it was known that they are */
};

static void tune(int fd)
{
	int on = 1;

	/* not a TCP socket, or one without these: no harm */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void init(struct stream *s, struct loop *l, const struct stream_ops *ops, int fd)
{
	*s = (struct stream){.loop = l, .ops = ops, .fd = fd};
	tune(fd);
}

void stream_init(struct stream *s, struct loop *l, const struct stream_ops *ops, int fd)
{
	init(s, l, ops, fd);
	s->is_open = true;
	l->ops->add(l, s, NULL, 0);
}

enum err_code stream_connect(
	struct stream *s, struct loop *l, const struct stream_ops *ops,
	const struct sockaddr *address, socklen_t n, struct err *e)
{
	return stream_connect_from(s, l, ops, NULL, address, n, e);
}

/* The port is chosen at connect: there, one serves many destinations. */
static int bind_to(int fd, const struct sockaddr_in *from)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)))
		return -1;
	return bind(fd, (const struct sockaddr *)from, sizeof(*from));
}

enum err_code stream_connect_from(
	struct stream *s, struct loop *l, const struct stream_ops *ops,
	const struct sockaddr_in *from, const struct sockaddr *address, socklen_t n, struct err *e)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_os(e, "a socket for a connection");
	if (from && address->sa_family == AF_INET && bind_to(fd, from)) {
		close(fd);
		return err_os(e, "connect from the address that was given");
	}
	init(s, l, ops, fd);
	s->is_connecting = true;
	if (connect(fd, address, n) && errno != EINPROGRESS) {
		close(fd);
		return err_os(e, "connect");
	}
	l->ops->add(l, s, address, n);
	return ERR_OK;
}

static void out_add(struct stream *s, const char *p, size_t n)
{
	s->out_n += (uint32_t)n;
	while (n > 0) {
		struct stream_chunk *c = s->out_last;

		if (!c || c->end == STREAM_CHUNK) {
			c = loop_chunk(s->loop);
			if (s->out_last)
				s->out_last->next = c;
			else
				s->out = c;
			s->out_last = c;
		}

		uint32_t part = (uint32_t)MIN(n, STREAM_CHUNK - c->end);

		memcpy(c->data + c->end, p, part);
		c->end += part;
		p += part;
		n -= part;
	}
	if (s->out_n > STREAM_HIGH)
		s->is_full = true;
	loop_dirty(s->loop, s);
}

static void broke(struct stream *s, const struct err *why)
{
	bool is_error = why->code != ERR_OK;

	/* an end is told once, and once more when it turns out to be none that can be written to */
	if (s->is_closing || s->is_broken || (s->is_ended && !is_error))
		return;
	s->is_ended = true;
	s->is_broken = is_error;
	if (s->is_last)
		stream_close(s);
	else
		s->ops->ended(s, why);
}

void stream_write(struct stream *s, const void *p, size_t n)
{
	struct buf *cipher = &s->loop->cipher;
	struct err e = {0};

	if (s->is_closing || s->is_last || n == 0)
		return;
	if (!s->tls) {
		out_add(s, p, n);
		return;
	}
	assert(tlsio_is_ready(s->tls->t));
	buf_clear(cipher);
	/* A broken end is told by what is read from it. */
	(void)tlsio_write(s->tls->t, p, n, cipher, &e);
	out_add(s, cipher->p, cipher->n);
}

uint32_t stream_waiting(const struct stream *s)
{
	return s->out_n;
}

void stream_tls(struct stream *s, struct tlsio *t)
{
	struct buf *cipher = &s->loop->cipher;
	struct err e = {0};

	s->tls = mem_alloc(sizeof(*s->tls));
	s->tls->t = t;
	s->is_open = false;
	buf_clear(cipher);
	buf_clear(&s->loop->plain);
	(void)tlsio_feed(t, NULL, 0, &s->loop->plain, cipher, &e); /* a client's first word */
	out_add(s, cipher->p, cipher->n);
}

void stream_tls_direct(struct stream *s, struct tlsio *t, const char *p, size_t n)
{
	stream_tls(s, t);
	buf_add(&s->tls->early, p, n);
	loop_ready(s->loop, s);
}

struct tlsio *stream_tlsio(const struct stream *s)
{
	return s->tls ? s->tls->t : NULL;
}

static void in_add(struct stream *s, const char *p, size_t n)
{
	if (s->in_n + n > s->in_cap) {
		s->in_cap = (uint32_t)MAX(s->in_n + n, s->in_cap * 2);
		s->in = mem_resize(s->in, s->in_cap);
	}
	memcpy(s->in + s->in_n, p, n);
	s->in_n += (uint32_t)n;
}

static void in_cut(struct stream *s, size_t n)
{
	s->in_n -= (uint32_t)n;
	if (s->in_n) {
		memmove(s->in, s->in + n, s->in_n);
		return;
	}
	free(s->in);
	s->in = NULL;
	s->in_cap = 0;
}

static size_t give(struct stream *s, const char *p, size_t n)
{
	size_t taken;

	s->is_in_data = true;
	taken = s->ops->data(s, p, n);
	s->is_in_data = false;
	assert(taken <= n);
	return taken;
}

static void deliver(struct stream *s, const char *p, size_t n)
{
	if (n == 0 || s->is_ended)
		return;
	if (s->is_paused || s->in_n) {
		in_add(s, p, n);
		if (s->is_paused)
			return;

		size_t taken = give(s, s->in, s->in_n);

		if (!s->is_closing)
			in_cut(s, taken);
		return;
	}

	size_t taken = give(s, p, n);

	if (!s->is_closing && taken < n)
		in_add(s, p + taken, n - taken);
}

static void end(struct stream *s)
{
	struct err none = {ERR_OK, "closed by the other end"};

	if (s->is_paused)
		s->has_end = true; /* told at resume, behind what was left */
	else
		broke(s, &none);
}

static void got_tls(struct stream *s, const char *p, size_t n)
{
	struct loop *l = s->loop;
	struct err e = {0};
	enum tlsio_status status;
	bool was_ready = tlsio_is_ready(s->tls->t);

	buf_clear(&l->plain);
	buf_clear(&l->cipher);
	status = tlsio_feed(s->tls->t, p, n, &l->plain, &l->cipher, &e);
	if (l->cipher.n)
		out_add(s, l->cipher.p, l->cipher.n);
	if (!was_ready && tlsio_is_ready(s->tls->t)) {
		s->is_open = true;
		if (s->ops->opened)
			s->ops->opened(s);
	}
	if (!s->is_closing)
		deliver(s, l->plain.p, l->plain.n);
	if (s->is_closing || status == TLSIO_OK)
		return;
	if (status == TLSIO_BROKEN)
		broke(s, &e);
	else
		end(s);
}

void stream_got(struct stream *s, const char *p, size_t n)
{
	if (s->is_closing || s->is_ended)
		return;
	if (n == 0)
		end(s);
	else if (s->tls)
		got_tls(s, p, n);
	else
		deliver(s, p, n);
}

/* After a pause: what was left, then the end if it came, then what the kernel has. */
void stream_again(struct stream *s)
{
	if (s->is_paused)
		return;
	if (s->tls && s->tls->early.n) {
		struct buf early = s->tls->early;

		s->tls->early = (struct buf){0};
		got_tls(s, early.p, early.n);
		buf_done(&early);
		if (s->is_closing)
			return;
	}
	if (s->in_n) {
		size_t taken = give(s, s->in, s->in_n);

		if (s->is_closing)
			return;
		in_cut(s, taken);
	}
	if (s->is_paused)
		return;
	if (s->has_end) {
		s->has_end = false;
		end(s);
	} else if (!s->is_ended) {
		s->loop->ops->read(s->loop, s);
	}
}

void stream_sent(struct stream *s, size_t n)
{
	struct stream_chunk *c;

	s->out_n -= (uint32_t)n;
	while ((c = s->out) != NULL) {
		uint32_t part = (uint32_t)MIN(n, c->end - c->start);

		c->start += part;
		n -= part;
		if (c->start < c->end)
			break;
		s->out = c->next;
		if (!s->out)
			s->out_last = NULL;
		loop_chunk_free(s->loop, c);
	}
	if (s->is_closing)
		return;
	if (s->is_full && s->out_n < STREAM_LOW) {
		s->is_full = false;
		if (s->ops->drained)
			s->ops->drained(s);
	}
	if (s->is_last && s->out_n == 0)
		stream_close(s);
}

void stream_broke(struct stream *s, int error)
{
	struct err e = {0};

	errno = error;
	(void)err_os(&e, s->is_connecting ? "connect" : "connection");
	if (e.code == ERR_OK)
		e.code = ERR_IO;
	s->is_paused = false;
	broke(s, &e);
}

void stream_connected(struct stream *s)
{
	s->is_connecting = false;
	s->is_open = true;
	if (s->ops->opened)
		s->ops->opened(s);
	if (!s->is_closing && s->out_n)
		loop_dirty(s->loop, s);
}

void stream_pause(struct stream *s)
{
	s->is_paused = true;
}

void stream_resume(struct stream *s)
{
	if (!s->is_paused)
		return;
	s->is_paused = false;
	loop_ready(s->loop, s);
}

void stream_close(struct stream *s)
{
	if (s->is_closing)
		return;
	s->is_closing = true;
	s->loop->ops->remove(s->loop, s);
}

void stream_finish(struct stream *s)
{
	if (s->is_closing || s->is_last)
		return;
	if (s->tls && s->is_open && !s->is_ended) {
		buf_clear(&s->loop->cipher);
		tlsio_close(s->tls->t, &s->loop->cipher);
		out_add(s, s->loop->cipher.p, s->loop->cipher.n);
	}
	if (s->out_n == 0 || s->is_connecting) {
		stream_close(s);
		return;
	}
	s->is_last = true;
	s->is_paused = true;
}

void stream_release(struct stream *s)
{
	for (struct stream_chunk *c = s->out, *next; c; c = next) {
		next = c->next;
		loop_chunk_free(s->loop, c);
	}
	s->out = s->out_last = NULL;
	free(s->in);
	s->in = NULL;
	if (s->tls) {
		tlsio_free(s->tls->t);
		buf_done(&s->tls->early);
		free(s->tls);
		s->tls = NULL;
	}
}
