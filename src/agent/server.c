/*
 * Server: the real driver: one postgres, its process, its probe, and the job that works on it.
 *
 * Everything here runs on the loop's thread; what blocks is in work.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/discover.h"
#include "agent/driver.h"
#include "agent/member.h"
#include "agent/pgdata.h"
#include "agent/pglog.h"
#include "agent/probe.h"
#include "agent/process.h"
#include "agent/roles.h"
#include "agent/work.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum {
	URGENT_MS = 25,
	CALM_MS = 1000,
	BACKOFF_MS = 250,
	BACKOFF_MAX_MS = 30 * 1000,
	BAD_DATA_MS = 2000, /* between looks at a folder that somebody must set right */
	SHORT_LIFE_MS = 10 * 1000, /* a server that dies sooner is not started at once again */
	ROTATE_MS = 60 * 1000,
};

struct driver_server {
	struct driver_host *host;
	void (*changed)(void *arg);
	void *arg;
	struct arena arena;
	const char *home, *data, *log;
	struct want *want;
	struct seen seen;
	char conf_hash[HOME_HASH]; /* of what is wanted */

	struct home_state state;
	struct home_state noted; /* what state.json holds */
	struct process process;
	int64_t rotated_ms;
	int64_t stopped_ms; /* monotonic: since when a restart keeps clients away; 0: none does */
	int port_fd; /* holds the port for a server that has not started yet; -1 */

	struct probe probe;
	struct work work;
	int failures; /* in a row */
	uint64_t question; /* the step counts as done when one after this has been answered; 0 */
	uv_timer_t retry, soon;

	bool is_closing;
	int handles; /* still to be closed */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Says that something changed, from the loop. */
static void on_soon(uv_timer_t *timer)
{
	struct driver_server *s = container_of(timer, struct driver_server, soon);

	if (!s->is_closing)
		s->changed(s->arg);
}

static void tell(struct driver_server *s)
{
	if (!s->is_closing)
		uv_timer_start(&s->soon, on_soon, 0, 0);
}

static void on_retry(uv_timer_t *timer);

static void data_look(struct driver_server *s)
{
	s->seen.data = pgdata_look(s->home, s->want->major, s->seen.data_why);
	if (s->seen.data == SEEN_BAD)
		uv_timer_start(&s->retry, on_retry, BAD_DATA_MS, 0);
}

/* The loop's clock may be ahead of the one that retry_ms is on. */
static void on_retry(uv_timer_t *timer)
{
	struct driver_server *s = container_of(timer, struct driver_server, retry);
	int64_t left_ms = s->seen.retry_ms - clock_mono_ms();

	if (s->seen.data == SEEN_BAD && s->seen.busy == STEP_NONE)
		data_look(s);
	if (left_ms > 0)
		uv_timer_start(timer, on_retry, (uint64_t)left_ms, 0);
	else
		tell(s);
}

static void failure_note(struct driver_server *s, enum step step, const char *why)
{
	int64_t wait_ms = MIN((int64_t)BACKOFF_MS << MIN(s->failures, 16), (int64_t)BACKOFF_MAX_MS);

	s->failures++;
	s->seen.failed = step;
	s->seen.retry_ms = clock_mono_ms() + wait_ms;
	snprintf(s->seen.why, sizeof(s->seen.why), "%s", why);
	uv_timer_start(&s->retry, on_retry, (uint64_t)wait_ms, 0);
	log_warn(
		"step failed", "member=%s step=%s retry_ms=%lld why=%s", s->want->name,
		step_name(step), (long long)wait_ms, log_q(why));
}

static void failure_forget(struct driver_server *s)
{
	s->failures = 0;
	s->seen.failed = STEP_NONE;
	s->seen.why[0] = '\0';
	uv_timer_stop(&s->retry);
}

static void conf_hash_make(struct driver_server *s)
{
	work_conf_hash(s->host, s->home, s->want, s->state.port, s->conf_hash);
}

/* The process. */

/* What was known of a process does not hold for another one. */
static void process_other(struct driver_server *s)
{
	s->state.is_proven = false;
	s->state.proven_names[0] = '\0';
	memcpy(s->state.server, s->process.id, sizeof(s->state.server));
}

/* What a step has changed inside the server has been seen. */
static void settled(struct driver_server *s)
{
	s->question = 0;
	s->seen.busy = STEP_NONE;
}

static void process_ended(struct driver_server *s)
{
	if (s->question)
		settled(s);
	probe_stop(&s->probe);
	process_other(s);
	data_look(s);
}

/* How long a restart keeps clients away is what the next one is expected to take. */
static void restart_measure(struct driver_server *s, enum unit_act act)
{
	if (act == UNIT_ACT_INTERRUPT)
		s->stopped_ms = s->want->restart > s->state.restarted ? clock_mono_ms() : 0;
	if (act != UNIT_ACT_GREET || !s->stopped_ms)
		return;
	s->state.restart_ms = MAX(clock_mono_ms() - s->stopped_ms, INT64_C(1));
	s->stopped_ms = 0;
}

static void explain_full(struct driver_server *s, char why[PROCESS_WHY])
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "%s", why);
	pgdata_explain_full(s->home, &e);
	snprintf(why, PROCESS_WHY, "%.399s", e.text);
}

