#include "agent/postmaster.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

/* Lines of postmaster.pid: src/include/utils/pidfile.h */
enum { LINE_PID = 1, LINE_STATUS = 8 };

static struct str line_at(struct str text, int n)
{
	struct str line = {0};

	for (int i = 0; i < n; i++)
		if (!str_split(&text, '\n', &line))
			return (struct str){0};
	return str_trim(line);
}

enum err_code postmaster_read(const char *data, struct postmaster *ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str text;
	enum err_code code =
		file_read(&a, arena_printf(&a, "%s/postmaster.pid", data), 4096, &text, e);
	uint64_t pid;

	if (code)
		return code;
	if (!str_to_u64(line_at(text, LINE_PID), &pid) || pid < 1 || pid > INT32_MAX)
		return err_set(e, ERR_NOT_FOUND, "'%s/postmaster.pid' has no pid", data);
	*ret = (struct postmaster){
		.pid = (pid_t)pid,
		.is_ready = str_is(line_at(text, LINE_STATUS), "ready"),
	};
	return ERR_OK;
}

static bool works_in(struct arena *a, pid_t pid, const char *data)
{
	char cwd[4096];
	ssize_t n = readlink(arena_printf(a, "/proc/%d/cwd", (int)pid), cwd, sizeof(cwd) - 1);
	CLEANUP(mem_drop) char *real = realpath(data, NULL);

	if (n < 0 || !real)
		return false;
	cwd[n] = '\0';
	return strcmp(cwd, real) == 0;
}

enum err_code postmaster_adopt(const char *data, struct child *ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct postmaster p;
	uint64_t ticks;
	enum err_code code = postmaster_read(data, &p, e);

	/* start time first: if the pid is reused behind it, the adoption fails */
	if (!code)
		code = child_start_ticks(p.pid, &ticks, e);
	if (!code && !works_in(&a, p.pid, data))
		code = err_set(e, ERR_NOT_FOUND, "no server runs in '%s'", data);
	return code ? code : child_adopt(p.pid, ticks, ret, e);
}

void postmaster_name(const struct child *c, char *ret, size_t size)
{
	uint64_t ticks = 0;

	child_start_ticks(c->pid, &ticks, NULL);
	snprintf(ret, size, "%d:%llu", (int)c->pid, (unsigned long long)ticks);
}
