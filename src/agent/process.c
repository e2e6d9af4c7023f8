#include "agent/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "agent/pglog.h"
#include "agent/postmaster.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum {
	LOOK_MS = 3,
	LOOK_SLOW_MS = 100, /* once it has taken QUICK_MS */
	QUICK_MS = 10 * 1000,
};

/* Outlives the process: libuv closes handles later. */
struct process_watch {
	uv_poll_t poll;
	struct process *owner;
};

void process_init(struct process *p)
{
	uv_timer_init(p->loop, &p->ready);
	uv_timer_init(p->loop, &p->limit);
	p->since_ms = clock_mono_ms();
}

/* postmaster.pid says when it takes connections: asking it by connecting would cost it a process a
 * time. */
static void on_look(uv_timer_t *timer)
{
	struct process *p = container_of(timer, struct process, ready);
	bool is_slow = clock_mono_ms() - p->since_ms > QUICK_MS;
	struct postmaster m;

	if (postmaster_read(p->data, &m, NULL) == ERR_OK && m.pid == p->child.pid && m.is_ready)
		process_feed(p, UNIT_READY);
	else
		uv_timer_start(&p->ready, on_look, is_slow ? LOOK_SLOW_MS : LOOK_MS, 0);
}

static void on_limit(uv_timer_t *timer)
{
	process_feed(container_of(timer, struct process, limit), UNIT_LATE);
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct process_watch, poll));
}

static void on_pidfd(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	process_feed(container_of(poll, struct process_watch, poll)->owner, UNIT_EXITED);
}

static void watch_drop(struct process *p)
{
	if (p->watch)
		uv_close((uv_handle_t *)&p->watch->poll, on_watch_closed);
	p->watch = NULL;
}

static void act_watch(struct process *p)
{
	postmaster_name(&p->child, p->id, sizeof(p->id));
	p->watch = mem_alloc(sizeof(*p->watch));
	p->watch->owner = p;
	if (uv_poll_init(p->loop, &p->watch->poll, p->child.pidfd) ||
	    uv_poll_start(&p->watch->poll, UV_READABLE, on_pidfd))
		abort(); /* no descriptors */
	uv_timer_start(&p->ready, on_look, 0, 0);
}

static void act_spawn(struct process *p)
{
	CLEANUP(mem_drop) char *program = mem_printf("%s/postgres", p->bin);
	const char *const argv[] = {program, "-D", p->data, NULL};
	const char *const env[] = {"LC_ALL=C", NULL}; /* its settings say the rest */
	const struct child_conf conf = {
		.argv = argv, .env = env, .log_path = p->log, .is_session = true};
	struct err e = {0};

	p->log_from = pglog_size(p->log);
	if (child_start(&conf, &p->child, &e)) {
		p->child = (struct child){.pidfd = -1};
		snprintf(p->why, sizeof(p->why), "%.390s", e.text);
		return;
	}
	log_info("server started", "member=%s pid=%d", p->name, (int)p->child.pid);
	act_watch(p);
}

static void act_greet(struct process *p)
{
	log_info("server takes connections", "member=%s", p->name);
}

static void signal_send(struct process *p, int signal)
{
	struct err e;

	uv_timer_stop(&p->ready);
	if (child_signal(&p->child, signal, &e))
		log_error("signal failed", "member=%s why=%s", p->name, log_q(e.text));
}

static void act_interrupt(struct process *p)
{
	signal_send(p, SIGINT);
}

static void act_quit(struct process *p)
{
	signal_send(p, SIGQUIT);
}

static void act_kill(struct process *p)
{
	signal_send(p, SIGKILL);
}

/* Reaps it, if it ever was. */
static int end(struct process *p)
{
	int status = -1;

	uv_timer_stop(&p->ready);
	watch_drop(p);
	if (p->child.pidfd >= 0)
		child_wait(&p->child, 0, &status, NULL);
	p->id[0] = '\0';
	return status;
}