static void on_process(struct process *p, enum unit_act act)
{
	struct driver_server *s = container_of(p, struct driver_server, process);
	CLEANUP(arena_done) struct arena a = {0};

	if (strcmp(s->state.server, p->id) != 0)
		process_other(s);
	if (p->state == UNIT_DOWN)
		process_ended(s);
	restart_measure(s, act);
	if (act == UNIT_ACT_GREET)
		probe_start(&s->probe, roles_conninfo(&a, s->home, s->state.port, "postgres"));
	if (p->is_port_taken)
		snprintf(
			p->why, sizeof(p->why),
			"port %d of %s is taken by another program: it gets another one",
			s->state.port, s->host->address);
	p->is_port_taken = false;
	if (act == UNIT_ACT_FAILED || act == UNIT_ACT_DIED)
		explain_full(s, p->why);
	if (act == UNIT_ACT_FAILED || (act == UNIT_ACT_DIED && p->age_ms < SHORT_LIFE_MS))
		failure_note(s, STEP_START, p->why);
	tell(s);
}

/* The probe. */

static void on_answer(struct probe *p)
{
	struct driver_server *s = container_of(p, struct driver_server, probe);
	int64_t now = clock_mono_ms();

	if (s->question && p->has_answer && p->questions > s->question)
		settled(s);
	if (now - s->rotated_ms > ROTATE_MS) {
		s->rotated_ms = now;
		pglog_rotate(s->log);
	}
	if (s->process.state == UNIT_UP && now - s->process.since_ms > SHORT_LIFE_MS &&
	    s->seen.failed == STEP_START)
		failure_forget(s);
	tell(s);
}

/* Steps. */

static void port_choose(struct driver_server *s, struct err *e)
{
	int port;

	if (s->state.port && s->port_fd < 0 &&
	    port_hold(s->host->address, s->state.port, &s->port_fd, e) == ERR_CONFLICT) {
		log_warn("port taken", "member=%s port=%d", s->want->name, s->state.port);
		port_drop(&s->host->ports, s->state.port);
		s->state.port = 0;
	}
	if (s->state.port)
		return;
	if (port_pick(&s->host->ports, s->host->address, &port, &s->port_fd, e) == ERR_OK)
		s->state.port = port;
	conf_hash_make(s);
}

static void started(struct driver_server *s)
{
	const char *bin = discover_bin(s->host->programs, s->want->major);

	if (s->is_closing || job_is_cancelled(&s->work.job) || !bin)
		return;
	fd_drop(&s->port_fd);
	process_start(&s->process, bin);
}

static void close_go_on(struct driver_server *s);

static void on_work_done(struct job *j, enum err_code code, const struct err *e)
{
	struct work *k = container_of(j, struct work, job);
	struct driver_server *s = container_of(k, struct driver_server, work);
	enum step step = s->seen.busy;

	s->seen.busy = STEP_NONE;
	data_look(s);
	/* a server that ended meanwhile took what was known of it with it */
	if (strcmp(k->state.server, s->state.server) == 0)
		s->state = k->state;
	if (code == ERR_OK && step == STEP_REMOVE) {
		port_drop(&s->host->ports, s->state.port);
		s->state = (struct home_state){0};
	}
	if (k->is_saved)
		snprintf(s->seen.saved, SEEN_HASH, "%s", k->want->hash);
	s->seen.has_folder = step != STEP_REMOVE || code;
	want_drop(&k->want);
	if (s->is_closing) {
		close_go_on(s);
		return;
	}
	if (code == ERR_OK) {
		if (step == s->seen.failed && step != STEP_START)
			failure_forget(s);
		if (k->is_noted)
			s->noted = k->state;
	} else if (!job_is_cancelled(j)) {
		failure_note(s, step, e->text);
	}
	log_debug(
		"step ended", "member=%s step=%s code=%s", s->want->name, step_name(step),
		err_name(code));
	if (step == STEP_START && code == ERR_OK)
		started(s);
	if (code == ERR_OK && s->process.state == UNIT_UP &&
	    (step == STEP_REPLICATION || step == STEP_PROMOTE)) {
		s->seen.busy = step;
		s->question = s->probe.questions;
	}
	probe_now(&s->probe);
	tell(s);
}

