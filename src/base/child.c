#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

extern char **environ;

/* All that the child needs between fork and exec, made before the fork: there, only functions that
 * are safe in a signal handler may be called, since other threads may hold locks. */
struct launch {
	const char *path;
	char *const *argv;
	char **env;
	const char *dir;
	int in_fd, out_fd; /* out_fd -1: ours */
	int error_fd; /* what fails before exec is told here: its errno */
	pid_t parent;
	bool is_session, holds_signals, dies_with_us;
};

/* The file that a name without a slash means on PATH. */
static const char *path_find(struct arena *a, const char *name)
{
	struct str rest = str_of(getenv("PATH")), dir;

	if (strchr(name, '/'))
		return name;
	while (str_split(&rest, ':', &dir)) {
		const char *path = arena_printf(a, STR_FMT "/%s", STR_ARG(dir), name);

		if (dir.n && access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

static bool is_same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

static bool is_overridden(const char *const *added, const char *variable)
{
	for (; added && *added; added++)
		if (is_same_variable(*added, variable))
			return true;
	return false;
}

static char **env_merge(struct arena *a, const char *const *added)
{
	size_t n = 0, more = 0, at = 0;
	char **env;

	while (environ && environ[n])
		n++;
	while (added && added[more])
		more++;
	env = arena_array(a, char *, n + more + 1);
	for (size_t i = 0; i < n; i++)
		if (!is_overridden(added, environ[i]))
			env[at++] = environ[i];
	for (size_t i = 0; i < more; i++)
		env[at++] = arena_strdup(a, added[i]);
	return env;
}

void child_stop_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGHUP);
}

static void signals_reset(bool holds_signals)
{
	struct sigaction def = {.sa_handler = SIG_DFL};
	sigset_t mask;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &def, NULL);
	sigemptyset(&mask);
	if (holds_signals)
		child_stop_signals(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Runs in the child; returns (with errno) only when something failed. */
static void launch_exec(const struct launch *l)
{
	if (l->dies_with_us) {
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
			return;
		if (getppid() != l->parent)
			_exit(127);
	}
	if (l->is_session && setsid() < 0)
		return;
	if (dup2(l->in_fd, STDIN_FILENO) < 0)
		return;
	if (l->out_fd >= 0 &&
	    (dup2(l->out_fd, STDOUT_FILENO) < 0 || dup2(l->out_fd, STDERR_FILENO) < 0))
		return;
	if (chdir(l->dir) < 0)
		return;
	/* a library may have opened one without O_CLOEXEC */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	signals_reset(l->holds_signals);
	execve(l->path, l->argv, l->env);
}

static pid_t launch_fork(const struct launch *l)
{
	sigset_t all, old;
	pid_t pid;

	/* a handler of ours must not run in the child */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		launch_exec(l);
		fd_write_all(l->error_fd, &errno, sizeof(errno));
		_exit(127);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* 0 when the child got as far as its program, else the errno that stopped it. */
static int launch_result(int fd)
{
	int no = 0;
	ssize_t n;

	do
		n = read(fd, &no, sizeof(no));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(no) ? no : 0;
}

static enum err_code output_open(const struct child_conf *c, int *ret, struct err *e)
{
	if (!c->log_path) {
		*ret = c->out_fd > 0 ? fcntl(c->out_fd, F_DUPFD_CLOEXEC, 3) : -1;
		return c->out_fd > 0 && *ret < 0 ? err_os(e, "start '%s'", c->argv[0]) : ERR_OK;
	}
	*ret = open(c->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return *ret < 0 ? err_os(e, "start '%s': log '%s'", c->argv[0], c->log_path) : ERR_OK;
}

static enum err_code launch_run(
	const struct child_conf *c, struct launch *l, int result_fd, struct child *ret,
	struct err *e)
{
	pid_t pid = launch_fork(l);
	int pidfd, no;

	close(l->error_fd);
	if (pid < 0)
		return err_os(e, "start '%s'", c->argv[0]);
	no = launch_result(result_fd);
	/* nobody but us reaps it, so the pid cannot have been reused */
	pidfd = no ? -1 : pidfd_open(pid, 0);
	if (pidfd < 0) {
		no = no ? no : errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		errno = no;
		return err_os(e, "start '%s'", c->argv[0]);
	}
	*ret = (struct child){.pid = pid, .pidfd = pidfd};
	return ERR_OK;
}

enum err_code child_start(const struct child_conf *c, struct child *ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(fd_drop) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	CLEANUP(fd_drop) int out_fd = -1;
	CLEANUP(fd_drop) int result_fd = -1;
	struct launch l = {
		.path = path_find(&a, c->argv[0]),
		.argv = (char *const *)c->argv,
		.env = env_merge(&a, c->env),
		.dir = c->dir ? c->dir : "/",
		.in_fd = null_fd,
		.parent = getpid(),
		.is_session = c->is_session,
		.holds_signals = c->holds_signals,
		.dies_with_us = c->dies_with_us,
	};
	enum err_code code;
	int pair[2];

	if (!l.path)
		return err_set(e, ERR_NOT_FOUND, "start '%s': no such program on PATH", c->argv[0]);
	code = output_open(c, &out_fd, e);
	if (code)
		return code;
	if (null_fd < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_os(e, "start '%s'", c->argv[0]);
	result_fd = pair[0];
	l.error_fd = pair[1];
	l.out_fd = out_fd;
	return launch_run(c, &l, result_fd, ret, e);
}

enum err_code child_start_ticks(pid_t pid, uint64_t *ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *path = arena_printf(&a, "/proc/%d/stat", (int)pid);
	struct str stat, field = {0};
	enum err_code code = file_read(&a, path, 4096, &stat, e);
	const char *name_end;

	if (code)
		return code;
	/* field 2 is the program's name, which may hold blanks and brackets */
	name_end = memrchr(stat.p, ')', stat.n);
	if (!name_end)
		return err_set(e, ERR_INTERNAL, "'%s' has no program name", path);
	stat.n -= (size_t)(name_end + 2 - stat.p);
	stat.p = name_end + 2;
	for (int i = 3; i <= 22; i++)
		if (!str_split(&stat, ' ', &field))
			break;
	if (!str_to_u64(field, ret))
		return err_set(e, ERR_INTERNAL, "'%s' has no start time", path);
	return ERR_OK;
}

enum err_code child_adopt(pid_t pid, uint64_t start_ticks, struct child *ret, struct err *e)
{
	CLEANUP(fd_drop) int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	uint64_t ticks;

	/* The pidfd first: then the start time read is of its process, or of none. One that nobody
	 * has reaped yet has a start time, but has ended. */
	if (pidfd < 0 || child_start_ticks(pid, &ticks, NULL) || ticks != start_ticks ||
	    poll(&ended, 1, 0) != 0)
		return err_set(e, ERR_NOT_FOUND, "process %d has ended", (int)pid);
	*ret = (struct child){.pid = pid, .pidfd = pidfd};
	pidfd = -1;
	return ERR_OK;
}

enum err_code child_signal(const struct child *c, int signal, struct err *e)
{
	if (pidfd_send_signal(c->pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
		return err_os(e, "send signal %d to process %d", signal, (int)c->pid);
	return ERR_OK;
}

static int status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return W_EXITCODE(info->si_status, 0);
	case CLD_DUMPED:
		return W_EXITCODE(0, info->si_status) | WCOREFLAG;
	default:
		return W_EXITCODE(0, info->si_status);
	}
}

/* Waits for one of fds until the deadline (mono ms; -1: for ever); false: it passed. */
static bool poll_until(struct pollfd *fds, nfds_t n, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline < 0 ? -1 : MAX(deadline - clock_mono_ms(), (int64_t)0);
		int got = poll(fds, n, (int)left);

		if (got > 0)
			return true;
		if (got == 0)
			return false;
		assert(errno == EINTR);
	}
}

enum err_code child_wait(struct child *c, int timeout_ms, int *ret_status, struct err *e)
{
	int64_t deadline = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
	struct pollfd fd = {.fd = c->pidfd, .events = POLLIN};
	siginfo_t info = {0};
	int got;

	if (!poll_until(&fd, 1, deadline))
		return err_set(
			e, ERR_TIMEOUT, "process %d did not end within %d ms", (int)c->pid,
			timeout_ms);
	do
		got = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED);
	while (got < 0 && errno == EINTR);
	*ret_status = got < 0 ? -1 : status_of(&info);
	fd_drop(&c->pidfd);
	return ERR_OK;
}

/* One read; false when there is nothing more for now, or ever. */
static bool output_take(int fd, size_t max, struct buf *out)
{
	char chunk[4096];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR;
	buf_add(out, chunk, MIN((size_t)n, max - out->n));
	return n > 0;
}

/* Reads until the child has ended and the pipe is dry: what it left running in the background may
 * hold the pipe open for ever. */
static bool
output_read(const struct child *c, int fd, int64_t deadline, size_t max, struct buf *out)
{
	struct pollfd fds[2] = {
		{.fd = fd, .events = POLLIN},
		{.fd = c->pidfd, .events = POLLIN},
	};

	for (;;) {
		if (!poll_until(fds, ARRAY_LEN(fds), deadline))
			return false;
		if (fds[0].revents && !output_take(fd, max, out))
			fds[0].fd = -1;
		if (fds[1].revents)
			break;
	}
	while (output_take(fd, max, out))
		;
	return true;
}

static struct str last_line(struct str s)
{
	const char *nl;

	s = str_trim(s);
	nl = s.n ? memrchr(s.p, '\n', s.n) : NULL;
	return nl ? (struct str){nl + 1, s.n - (size_t)(nl + 1 - s.p)} : s;
}

static enum err_code run_result(const char *name, int status, struct str output, struct err *e)
{
	struct str why = last_line(output);

	if (status == 0)
		return ERR_OK;
	if (why.n)
		return err_set(e, ERR_IO, "%s failed: " STR_FMT, name, STR_ARG(why));
	if (WIFSIGNALED(status))
		return err_set(e, ERR_IO, "%s was ended by signal %d", name, WTERMSIG(status));
	return err_set(e, ERR_IO, "%s failed with exit code %d", name, WEXITSTATUS(status));
}

enum err_code child_run(
	struct arena *a, const struct child_conf *c, int timeout_ms, size_t max,
	struct str *ret_output, struct err *e)
{
	CLEANUP(buf_done) struct buf out = {0};
	CLEANUP(fd_drop) int read_fd = -1;
	struct child_conf conf = *c;
	int64_t deadline = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
	enum err_code code;
	struct child child;
	int pair[2], status;
	bool is_in_time;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_os(e, "start '%s'", c->argv[0]);
	read_fd = pair[0];
	fcntl(read_fd, F_SETFL, O_NONBLOCK); /* its end only: the child's blocks */
	conf.log_path = NULL;
	conf.out_fd = pair[1];
	code = child_start(&conf, &child, e);
	close(pair[1]);
	if (code)
		return code;
	is_in_time = output_read(&child, read_fd, deadline, max, &out);
	if (!is_in_time)
		child_signal(&child, SIGKILL, NULL);
	child_wait(&child, -1, &status, NULL);
	if (!is_in_time)
		return err_set(
			e, ERR_TIMEOUT, "%s did not end within %d ms", c->argv[0], timeout_ms);
	code = run_result(c->argv[0], status, buf_view(&out), e);
	if (!code)
		*ret_output = (struct str){arena_strndup(a, buf_view(&out).p, out.n), out.n};
	return code;
}

enum err_code child_drop_root(const char *user, struct err *e)
{
	struct passwd *pw;

	if (geteuid() != 0)
		return ERR_OK;
	errno = 0;
	pw = getpwnam(user);
	if (!pw && !errno)
		return err_set(
			e, ERR_NOT_FOUND, "there is no user '%s' to run as instead of root", user);
	if (!pw)
		return err_os(e, "look up user '%s'", user);
	if (pw->pw_uid == 0)
		return err_set(e, ERR_INVALID, "user '%s' is root too: want another", user);
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_os(e, "become user '%s'", user);
	if (setuid(0) == 0)
		return err_set(e, ERR_INTERNAL, "could become root again: stopped for safety");
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", pw->pw_name, 1);
	setenv("LOGNAME", pw->pw_name, 1);
	return ERR_OK;
}