static void why_make(struct process *p, const char *what)
{
	char reason[PROCESS_WHY - 64];

	pglog_reason(p->log, p->log_from, reason, sizeof(reason));
	snprintf(
		p->why, sizeof(p->why), "%s: %s", what,
		reason[0] ? reason : "its log says no reason");
}

static void act_failed(struct process *p)
{
	bool has_program = p->child.pidfd >= 0;

	end(p);
	if (!has_program)
		return; /* act_spawn has said why */
	p->is_port_taken = pglog_says(p->log, p->log_from, "Address already in use");
	why_make(p, "its server does not start");
}

static void act_died(struct process *p)
{
	int status;

	p->age_ms = clock_mono_ms() - p->since_ms;
	status = end(p);
	if (status >= 0 && WIFSIGNALED(status)) /* an adopted one does not tell */
		snprintf(
			p->why, sizeof(p->why), "its server was ended by signal %d",
			WTERMSIG(status));
	else
		why_make(p, "its server has ended");
	log_warn("server died", "member=%s why=%s", p->name, log_q(p->why));
}

static void act_rest(struct process *p)
{
	end(p);
	log_info("server stopped", "member=%s", p->name);
}

static void (*const acts[UNIT_ACTS])(struct process *p) = {
	[UNIT_ACT_SPAWN] = act_spawn,   [UNIT_ACT_WATCH] = act_watch,
	[UNIT_ACT_GREET] = act_greet,   [UNIT_ACT_INTERRUPT] = act_interrupt,
	[UNIT_ACT_QUIT] = act_quit,     [UNIT_ACT_KILL] = act_kill,
	[UNIT_ACT_FAILED] = act_failed, [UNIT_ACT_DIED] = act_died,
	[UNIT_ACT_REST] = act_rest,
};

/* The one place where its state changes. */
void process_feed(struct process *p, enum unit_event event)
{
	struct unit_rule r = unit_next(p->state, event);

	if (r.act == UNIT_ACT_NONE)
		return;
	log_debug(
		"process", "member=%s event=%s act=%s", p->name, log_q(unit_event_name(event)),
		unit_act_name(r.act));
	p->state = r.next;
	uv_timer_stop(&p->limit);
	if (unit_limit_ms(r.next))
		uv_timer_start(&p->limit, on_limit, (uint64_t)unit_limit_ms(r.next), 0);
	acts[r.act](p); /* may look at since_ms of the state that has ended */
	p->since_ms = clock_mono_ms();
	p->on_change(p, r.act);
}

void process_adopt(struct process *p)
{
	if (p->state != UNIT_DOWN || postmaster_adopt(p->data, &p->child, NULL))
		return;
	p->log_from = pglog_size(p->log);
	log_info("server adopted", "member=%s pid=%d", p->name, (int)p->child.pid);
	process_feed(p, UNIT_FOUND);
}

void process_start(struct process *p, const char *bin)
{
	p->bin = bin;
	process_adopt(p); /* one that had not written its pid yet when we looked */
	process_feed(p, UNIT_WANT_UP);
	if (p->state == UNIT_STARTING && p->child.pidfd < 0)
		process_feed(p, UNIT_EXITED);
}

static void one_closed(struct process *p)
{
	if (--p->handles == 0)
		p->closed(p);
}

static void on_ready_closed(uv_handle_t *handle)
{
	one_closed(container_of((uv_timer_t *)handle, struct process, ready));
}

static void on_limit_closed(uv_handle_t *handle)
{
	one_closed(container_of((uv_timer_t *)handle, struct process, limit));
}

void process_close(struct process *p, void (*closed)(struct process *p))
{
	watch_drop(p);
	if (p->state != UNIT_DOWN)
		fd_drop(&p->child.pidfd);
	p->closed = closed;
	p->handles = 2;
	uv_close((uv_handle_t *)&p->ready, on_ready_closed);
	uv_close((uv_handle_t *)&p->limit, on_limit_closed);
}
