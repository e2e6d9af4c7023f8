/*
 * Guest: a libuv loop inside the gateway's own, for what is written for libuv: the HTTP client.
 *
 * On the loop's thread; callbacks of libuv come between two rounds of it. Nothing here fails but to
 * open.
 */
#ifndef SLIPWAY_GATEWAY_GUEST_H
#define SLIPWAY_GATEWAY_GUEST_H

#include <uv.h>

#include "net/loop.h"

struct guest {
	uv_loop_t uv;
	struct loop *host;
	struct watch watch;
	bool is_due;
	int64_t due_us; /* monotonic; -1: never */
};

enum err_code guest_open(struct guest *g, struct err *e);
/* From here on it runs. */
void guest_join(struct guest *g, struct loop *host);

/* Something of libuv's was begun outside of its callbacks. */
void guest_touch(struct guest *g);

/* Runs what is left, which must be closing, to its end; the host does not run meanwhile. If it has
 * joined, its memory must outlive another round of the host. */
void guest_close(struct guest *g);

#endif
