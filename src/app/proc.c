#include "app/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum {
	REST_MIN_MS = 50,
	REST_MAX_MS = 10 * 1000,
	SETTLED_MS = 30 * 1000, /* who ran that long starts with a clean slate */
	LOG_MAX = 32 << 20, /* a log that is longer is moved to .1 at the next start */
};

typedef enum proc_state act(struct proc *p, int64_t now_ms);

static enum proc_state rest(struct proc *p, int64_t now_ms)
{
	unsigned doublings = MIN(p->failures, 8u);

	p->due_ms = now_ms + (p->failures ? MIN(REST_MIN_MS << doublings, REST_MAX_MS) : 0);
	p->failures++;
	return PROC_RESTING;
}

static void log_rotate(const char *path)
{
	CLEANUP(mem_drop) char *old = mem_printf("%s.1", path);
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size > LOG_MAX)
		rename(path, old);
}

static enum proc_state act_start(struct proc *p, int64_t now_ms)
{
	struct err e;

	if (p->conf.log_path)
		log_rotate(p->conf.log_path);
	if (child_start(&p->conf, &p->child, &e)) {
		log_error("not started", "name=%s why=%s", log_q(p->name), log_q(e.text));
		return rest(p, now_ms);
	}
	p->since_ms = now_ms;
	return PROC_UP;
}

static void reap(struct proc *p)
{
	child_wait(&p->child, -1, &p->status, NULL);
}

static enum proc_state act_again(struct proc *p, int64_t now_ms)
{
	reap(p);
	if (now_ms - p->since_ms >= SETTLED_MS)
		p->failures = 0;
	return rest(p, now_ms);
}

static enum proc_state act_down(struct proc *p, int64_t now_ms)
{
	reap(p);
	return PROC_DOWN;
}

static enum proc_state act_give_up(struct proc *p, int64_t now_ms)
{
	return PROC_DOWN;
}

static enum proc_state act_stop(struct proc *p, int64_t now_ms)
{
	child_signal(&p->child, p->stop_signal, NULL);
	p->due_ms = now_ms + p->stop_ms;
	return PROC_STOPPING;
}

static enum proc_state act_kill(struct proc *p, int64_t now_ms)
{
	log_warn("killed", "name=%s why=\"did not stop in %d ms\"", log_q(p->name), p->stop_ms);
	child_signal(&p->child, SIGKILL, NULL);
	p->due_ms = now_ms + p->stop_ms;
	return PROC_STOPPING;
}

/* An empty cell: the event is ignored there. */
static act *const rules[PROC_STATES][PROC_EVENTS] = {
	[PROC_DOWN][PROC_START] = act_start,     [PROC_UP][PROC_ENDED] = act_again,
	[PROC_UP][PROC_STOP] = act_stop,         [PROC_RESTING][PROC_TIME] = act_start,
	[PROC_RESTING][PROC_STOP] = act_give_up, [PROC_STOPPING][PROC_ENDED] = act_down,
	[PROC_STOPPING][PROC_TIME] = act_kill,
};

void proc_step(struct proc *p, enum proc_event event, int64_t now_ms)
{
	act *a = rules[p->state][event];

	if (event == PROC_TIME && now_ms < p->due_ms)
		return;
	if (a)
		p->state = a(p, now_ms);
}

void proc_adopt(struct proc *p, const struct child *c, int64_t now_ms)
{
	assert(p->state == PROC_DOWN);
	p->child = *c;
	p->since_ms = now_ms;
	p->state = PROC_UP;
}

int64_t proc_due(const struct proc *p)
{
	return p->state == PROC_RESTING || p->state == PROC_STOPPING ? p->due_ms : -1;
}

void proc_last_words(const struct proc *p, char *ret, size_t room)
{
	CLEANUP(fd_drop) int fd = open(p->conf.log_path, O_RDONLY | O_CLOEXEC);
	char tail[2048];
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	off_t from = MAX(size - (off_t)sizeof(tail), (off_t)0);
	ssize_t n = size < 0 ? 0 : pread(fd, tail, sizeof(tail), from);
	struct str s = str_trim((struct str){tail, n > 0 ? (size_t)n : 0});
	const char *nl = s.n ? memrchr(s.p, '\n', s.n) : NULL;

	if (nl)
		s = (struct str){nl + 1, s.n - (size_t)(nl + 1 - s.p)};
	snprintf(ret, room, STR_FMT, STR_ARG(s));
}

const char *proc_state_name(enum proc_state s)
{
	static const char *const names[PROC_STATES] = {
		[PROC_DOWN] = "down",
		[PROC_UP] = "up",
		[PROC_RESTING] = "resting",
		[PROC_STOPPING] = "stopping",
	};

	return names[s];
}
