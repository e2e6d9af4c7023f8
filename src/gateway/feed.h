/*
 * Feed: routes from the control plane, and from what is kept of them while it is away; reports to
 * it. It puts together guest, plane and keep.
 *
 * On the loop's thread.
 */
#ifndef SLIPWAY_GATEWAY_FEED_H
#define SLIPWAY_GATEWAY_FEED_H

#include "codec/jv.h"
#include "net/loop.h"

struct feed;

struct feed_ops {
	void (*routes)(void *arg, const json_t *all); /* those that are kept: once, when it opens */
	void (*database)(void *arg, const json_t *route);
	void (*gone)(void *arg, const char *name);
	void (*admins)(void *arg, const json_t *roles);
	json_t *(*report)(void *arg); /* a new value */
	void (*renewed)(void *arg); /* the certificate in the folder */
};

enum err_code feed_open(
	struct loop *l, const char *url, const char *data, const struct feed_ops *ops, void *arg,
	struct feed **ret, struct err *e);

/* There is something new to report. */
void feed_touch(struct feed *f);
/* The certificate's files have changed. */
enum err_code feed_reopen(struct feed *f, struct err *e);
/* What is to be kept has been written when it returns. Its memory goes by feed_free, once the loop
 * has run another round: the kernel may still hold a request of ours. */
void feed_close(struct feed *f);
void feed_free(struct feed *f);

#endif
