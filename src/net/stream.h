/*
 * A connection on a loop: bytes in order both ways, with TLS or without, and with back-pressure.
 *
 * A struct stream is embedded in its owner. Callbacks come from the loop, never from inside a call
 * of the owner's. Written bytes are kept until the end of the round and sent together. stream_close
 * begins the end of a stream: from then on only closed() comes, once, and the memory is the owner's
 * again. An idle stream holds no buffers.
 */
#ifndef SLIPWAY_NET_STREAM_H
#define SLIPWAY_NET_STREAM_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/str.h"
#include "net/loop.h"
#include "net/tlsio.h"

struct stream;

struct stream_ops {
	/* Connected (stream_connect), and the TLS handshake is over (stream_tls). May be NULL. */
	void (*opened)(struct stream *s);
	/* n bytes came. Says how many it took; the rest is given again with what comes behind it,
	 * or at stream_resume. What it will never take it must close for: nothing bounds the rest.
	 */
	size_t (*data)(struct stream *s, const char *p, size_t n);
	/* What waits to be sent has fallen below STREAM_LOW after stream_is_full. */
	void (*drained)(struct stream *s);
	/* The other end has sent its last byte (why->code ERR_OK), or the connection broke. The
	 * owner closes it; until then it may write. */
	void (*ended)(struct stream *s, const struct err *why);
	/* Everything of it is gone. May free the memory that the stream is in. */
	void (*closed)(struct stream *s);
};

enum {
	STREAM_LOW = 32 << 10,
	STREAM_HIGH = 128 << 10,
	STREAM_CHUNK = 16 << 10, /* a piece of memory that waits to be sent */
	STREAM_READ = 16 << 10, /* most bytes of one data() */
};

struct stream {
	struct loop *loop;
	const struct stream_ops *ops;
	struct stream_chunk *out, *out_last; /* what waits to be sent; encrypted already */
	struct stream *next_dirty, *next_dead, *next_ready;
	struct stream_tls *tls;
	char *in; /* what data() left */
	uint32_t in_n, in_cap;
	uint32_t out_n; /* bytes in out */
	int fd;
	uint8_t in_flight; /* requests that the kernel holds */
	bool is_connecting : 1;
	bool is_paused : 1;
	bool is_readable : 1; /* the kernel may have bytes (epoll), not asked while paused */
	bool is_reading : 1; /* a receive is with the kernel (io_uring) */
	bool is_sending : 1; /* a send is with the kernel, or waits for EPOLLOUT */
	bool is_dirty : 1, is_dead : 1, is_ready : 1; /* on the loop's lists */
	bool is_full : 1; /* above STREAM_HIGH, drained() is to come */
	bool is_closing : 1, is_ended : 1, is_broken : 1, has_end : 1, is_open : 1;
	bool is_in_data : 1;
	bool is_last : 1; /* closes once all is sent */
	bool is_removed : 1;
};

/* Takes a connected descriptor; makes it non-blocking, without Nagle's delay. */
void stream_init(struct stream *s, struct loop *l, const struct stream_ops *ops, int fd);
/* Begins a connection: opened() or ended() comes. ERR_IO: not even begun, nothing will come. */
enum err_code stream_connect(
	struct stream *s, struct loop *l, const struct stream_ops *ops,
	const struct sockaddr *address, socklen_t n, struct err *e);
/* The same, from an address of ours (IPv4, port 0); NULL: the kernel's choice. */
enum err_code stream_connect_from(
	struct stream *s, struct loop *l, const struct stream_ops *ops,
	const struct sockaddr_in *from, const struct sockaddr *address, socklen_t n, struct err *e);
/* From here on TLS; takes t. Must not have written plain bytes in this round that are to go first,
 * unless they stand in out already: they go plain. */
void stream_tls(struct stream *s, struct tlsio *t);
/* As stream_tls, for a client that began with TLS at once: p is what it sent. */
void stream_tls_direct(struct stream *s, struct tlsio *t, const char *p, size_t n);
struct tlsio *stream_tlsio(const struct stream *s); /* NULL: plain */

void stream_write(struct stream *s, const void *p, size_t n);
static inline bool stream_is_full(const struct stream *s)
{
	return s->is_full;
}
uint32_t stream_waiting(const struct stream *s); /* bytes that wait to be sent */

/* While paused data() does not come; up to what is in the kernel's hands already is kept. */
void stream_pause(struct stream *s);
static inline bool stream_is_paused(const struct stream *s)
{
	return s->is_paused;
}
/* data() comes again from the loop, first with what was left. */
void stream_resume(struct stream *s);

void stream_close(struct stream *s);
/* Closes once all that was written is sent, or after wait_us by the owner's own timer. */
void stream_finish(struct stream *s);

/* --- for backends of the loop */
struct stream_chunk {
	struct stream_chunk *next;
	uint32_t start, end; /* what of data is to be sent */
	char data[STREAM_CHUNK];
};
void stream_got(struct stream *s, const char *p, size_t n); /* n 0: the end */
void stream_sent(struct stream *s, size_t n);
void stream_broke(struct stream *s, int error); /* errno */
void stream_connected(struct stream *s);

#endif
