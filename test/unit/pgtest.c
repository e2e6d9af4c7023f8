#include "pgtest.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define SERVER_USER "slipway"

enum { READY_MS = 30000, STEP_MS = 5, CHILDREN_MAX = 64 };

static NORETURN void die(const struct pgtest *t, const char *what)
{
	fprintf(stderr, "pgtest: %s (%s/log)\n", what, t->dir);
	abort();
}

static bool find_bin(int major, char *ret, size_t room)
{
	static const char *const places[] = {
		"/usr/lib/postgresql/%d/bin", "/opt/slipway/postgresql/%d/bin"};
	char program[160];

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(ret, room, places[i], major);
#pragma GCC diagnostic pop
		snprintf(program, sizeof(program), "%s/postgres", ret);
		if (access(program, X_OK) == 0)
			return true;
	}
	return false;
}

const int *pgtest_majors(void)
{
	static const int all[] = {14, 15, 17};
	static int found[ARRAY_LEN(all) + 1];
	char bin[128];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (find_bin(all[i], bin, sizeof(bin)))
			found[n++] = all[i];
	found[n] = 0;
	return found;
}

/* In the child: an unprivileged process of its own session, output to the log. */
static NORETURN void become(const struct pgtest *t, char *const argv[])
{
	char log[96];
	const struct passwd *pw = getpwnam(SERVER_USER);
	int fd;

	if (geteuid() == 0 &&
	    (!pw || setgroups(0, NULL) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0))
		_exit(126);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after setuid, which clears it */
	snprintf(log, sizeof(log), "%s/log", t->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || chdir(t->dir))
		_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

static pid_t spawn(const struct pgtest *t, char *const argv[])
{
	pid_t pid = fork();

	if (pid < 0)
		die(t, "fork failed");
	if (pid == 0)
		become(t, argv);
	return pid;
}

static void run_initdb(const struct pgtest *t)
{
	char program[160], data[96];
	char *argv[] = {program, "-D", data,   "-U",         SERVER_USER, "-A",
			"trust", "-E", "UTF8", "--locale=C", "--no-sync", NULL};
	int status;

	snprintf(program, sizeof(program), "%s/initdb", t->bin);
	snprintf(data, sizeof(data), "%s/data", t->dir);
	if (waitpid(spawn(t, argv), &status, 0) < 0 || status != 0)
		die(t, "initdb failed");
}

static void write_conf(const struct pgtest *t, const char *conf)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/data/postgresql.conf", t->dir);
	f = fopen(path, "ae");
	if (!f)
		die(t, "no postgresql.conf");
	fprintf(f,
		"listen_addresses = ''\nunix_socket_directories = '%s'\nfsync = off\n"
		"shared_buffers = 16MB\nmax_connections = 40\n%s\n",
		t->dir, conf ? conf : "");
	fclose(f);
}

void pgtest_restart(struct pgtest *t)
{
	char program[160], data[96];
	char *argv[] = {program, "-D", data, NULL};
	int64_t deadline = clock_mono_ms() + READY_MS;
	PGPing ping;

	snprintf(program, sizeof(program), "%s/postgres", t->bin);
	snprintf(data, sizeof(data), "%s/data", t->dir);
	while ((ping = PQping(t->conninfo)) != PQPING_OK) {
		/* children of a killed postmaster hold its memory for a moment: try again */
		if (t->pid && waitpid(t->pid, NULL, WNOHANG) == t->pid)
			t->pid = 0;
		if (!t->pid)
			t->pid = spawn(t, argv);
		if (clock_mono_ms() > deadline)
			die(t, "the server did not become ready");
		poll(NULL, 0, STEP_MS); /* until it answers */
	}
}

bool pgtest_start(struct pgtest *t, int major, const char *conf)
{
	const struct passwd *pw = getpwnam(SERVER_USER);

	*t = (struct pgtest){.major = major};
	if (!find_bin(major, t->bin, sizeof(t->bin)))
		return false;
	snprintf(t->dir, sizeof(t->dir), "/tmp/slipway-pgtest-XXXXXX");
	if (!mkdtemp(t->dir))
		die(t, "no folder in /tmp");
	if (geteuid() == 0 && (!pw || chown(t->dir, pw->pw_uid, pw->pw_gid) < 0))
		die(t, "no user " SERVER_USER ": run script/setup");
	snprintf(
		t->conninfo, sizeof(t->conninfo), "host=%s user=" SERVER_USER " dbname=postgres",
		t->dir);
	run_initdb(t);
	write_conf(t, conf);
	pgtest_restart(t);
	return true;
}

/* Every process whose parent is the postmaster, as pidfds. */
static nfds_t children_of(const struct pgtest *t, struct pollfd ret[CHILDREN_MAX])
{
	char path[64];
	nfds_t n = 0;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)t->pid, (int)t->pid);
	f = fopen(path, "re");
	while (f && n < CHILDREN_MAX && fscanf(f, "%d", &pid) == 1) {
		ret[n] = (struct pollfd){.fd = pidfd_open(pid, 0), .events = POLLIN};
		n += ret[n].fd >= 0;
	}
	if (f)
		fclose(f);
	return n;
}

/* until: waits (a while) for each of them to have ended. */
static void signal_children(const struct pgtest *t, int signal, bool until_ended)
{
	struct pollfd fds[CHILDREN_MAX];
	nfds_t n = children_of(t, fds);

	for (nfds_t i = 0; i < n; i++)
		pidfd_send_signal(fds[i].fd, signal, NULL, 0);
	for (nfds_t i = 0; i < n; i++) {
		if (until_ended && poll(&fds[i], 1, READY_MS) != 1)
			die(t, "a backend did not end");
		close(fds[i].fd);
	}
}

void pgtest_freeze(struct pgtest *t, bool is_frozen)
{
	int signal = is_frozen ? SIGSTOP : SIGCONT;

	if (!t->pid)
		return;
	kill(t->pid, signal);
	signal_children(t, signal, false);
}

static void end(struct pgtest *t, int signal)
{
	if (!t->pid)
		return;
	kill(t->pid, signal);
	while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
		;
	t->pid = 0;
}

void pgtest_kill(struct pgtest *t)
{
	pgtest_freeze(t, true); /* so that nobody sees the others die */
	if (t->pid)
		signal_children(t, SIGKILL, true); /* their sockets are closed now */
	end(t, SIGKILL);
}

void pgtest_stop(struct pgtest *t)
{
	struct err e;

	end(t, SIGQUIT);
	if (t->dir[0] && dir_remove(t->dir, &e) != ERR_OK)
		fprintf(stderr, "pgtest: %s\n", e.text);
	t->dir[0] = '\0';
}
