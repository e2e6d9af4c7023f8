#include "control/control.h"

#include <stdlib.h>

#include "base/clock.h"
#include "control/loop.h"

enum { RESYNC_MS = 10000, HOST_SILENT_MS = 5000, WORKERS = 4 };

struct control {
	struct context context;
	struct loop *loop;
	char *ca_pem;
};

static void control_free(struct control *c)
{
	queue_free(c->context.queue);
	event_log_free(c->context.events);
	index_free(c->context.index);
	free(c->ca_pem);
	free(c);
}

enum err_code control_start(const struct control_conf *conf, struct control **ret, struct err *e)
{
	struct control *c = mem_alloc(sizeof(*c));
	struct loop_conf loop = {
		.context = &c->context,
		.resync_ms = conf->resync_ms ? conf->resync_ms : RESYNC_MS,
		.workers = WORKERS,
	};
	enum err_code code;

	c->ca_pem = conf->ca_pem ? mem_strdup(conf->ca_pem) : NULL;
	c->context.store = conf->store;
	c->context.index = index_new();
	c->context.events = event_log_new(conf->store, c->context.index);
	c->context.queue = queue_new();
	c->context.ca_pem = c->ca_pem;
	c->context.host_silent_ms = conf->host_silent_ms ? conf->host_silent_ms : HOST_SILENT_MS;
	c->context.since_ms = clock_mono_ms();
	code = loop_start(&loop, &c->loop, e);
	if (code)
		control_free(c);
	else
		*ret = c;
	return code;
}

void control_stop(struct control *c)
{
	loop_stop(c->loop);
	control_free(c);
}
