#include "agent/agent.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/host.h"
#include "agent/identity.h"
#include "agent/link.h"
#include "agent/renew.h"
#include "agent/thrift.h"
#include "base/boot.h"
#include "base/clock.h"
#include "base/log.h"

enum {
	THRIFT_FIRST_MS = 5 * 1000,
	THRIFT_MS = 10 * 60 * 1000,
	SETTLE_MS = 3000, /* how long the first report waits for servers that were found running */
};

struct agent {
	struct arena arena;
	struct identity id;
	struct host *host;
	struct link link;
	struct renew renew;
	uv_timer_t thrift;
	int64_t born_ms;
	bool is_settled;
	int open; /* parts that are not closed yet */
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static void on_change(void *arg)
{
	link_touch(&((struct agent *)arg)->link);
}

static void on_wants(void *arg, const json_t *wants)
{
	host_wants(((struct agent *)arg)->host, wants);
}

/* A new agent that does not know its servers yet must not tell of a trouble that is none. */
static json_t *on_report(void *arg)
{
	struct agent *a = arg;

	if (!a->is_settled)
		a->is_settled =
			host_is_settled(a->host) || clock_mono_ms() - a->born_ms > SETTLE_MS;
	return a->is_settled ? host_report(a->host) : NULL;
}

static const struct link_ops ops = {.wants = on_wants, .report = on_report};

static void on_renewed(void *arg, const struct identity *id)
{
	struct agent *a = arg;
	struct err e;

	if (link_renew(&a->link, id, &e))
		log_error("the new certificate is of no use", "why=%s", log_q(e.text));
	host_renewed(a->host);
}

static void on_thrift(uv_timer_t *timer)
{
	(void)timer;
	thrift_trim();
}

static enum err_code
parts_open(struct agent *a, uv_loop_t *loop, const struct agent_conf *c, struct err *e)
{
	const struct host_conf conf = {
		.data = c->data,
		.address = a->id.address,
		.pg_path = c->pg_path,
		.driver = c->driver ? c->driver : &agent_driver_postgres,
		.on_change = on_change,
		.arg = a,
	};
	enum err_code code = link_init(&a->link, loop, &a->id, &ops, a, e);

	a->link.boot = clock_wall_us();
	if (!code && conf.driver->has_folders)
		code = boot_next(c->data, &a->link.boot, e);
	if (!code)
		code = host_new(loop, &conf, &a->host, e);
	if (code)
		return code;
	a->renew = (struct renew){
		.data = arena_strdup(&a->arena, c->data),
		.link = &a->link,
		.id = &a->id,
		.on_renewed = on_renewed,
		.arg = a,
	};
	renew_init(&a->renew, loop);
	uv_timer_init(loop, &a->thrift);
	if (conf.driver->has_folders) /* a bench of thousands in one process is no host */
		uv_timer_start(&a->thrift, on_thrift, THRIFT_FIRST_MS, THRIFT_MS);
	return ERR_OK;
}

enum err_code
agent_new(uv_loop_t *loop, const struct agent_conf *c, struct agent **ret, struct err *e)
{
	struct agent *a = mem_alloc(sizeof(*a));
	enum err_code code = identity_load(&a->arena, c->data, &a->id, e);

	a->born_ms = clock_mono_ms();
	if (!code)
		code = parts_open(a, loop, c, e);
	if (code)
		return code; /* the process ends */
	log_info(
		"agent started", "host=%s address=%s url=%s", a->id.name, a->id.address, a->id.url);
	*ret = a;
	return ERR_OK;
}

static void one_closed(struct agent *a)
{
	if (--a->open == 0)
		a->stopped(a->stopped_arg);
}

static void on_link_closed(struct link *l)
{
	one_closed(container_of(l, struct agent, link));
}

static void on_renew_closed(struct renew *r)
{
	one_closed(container_of(r, struct agent, renew));
}

static void on_thrift_closed(uv_handle_t *handle)
{
	one_closed(container_of((uv_timer_t *)handle, struct agent, thrift));
}

static void on_host_stopped(void *arg)
{
	one_closed(arg);
}

/* Nobody will report of these servers until they have been started again. */
static json_t *last_report(struct agent *a)
{
	json_t *report = host_report(a->host), *member;
	size_t i;

	json_array_foreach (jv_at(report, "members"), i, member) {
		jv_set_str(member, "status.state", "Stopped");
		jv_set_str(member, "status.message", "was stopped with its host's agent");
	}
	return report;
}

void agent_stop(struct agent *a, bool with_members, void (*done)(void *arg), void *arg)
{
	CLEANUP(jv_drop) json_t *last = with_members ? last_report(a) : NULL;

	a->stopped = done;
	a->stopped_arg = arg;
	a->open = 4;
	uv_close((uv_handle_t *)&a->thrift, on_thrift_closed);
	renew_close(&a->renew, on_renew_closed);
	if (last)
		link_leave(&a->link, last, on_link_closed);
	else
		link_close(&a->link, on_link_closed);
	host_stop(a->host, with_members, on_host_stopped, a);
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	host_free(a->host);
	arena_done(&a->arena);
	free(a);
}
