/*
 * Link: the agent's two conversations with the control plane: wants come down a stream, reports go
 * up, once a second and at once when something changed.
 *
 * Everything on the loop's thread. A control plane that is away is tried again, with waits that
 * grow and differ from host to host; nothing else happens.
 */
#ifndef SLIPWAY_AGENT_LINK_H
#define SLIPWAY_AGENT_LINK_H

#include <uv.h>

#include "agent/identity.h"
#include "codec/jv.h"
#include "http/async.h"

struct link_ops {
	void (*wants)(void *arg, const json_t *wants);

	/* What to report now, a new value; NULL: not yet. */
	json_t *(*report)(void *arg);
};

struct link {
	uv_loop_t *loop;
	const struct link_ops *ops;
	void *arg;
	struct http_async *http;
	struct http_call *stream, *post;
	uv_timer_t again, report; /* the stream's next try, the next report */
	int failures; /* of the stream, in a row */
	bool is_dirty; /* something changed since the report that is on its way */
	bool has_spoken; /* a report was taken since the link began */
	bool is_leaving; /* the last report has been made */
	unsigned seed;
	int64_t boot, reports; /* this life (base/boot.h), and how many reports it has made */
	int handles;
	void (*closed)(struct link *l);
};

enum err_code link_init(
	struct link *l, uv_loop_t *loop, const struct identity *id, const struct link_ops *ops,
	void *arg, struct err *e);

/* There is something new to report. */
void link_touch(struct link *l);

/* From now on with this certificate. */
enum err_code link_renew(struct link *l, const struct identity *id, struct err *e);

void link_close(struct link *l, void (*closed)(struct link *l));

/* As link_close, after this last report was taken, or could not be within two seconds. */
void link_leave(struct link *l, const json_t *report, void (*closed)(struct link *l));

#endif
