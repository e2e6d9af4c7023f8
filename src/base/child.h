/*
 * Children: programs started by argv (never through a shell) and watched by pidfd.
 *
 * A child inherits nothing but descriptors 0 to 2. Descriptors are O_CLOEXEC from birth. A child
 * that should outlive us (a postgres) gets a session of its own.
 */
#ifndef SLIPWAY_BASE_CHILD_H
#define SLIPWAY_BASE_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct child_conf {
	const char *const *argv; /* ends in NULL; argv[0] is a path, or looked up on PATH */
	const char *const *env; /* ends in NULL; added to ours. NULL: nothing to add */
	const char *dir; /* working folder; NULL: "/" */
	const char *log_path; /* both outputs are appended here (0600); NULL: see outputs */
	int out_fd; /* when log_path is NULL: where both outputs go; 0: ours */
	bool is_session; /* setsid: a signal at our terminal does not reach it */
	bool holds_signals; /* starts with child_stop_signals blocked, and lets them in when it can
				handle them: none is lost on a program that just starts */
	bool dies_with_us; /* SIGTERM when the thread that started it ends (PR_SET_PDEATHSIG) */
};

struct child {
	pid_t pid;
	int pidfd; /* readable when it has ended */
};

/* Those that ask a program to stop: SIGINT, SIGTERM, SIGHUP. */
void child_stop_signals(sigset_t *ret);

enum err_code child_start(const struct child_conf *c, struct child *ret, struct err *e);

/* A process that somebody else (an earlier self) started: a pidfd for it, if it still is the one
 * that started at start_ticks (field 22 of /proc/PID/stat). ERR_NOT_FOUND: it has gone. */
enum err_code child_adopt(pid_t pid, uint64_t start_ticks, struct child *ret, struct err *e);
enum err_code child_start_ticks(pid_t pid, uint64_t *ret, struct err *e);

/* Sends through the pidfd, so that a reused pid is never hit; a child that has gone is fine. */
enum err_code child_signal(const struct child *c, int signal, struct err *e);

/* Waits until it has ended, at most timeout_ms (-1: for ever): ERR_TIMEOUT. A real child is reaped;
 * *ret_status is as waitpid's, -1 for an adopted one. Closes the pidfd. */
enum err_code child_wait(struct child *c, int timeout_ms, int *ret_status, struct err *e);

/* Runs a program to its end, gives its outputs (at most max bytes, the rest is dropped), fails with
 * ERR_IO and the last line of them when it exits other than 0, ERR_TIMEOUT (and kills it) when
 * late. */
enum err_code child_run(
	struct arena *a, const struct child_conf *c, int timeout_ms, size_t max,
	struct str *ret_output, struct err *e);

/* Started as root: becomes `user` for good (groups, gid, uid, no way back, no new privileges). */
enum err_code child_drop_root(const char *user, struct err *e);

#endif
