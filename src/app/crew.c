#include "app/crew.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum err_code crew_open(struct crew *c, struct err *e)
{
	sigset_t set;

	child_stop_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	c->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->signal_fd < 0 ? err_os(e, "listen for signals") : ERR_OK;
}

struct proc *crew_add(struct crew *c, const char *name)
{
	struct proc *p = &c->procs[c->n++];

	assert(c->n <= CREW_MAX);
	*p = (struct proc){.name = name};
	return p;
}

static void signals_take(struct crew *c)
{
	struct signalfd_siginfo info;

	while (read(c->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		c->asked_to_stop++;
}

/* Until the first proc is due, at most max_ms; as poll wants it. */
static int wait_ms(const struct crew *c, int64_t now, int max_ms)
{
	int64_t wait = max_ms;

	for (size_t i = 0; i < c->n; i++) {
		int64_t due = proc_due(&c->procs[i]);

		if (due >= 0 && (wait < 0 || due - now < wait))
			wait = MAX(due - now, (int64_t)0);
	}
	return (int)wait;
}

static void ended_log(const struct proc *p)
{
	long long in_ms = p->due_ms - clock_mono_ms();

	if (p->state != PROC_RESTING)
		return;
	if (p->status >= 0 && WIFSIGNALED(p->status))
		log_warn(
			"ended, is started again", "name=%s signal=%d in_ms=%lld", log_q(p->name),
			WTERMSIG(p->status), in_ms);
	else
		log_warn(
			"ended, is started again", "name=%s exit=%d in_ms=%lld", log_q(p->name),
			p->status < 0 ? -1 : WEXITSTATUS(p->status), in_ms);
}

static void proc_look(struct crew *c, struct proc *p, bool has_ended)
{
	enum proc_state before = p->state;
	int64_t now = clock_mono_ms();

	if (has_ended) {
		proc_step(p, PROC_ENDED, now);
		ended_log(p);
	}
	proc_step(p, PROC_TIME, now);
	if (has_ended || p->state != before)
		c->changes++;
}

void crew_step(struct crew *c, int max_ms)
{
	struct pollfd fds[CREW_MAX + 1];
	size_t n = c->n;

	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){
			.fd = proc_is_running(&c->procs[i]) ? c->procs[i].child.pidfd : -1,
			.events = POLLIN,
		};
	fds[n] = (struct pollfd){.fd = c->signal_fd, .events = POLLIN};
	if (poll(fds, n + 1, wait_ms(c, clock_mono_ms(), max_ms)) < 0)
		return; /* EINTR: the caller comes again */
	signals_take(c);
	for (size_t i = 0; i < n; i++)
		proc_look(c, &c->procs[i], fds[i].revents != 0);
}

static bool are_down(const struct crew *c, size_t first, size_t last)
{
	for (size_t i = first; i < last; i++)
		if (c->procs[i].state != PROC_DOWN)
			return false;
	return true;
}

void crew_stop(struct crew *c, size_t first, size_t last)
{
	for (size_t i = first; i < last; i++)
		proc_step(&c->procs[i], PROC_STOP, clock_mono_ms());
	while (!are_down(c, first, last))
		crew_step(c, -1);
}
