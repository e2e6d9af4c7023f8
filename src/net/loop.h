/*
 * The event loop of a process that speaks on many sockets: io_uring where the kernel has it, else
 * epoll. Streams (net/stream.h) are its connections; this is the rest: time, timers, listening
 * sockets, file descriptors to watch.
 *
 * One thread, and everything of a loop on it. A round is: wait, hand out what came, fire timers,
 * send what the round wrote (many writes to a stream are one system call), free what was closed.
 * What was stopped or closed never fires again, not even in the same round.
 */
#ifndef SLIPWAY_NET_LOOP_H
#define SLIPWAY_NET_LOOP_H

#include "base/err.h"
#include "net/timer.h"

struct loop;

enum loop_io { LOOP_ANY, LOOP_EPOLL, LOOP_URING };

/* ERR_UNAVAILABLE: io_uring was asked for and the kernel has none that will do. LOOP_ANY takes what
 * there is. */
enum err_code loop_new(enum loop_io io, struct loop **ret, struct err *e);
void loop_free(struct loop *l); /* no streams and watches may be left */
const char *loop_io_name(const struct loop *l); /* "epoll" or "io_uring" */

/* Until loop_end, which any callback may call. */
void loop_run(struct loop *l);
void loop_end(struct loop *l);

/* The time at which this round began, monotonic. */
int64_t loop_now_us(const struct loop *l);
void loop_timer(struct loop *l, struct timer *t, int64_t after_us, void (*fire)(struct timer *));
void loop_timer_stop(struct loop *l, struct timer *t);

/* A listening socket. taken() owns the connection's descriptor. */
struct listener {
	int fd;
	void (*taken)(struct listener *n, int fd);
	struct loop *loop;
	bool is_on;
	bool is_armed; /* the kernel still holds a request of ours */
	struct timer again; /* after the process ran out of descriptors */
};
void loop_listen(struct loop *l, struct listener *n);
void loop_listen_stop(struct listener *n); /* the descriptor stays open; n must live on a round */

/* A descriptor that tells by being readable: signalfd, another loop's epoll. Level-triggered. */
struct watch {
	int fd;
	void (*ready)(struct watch *w);
	struct loop *loop;
	bool is_on;
	bool is_armed;
};
void loop_watch(struct loop *l, struct watch *w);
void loop_unwatch(struct watch *w);

/* Called before each wait; says how long it may at most wait, in microseconds; -1: any. One a loop:
 * a guest loop whose descriptor is watched runs its timers by it. */
void loop_guest(struct loop *l, int64_t (*before_wait)(void *arg), void *arg);

#endif
