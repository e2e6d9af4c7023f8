#include "agent/pgdata.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"

enum { INIT_MS = 120 * 1000 };

static enum seen_data PRINTF(2, 3) bad(char ret_why[SEEN_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret_why, SEEN_WHY, fmt, ap);
	va_end(ap);
	return SEEN_BAD;
}

static enum seen_data look_inside(const char *dir, int major, char ret_why[SEEN_WHY])
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str version;
	struct err e;
	uint64_t has = 0;

	if (file_read(&a, arena_printf(&a, "%s/PG_VERSION", dir), 64, &version, &e))
		return bad(ret_why, "its data folder is not one of PostgreSQL: %.300s", e.text);
	if (!str_to_u64(str_trim(version), &has) || (int)has != major)
		return bad(
			ret_why,
			"its data folder is of PostgreSQL " STR_FMT ", and %d is wanted: it is left"
			" as it is",
			STR_ARG(str_trim(version)), major);
	if (!file_exists(arena_printf(&a, "%s/global/pg_control", dir)))
		return bad(ret_why, "its data folder '%s' has no pg_control", dir);
	return file_exists(arena_printf(&a, "%s/standby.signal", dir)) ? SEEN_STANDBY
								       : SEEN_PRIMARY;
}

enum seen_data pgdata_look(const char *home, int major, char ret_why[SEEN_WHY])
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *dir = arena_printf(&a, "%s/data", home);
	struct stat st;

	ret_why[0] = '\0';
	if (lstat(dir, &st) < 0 && errno == ENOENT)
		return SEEN_NOTHING;
	if (stat(dir, &st) < 0)
		return bad(ret_why, "its data folder '%s': %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return bad(ret_why, "its data folder '%s' is no folder", dir);
	if (st.st_uid != geteuid())
		return bad(
			ret_why,
			"its data folder '%s' belongs to user %u, and the agent runs as %u: give "
			"it back with chown",
			dir, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & 027)
		return bad(
			ret_why,
			"its data folder '%s' has mode %04o, open to others: set it back to 0700",
			dir, (unsigned)(st.st_mode & 07777));
	return look_inside(dir, major, ret_why);
}

void pgdata_explain_full(const char *path, struct err *e)
{
	uint64_t bytes = 0;

	if (!strstr(e->text, strerror(ENOSPC)) && !strstr(e->text, strerror(EDQUOT)))
		return;
	file_free_bytes(path, &bytes, NULL);
	err_set(e, ERR_LIMIT,
		"the disk is full (%llu MiB are free at '%s'): make room, and it goes on by itself",
		(unsigned long long)(bytes >> 20), path);
}

static bool is_half_made(const char *name)
{
	return strncmp(name, "data.", 5) == 0;
}

static enum err_code sweep(const char *home, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	DIR *d = opendir(home);
	enum err_code code = ERR_OK;
	struct dirent *at;

	if (!d)
		return errno == ENOENT ? ERR_OK : err_os(e, "look into '%s'", home);
	while (!code && (at = readdir(d)))
		if (is_half_made(at->d_name))
			code = dir_remove(arena_printf(&a, "%s/%s", home, at->d_name), e);
	closedir(d);
	return code;
}

enum err_code pgdata_begin(struct arena *a, const char *home, const char **ret_dir, struct err *e)
{
	char *dir = arena_printf(a, "%s/data.XXXXXX", home);
	enum err_code code = sweep(home, e);

	if (code)
		return code;
	if (!mkdtemp(dir))
		return err_os(e, "make a folder in '%s'", home);
	*ret_dir = dir;
	return ERR_OK;
}