static void work_start(struct driver_server *s, enum step step)
{
	struct work *k = &s->work;

	k->step = step;
	k->host = s->host;
	k->home = s->home;
	k->bin = discover_bin(s->host->programs, s->want->major);
	k->want = want_keep(s->want);
	k->is_saved = strcmp(s->want->hash, s->seen.saved) == 0;
	k->has_process = s->process.state != UNIT_DOWN;
	k->state = s->state;
	k->is_noted = false;
	k->done_bytes = k->total_bytes = 0;
	s->seen.busy = step;
	log_debug("step", "member=%s step=%s", s->want->name, step_name(step));
	job_start(&k->job, work_run, on_work_done);
}

static void server_step(struct driver_server *s, enum step step)
{
	struct err e = {0};

	if (step == STEP_STOP || step == STEP_QUIT) {
		process_feed(&s->process, step == STEP_STOP ? UNIT_WANT_DOWN : UNIT_WANT_GONE);
		return;
	}
	assert(s->seen.busy == STEP_NONE);
	if (step == STEP_INIT || step == STEP_COPY || step == STEP_START) {
		port_choose(s, &e);
		if (!s->state.port) {
			failure_note(s, step, e.text);
			tell(s);
			return;
		}
	}
	work_start(s, step);
}

static void server_cancel(struct driver_server *s)
{
	job_cancel(&s->work.job);
}

static const struct seen *server_seen(struct driver_server *s)
{
	struct seen *v = &s->seen;

	v->now_ms = clock_mono_ms();
	v->is_heard = s->host->is_heard;
	v->has_major = discover_bin(s->host->programs, s->want->major);
	v->epoch = s->state.epoch;
	v->restarted = s->state.restarted;
	v->restart_ms = s->state.restart_ms;
	v->port = s->state.port;
	v->is_noted = memcmp(&s->state, &s->noted, sizeof(s->state)) == 0;
	v->process = s->process.state;
	v->is_conf_current =
		s->process.state == UNIT_DOWN || strcmp(s->state.loaded, s->conf_hash) == 0;
	snprintf(
		v->settings, sizeof(v->settings), "%s",
		s->process.state == UNIT_UP ? s->state.settings : "");
	snprintf(v->access, sizeof(v->access), "%s", s->state.access);
	snprintf(v->roles, sizeof(v->roles), "%s", s->state.roles);
	v->is_proven = s->state.is_proven;
	memcpy(v->proven_names, s->state.proven_names, SEEN_NAMES);
	/* that nobody is waited for needs no proof beyond the reload */
	if (!s->want->sync_names[0] && v->is_conf_current && s->process.state == UNIT_UP) {
		v->is_proven = true;
		v->proven_names[0] = '\0';
	}
	v->proven_lsn = s->state.proven_lsn;
	v->is_probed = s->process.state == UNIT_UP && s->probe.has_answer;
	v->server = s->probe.server;
	v->done_bytes = s->work.done_bytes;
	v->total_bytes = s->work.total_bytes;
	return v;
}

static bool has_other_upstream(const struct want *a, const struct want *b)
{
	return a->upstream_port != b->upstream_port ||
		strcmp(a->upstream_host ? a->upstream_host : "",
		       b->upstream_host ? b->upstream_host : "") != 0;
}

