/*
 * Plane: the gateway's conversation with the control plane: routes come down a stream of lines,
 * reports go up, once a second and at once when something changed, and a new certificate is asked
 * for after two thirds of the old one's life.
 *
 * On the thread of the libuv loop that it is given. A control plane that is away is tried again,
 * with waits that grow and differ; nothing else happens.
 */
#ifndef SLIPWAY_GATEWAY_PLANE_H
#define SLIPWAY_GATEWAY_PLANE_H

#include <uv.h>

#include "base/err.h"
#include "codec/jv.h"

struct plane;

struct plane_ops {
	/* A stream begins: all that there is comes, and then "synced". */
	void (*begins)(void *arg);
	/* Everything but pings. */
	void (*line)(void *arg, const json_t *line);
	/* What to report, a new value; its number is added. */
	json_t *(*report)(void *arg);
	/* gateway.crt and gateway.key in the folder are new. */
	void (*renewed)(void *arg);
};

struct plane_conf {
	const char *url;
	const char *folder; /* with gateway.crt, gateway.key, ca.crt */
};

enum err_code plane_new(
	uv_loop_t *loop, const struct plane_conf *c, const struct plane_ops *ops, void *arg,
	struct plane **ret, struct err *e);

/* There is something new to report. Several changes in one round make one report. */
void plane_touch(struct plane *p);

/* Reads the certificate again. */
enum err_code plane_reopen(struct plane *p, struct err *e);

/* Its handles close in the loop, and its memory goes with the last of them. */
void plane_free(struct plane *p);

#endif