/* What initdb says has the reason in a line of its own, before "removing contents of ...". */
static void reason_of(struct str output, struct err *e)
{
	static const char hint[] = "Check free disk space";
	struct str rest = output, line;

	/* a server that could write half of a block does not name the error */
	if (memmem(output.p, output.n, hint, strlen(hint))) {
		err_set(e, ERR_LIMIT, "initdb failed: %s", strerror(ENOSPC));
		return;
	}
	while (str_split(&rest, '\n', &line)) {
		const char *fatal = line.n ? memmem(line.p, line.n, "FATAL:", 6) : NULL;

		if (fatal) {
			line.n -= (size_t)(fatal + 6 - line.p);
			line.p = fatal + 6;
		}
		if (fatal || str_cut_prefix(&line, "initdb: error: "))
			err_set(e, ERR_IO, "initdb failed: " STR_FMT, STR_ARG(str_trim(line)));
	}
}

enum err_code pgdata_init(const char *bin, const char *dir, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	/* our own sync comes after the configuration has been written too */
	const char *const argv[] = {
		arena_printf(&a, "%s/initdb", bin),
		"--pgdata",
		dir,
		"--username=postgres",
		"--data-checksums",
		"--encoding=UTF8",
		"--locale=C.UTF-8",
		"--text-search-config=simple",
		"--auth-local=peer",
		"--auth-host=reject",
		"--no-sync",
		NULL,
	};
	const char *log = arena_printf(&a, "%s.log", dir);
	const struct child_conf conf = {.argv = argv, .log_path = log, .dies_with_us = true};
	struct str output = {0};
	struct child child;
	enum err_code code;
	int status = 0;

	code = child_start(&conf, &child, e);
	if (code)
		return code;
	if (child_wait(&child, INIT_MS, &status, e)) {
		child_signal(&child, SIGKILL, NULL);
		child_wait(&child, -1, &status, NULL);
		code = err_set(e, ERR_TIMEOUT, "initdb did not end within %d s", INIT_MS / 1000);
	} else if (status != 0) {
		code = err_set(e, ERR_IO, "initdb failed");
		if (!file_read(&a, log, 1 << 20, &output, NULL))
			reason_of(output, e);
	}
	file_remove(log, NULL);
	return code;
}

static bool is_same(struct arena *a, const char *path, struct str text)
{
	struct str now;

	return file_read(a, path, text.n + 1, &now, NULL) == ERR_OK && str_eq(now, text);
}

static enum err_code write_plain(const char *path, struct str text, struct err *e)
{
	CLEANUP(fd_drop) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, text.p, text.n) < 0)
		return err_os(e, "write '%s'", path);
	return ERR_OK;
}

enum err_code pgdata_configure(
	const char *dir, const struct pgconf_file files[PGCONF_FILES], bool is_durable,
	struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};

	for (size_t i = 0; i < PGCONF_FILES; i++) {
		const char *path = arena_printf(&a, "%s/%s", dir, files[i].name);
		enum err_code code = ERR_OK;

		if (is_same(&a, path, files[i].text))
			continue;
		code = is_durable ? file_write(path, 0600, files[i].text, e)
				  : write_plain(path, files[i].text, e);
		if (code)
			return code;
	}
	return ERR_OK;
}

enum err_code pgdata_mark_standby(const char *dir, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};

	return write_plain(arena_printf(&a, "%s/standby.signal", dir), STR(""), e);
}

/* One call for the whole file system, a fifth of the time of a thousand fsyncs. It tells of write
 * errors since Linux 5.8. */
static enum err_code sync_all(const char *dir, struct err *e)
{
	CLEANUP(fd_drop) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fault_hit("pgdata.sync") || syncfs(fd) < 0)
		return err_os(e, "sync '%s'", dir);
	return ERR_OK;
}

static enum err_code publish(const char *home, const char *dir, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code = sync_all(dir, e);

	if (code)
		return code;
	if (fault_hit("pgdata.publish") || rename(dir, arena_printf(&a, "%s/data", home)) < 0)
		return err_os(e, "give '%s' its name", dir);
	return file_sync(home, e);
}

enum err_code pgdata_publish(const char *home, const char *dir, struct err *e)
{
	enum err_code code = publish(home, dir, e);

	if (code)
		dir_remove(dir, NULL);
	return code;
}

enum err_code pgdata_remove(const char *home, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code = sweep(home, e);

	return code ? code : dir_remove(arena_printf(&a, "%s/data", home), e);
}
