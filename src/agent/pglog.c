#include "agent/pglog.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"

enum { LOOK_BYTES = 64 << 10 };

uint64_t pglog_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static struct str lines_read(struct arena *a, const char *path, uint64_t offset)
{
	CLEANUP(fd_drop) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = arena_alloc(a, LOOK_BYTES + 1);
	ssize_t n = fd < 0 ? 0 : pread(fd, text, LOOK_BYTES, (off_t)offset);

	return (struct str){text, n > 0 ? (size_t)n : 0};
}

/* What stands behind "LOG:  " or the like. */
static struct str behind(struct str line, const char *level)
{
	const char *at = line.n ? memmem(line.p, line.n, level, strlen(level)) : NULL;

	if (!at)
		return (struct str){0};
	at += strlen(level);
	return str_trim((struct str){at, line.n - (size_t)(at - line.p)});
}

/* What a session is told when it is turned away. */
static bool is_of_session(struct str fatal)
{
	return str_starts(fatal, "the database system is ") ||
		str_starts(fatal, "password authentication ") ||
		str_starts(fatal, "no pg_hba.conf entry ") ||
		str_starts(fatal, "terminating connection ") ||
		str_starts(fatal, "terminating walreceiver ") ||
		str_starts(fatal, "sorry, too many clients ");
}

void pglog_reason(const char *path, uint64_t offset, char *ret, size_t size)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str rest = lines_read(&a, path, offset), line, last_log = {0};

	ret[0] = '\0';
	while (str_split(&rest, '\n', &line)) {
		struct str fatal = behind(line, "FATAL:");

		if (!fatal.n)
			fatal = behind(line, "PANIC:");
		if (is_of_session(fatal))
			continue;
		/* "configuration file contains errors" says less than the line before it */
		if (fatal.n && last_log.n && memmem(fatal.p, fatal.n, "contains errors", 15))
			fatal = last_log;
		if (fatal.n) {
			snprintf(ret, size, STR_FMT, STR_ARG(fatal));
			return;
		}
		if (behind(line, "LOG:").n)
			last_log = behind(line, "LOG:");
	}
}

bool pglog_says(const char *path, uint64_t offset, const char *text)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str lines = lines_read(&a, path, offset);

	return lines.n && memmem(lines.p, lines.n, text, strlen(text));
}

void pglog_rotate(const char *path)
{
	CLEANUP(mem_drop) char *old = mem_printf("%s.1", path);
	CLEANUP(fd_drop) int from = -1;
	CLEANUP(fd_drop) int to = -1;
	uint64_t left = pglog_size(path);

	if (left <= PGLOG_MAX)
		return;
	from = open(path, O_RDWR | O_CLOEXEC);
	to = open(old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (from >= 0 && to >= 0 && left > 0) {
		ssize_t n = sendfile(to, from, NULL, left);

		if (n <= 0)
			break;
		left -= (uint64_t)n;
	}
	/* cut also when it could not be kept: a full disk is worse */
	if (from < 0 || ftruncate(from, 0) < 0)
		log_warn("cannot cut a server's log", "path=%s", path);
}
