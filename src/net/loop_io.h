/* Inside of net/: what loop.c, stream.c and the two backends share. */
#ifndef SLIPWAY_NET_LOOP_IO_H
#define SLIPWAY_NET_LOOP_IO_H

#include "net/loop.h"
#include "net/stream.h"

/* How a kernel interface carries streams. Nothing here fails for a stream: it is told by
 * stream_broke. */
struct loop_ops {
	const char *name;
	enum err_code (*open)(struct loop *l, struct err *e);
	void (*close)(struct loop *l);
	/* Waits up to timeout_us (-1: any), and hands out what came. */
	void (*wait)(struct loop *l, int64_t timeout_us);
	void (*add)(struct loop *l, struct stream *s, const struct sockaddr *to, socklen_t n);
	void (*send)(struct loop *l, struct stream *s); /* what out has */
	void (*read)(struct loop *l, struct stream *s); /* after a pause */
	/* Closes the descriptor; loop_dead once the kernel holds nothing of it. */
	void (*remove)(struct loop *l, struct stream *s);
	void (*listen)(struct loop *l, struct listener *n);
	void (*listen_stop)(struct loop *l, struct listener *n);
	void (*watch)(struct loop *l, struct watch *w);
	void (*unwatch)(struct loop *l, struct watch *w);
};
extern const struct loop_ops loop_epoll, loop_uring;

struct loop {
	const struct loop_ops *ops;
	void *io; /* the backend's */
	struct timers timers;
	int64_t now_us;
	struct stream *dirty, *dead, *ready;
	struct stream_chunk *chunks; /* free ones */
	unsigned chunks_n;
	struct buf plain, cipher; /* of the TLS call that runs */
	int64_t (*before_wait)(void *arg);
	void *arg;
	bool is_stopping;
};

struct stream_chunk *loop_chunk(struct loop *l);
void loop_chunk_free(struct loop *l, struct stream_chunk *c);
void loop_dirty(struct loop *l, struct stream *s);
void loop_ready(struct loop *l, struct stream *s); /* stream_again in the next round */
void loop_dead(struct loop *l, struct stream *s);
void stream_again(struct stream *s); /* what was left is given to data() */
void stream_release(struct stream *s);

#endif
