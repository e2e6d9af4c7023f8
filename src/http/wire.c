#include "http/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/clock.h"

enum {
	READ_BYTES = 16 * 1024 + 512, /* a record of TLS, and a little of the next */
	PARTS_MAX = 8,
};

static __thread struct {
	unsigned moved; /* reads and writes that moved bytes */
	unsigned blocked; /* and those that could not */
} turn;

void wire_turn_begin(void)
{
	turn.moved = turn.blocked = 0;
}

bool wire_turn_is_stuck(void)
{
	return turn.blocked && !turn.moved;
}

static ssize_t counted(ssize_t n)
{
	if (n > 0)
		turn.moved++;
	else if (n < 0)
		turn.blocked++;
	return n;
}

static ssize_t take_ahead(struct wire *w, void *to, size_t max)
{
	size_t n = MIN(max, w->ahead_n - w->ahead_at);

	memcpy(to, w->ahead + w->ahead_at, n);
	w->ahead_at += n;
	if (w->ahead_at == w->ahead_n) {
		free(w->ahead);
		w->ahead = NULL;
	}
	turn.moved++;
	return (ssize_t)n;
}

static void keep_ahead(struct wire *w, const char *p, size_t n)
{
	if (n == 0)
		return;
	w->ahead = mem_alloc(n);
	w->ahead_n = n;
	w->ahead_at = 0;
	memcpy(w->ahead, p, n);
}

static bool is_late(const struct wire *w)
{
	return w->handshake_end_ms && clock_mono_ms() > w->handshake_end_ms;
}

static ssize_t wire_pull(gnutls_transport_ptr_t arg, void *to, size_t max)
{
	struct wire *w = arg;
	char bytes[READ_BYTES];
	size_t taken;
	ssize_t n;

	if (w->ahead)
		return take_ahead(w, to, max);
	n = counted(recv(w->fd, bytes, sizeof(bytes), 0));
	if (n < 0 && errno == EAGAIN && is_late(w))
		errno = ETIMEDOUT;
	if (n <= 0)
		return n;
	taken = MIN((size_t)n, max);
	memcpy(to, bytes, taken);
	keep_ahead(w, bytes + taken, (size_t)n - taken);
	return (ssize_t)taken;
}

static ssize_t hold(struct wire *w, const giovec_t *parts, int n)
{
	size_t all = 0;

	for (int i = 0; i < n; i++)
		all += parts[i].iov_len;
	w->held = mem_alloc(all);
	for (int i = 0; i < n; i++) {
		memcpy(w->held + w->held_n, parts[i].iov_base, parts[i].iov_len);
		w->held_n += parts[i].iov_len;
	}
	turn.moved++;
	return (ssize_t)all;
}

/* What was held goes first: only what was sent beyond it is of this write. */
static ssize_t sent_beyond_held(struct wire *w, size_t sent)
{
	if (sent < w->held_n) {
		w->held_n -= sent;
		memmove(w->held, w->held + sent, w->held_n);
		errno = EAGAIN;
		return -1;
	}
	sent -= w->held_n;
	free(w->held);
	w->held = NULL;
	w->held_n = 0;
	if (sent == 0)
		errno = EAGAIN;
	return sent ? (ssize_t)sent : -1;
}

static ssize_t wire_push(gnutls_transport_ptr_t arg, const giovec_t *parts, int n)
{
	struct wire *w = arg;
	struct iovec out[PARTS_MAX + 1];
	struct msghdr msg = {.msg_iov = out};
	ssize_t sent;

	if (w->holds && !w->held) {
		w->holds = false;
		return hold(w, parts, n);
	}
	if (w->held)
		out[msg.msg_iovlen++] = (struct iovec){w->held, w->held_n};
	for (int i = 0; i < n && i < PARTS_MAX; i++) /* what is left out was not sent */
		out[msg.msg_iovlen++] = (struct iovec){parts[i].iov_base, parts[i].iov_len};
	sent = counted(sendmsg(w->fd, &msg, MSG_NOSIGNAL));
	return sent < 0 || !w->held ? sent : sent_beyond_held(w, (size_t)sent);
}

static int on_finished(
	gnutls_session_t session, unsigned type, unsigned when, unsigned is_incoming,
	const gnutls_datum_t *msg)
{
	struct wire *w = gnutls_transport_get_ptr(session);

	(void)type;
	(void)when;
	(void)msg;
	if (is_incoming)
		w->handshake_end_ms = 0;
	return 0;
}

void wire_attach(struct wire *w, int fd, gnutls_session_t session, int handshake_ms)
{
	w->fd = fd;
	w->handshake_end_ms = clock_mono_ms() + handshake_ms;
	gnutls_handshake_set_hook_function(
		session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
	gnutls_transport_set_ptr(session, w);
	gnutls_transport_set_pull_function(session, wire_pull);
	gnutls_transport_set_vec_push_function(session, wire_push);
}

void wire_done(struct wire *w)
{
	free(w->ahead);
	free(w->held);
	*w = (struct wire){.fd = -1};
}

void wire_hold(struct wire *w)
{
	w->holds = true;
}