static void server_want(struct driver_server *s, struct want *w)
{
	bool is_other = strcmp(w->hash, s->want->hash) != 0;
	struct want *old = s->want;

	/* a copy that waits for a server which is now elsewhere would wait in vain */
	if (s->seen.busy == STEP_COPY && has_other_upstream(old, w))
		job_cancel(&s->work.job);
	s->want = want_keep(w);
	want_drop(&old);
	conf_hash_make(s);
	if (is_other)
		failure_forget(s);
	if (!w->is_running)
		s->stopped_ms = 0;
	if (is_other && s->process.state == UNIT_DOWN && s->seen.busy == STEP_NONE)
		data_look(s);
}

static void server_watch(struct driver_server *s, bool is_urgent)
{
	probe_set_period(&s->probe, is_urgent ? URGENT_MS : CALM_MS);
}

/* All files are read again by a reload. */
static void server_renewed(struct driver_server *s)
{
	s->state.loaded[0] = '\0';
	tell(s);
}

/* Open and close. */

static void home_read(struct driver_server *s)
{
	struct want *saved = NULL;

	home_read_state(s->home, &s->state);
	s->noted = s->state;
	if (home_read_want(s->home, &saved, NULL) == ERR_OK)
		snprintf(s->seen.saved, SEEN_HASH, "%s", saved->hash);
	want_drop(&saved);
	s->seen.has_folder = file_exists(s->home);
	data_look(s);
	if (s->state.port)
		port_keep(&s->host->ports, s->state.port);
}

static struct driver_server *
server_open(struct driver_host *h, struct want *w, void (*changed)(void *arg), void *arg)
{
	struct driver_server *s = mem_alloc(sizeof(*s));

	s->host = h;
	s->changed = changed;
	s->arg = arg;
	s->want = want_keep(w);
	s->home = home_path(&s->arena, h->data, w->uid);
	s->data = arena_printf(&s->arena, "%s/data", s->home);
	s->log = arena_printf(&s->arena, "%s/log/postgres.log", s->home);
	s->port_fd = -1;
	uv_timer_init(h->loop, &s->retry);
	uv_timer_init(h->loop, &s->soon);
	s->process = (struct process){
		.loop = h->loop,
		.name = arena_strdup(&s->arena, w->name),
		.data = s->data,
		.log = s->log,
		.on_change = on_process,
	};
	process_init(&s->process);
	probe_init(&s->probe, h->loop, on_answer);
	job_init(&s->work.job, h->loop);
	home_read(s);
	conf_hash_make(s);
	process_adopt(&s->process);
	if (strcmp(s->state.server, s->process.id) != 0)
		process_other(s);
	tell(s);
	return s;
}

static void one_closed(struct driver_server *s)
{
	void (*closed)(void *arg) = s->closed;
	void *arg = s->closed_arg;

	if (--s->handles > 0)
		return;
	want_drop(&s->want);
	arena_done(&s->arena);
	free(s);
	closed(arg);
}

#define TIMER_CLOSED(field)                                                                        \
	static void on_##field##_closed(uv_handle_t *handle)                                       \
	{                                                                                          \
		one_closed(container_of((uv_timer_t *)handle, struct driver_server, field));       \
	}

TIMER_CLOSED(retry)
TIMER_CLOSED(soon)

static void on_probe_closed(struct probe *p)
{
	one_closed(container_of(p, struct driver_server, probe));
}

static void on_process_closed(struct process *p)
{
	one_closed(container_of(p, struct driver_server, process));
}

static void on_job_closed(struct job *j)
{
	one_closed(container_of(j, struct driver_server, work.job));
}

static void close_go_on(struct driver_server *s)
{
	fd_drop(&s->port_fd);
	s->handles = 5;
	uv_close((uv_handle_t *)&s->retry, on_retry_closed);
	uv_close((uv_handle_t *)&s->soon, on_soon_closed);
	probe_close(&s->probe, on_probe_closed);
	process_close(&s->process, on_process_closed);
	job_close(&s->work.job, on_job_closed);
}

static void server_close(struct driver_server *s, void (*closed)(void *arg), void *arg)
{
	if (s->state.port)
		port_drop(&s->host->ports, s->state.port);
	s->is_closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	if (s->seen.busy == STEP_NONE)
		close_go_on(s);
	else
		job_cancel(&s->work.job);
}

const struct agent_driver agent_driver_postgres = {
	.name = "postgres",
	.has_folders = true,
	.open = server_open,
	.seen = server_seen,
	.want = server_want,
	.watch = server_watch,
	.step = server_step,
	.cancel = server_cancel,
	.renewed = server_renewed,
	.close = server_close,
};
