/*
 * Renew: a new key and certificate for the host, after two thirds of the old one's life.
 *
 * On the loop's thread; looks once an hour. on_renewed comes when the new pair is in place.
 */
#ifndef SLIPWAY_AGENT_RENEW_H
#define SLIPWAY_AGENT_RENEW_H

#include "agent/link.h"

struct renew {
	const char *data;
	struct link *link; /* whose connection is used */
	void (*on_renewed)(void *arg, const struct identity *id);
	void *arg;
	struct arena arena; /* of the identity */
	const struct identity *id;
	struct identity now;
	char *key_pem; /* of the request that is on its way */
	struct http_call *call;
	uv_timer_t timer;
	void (*closed)(struct renew *r);
};

void renew_init(struct renew *r, uv_loop_t *loop);

/* Asks for a new certificate now. */
void renew_begin(struct renew *r);
void renew_close(struct renew *r, void (*closed)(struct renew *r));

#endif
