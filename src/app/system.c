#include "app/system.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "db/db.h"

enum { MAJOR_MIN = 14, INITDB_MS = 120 * 1000, ASK_MS = 5000, PID_FILE_MAX = 4096 };

static const char usual_places[] = "/usr/lib/postgresql/*/bin:/opt/slipway/postgresql/*/bin";

/* The major of the programs in bin, asked from themselves; 0: there are none that work. */
static int bin_major(const char *bin)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *argv[] = {arena_printf(&a, "%s/postgres", bin), "--version", NULL};
	const struct child_conf c = {.argv = argv};
	uint64_t major = 0;
	struct str said;

	if (access(argv[0], X_OK) < 0 || access(arena_printf(&a, "%s/initdb", bin), X_OK) < 0)
		return 0;
	if (child_run(&a, &c, ASK_MS, 1000, &said, NULL) != ERR_OK ||
	    !str_cut_prefix(&said, "postgres (PostgreSQL) "))
		return 0;
	said.n = strspn(said.p, "0123456789");
	return str_to_u64(said, &major) && major < 1000 ? (int)major : 0;
}

struct programs {
	const char *bin;
	int major;
};

/* Of the folders that one pattern matches: those of the wanted major (0: the newest). */
static void pattern_search(struct arena *a, const char *pattern, int wanted, struct programs *best)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int major = bin_major(found.gl_pathv[i]);

		if (major <= best->major || major < MAJOR_MIN || (wanted && major != wanted))
			continue;
		*best = (struct programs){arena_strdup(a, found.gl_pathv[i]), major};
	}
	globfree(&found);
}

/* The first place that has any: a distribution's own programs before others. */
static enum err_code
programs_find(struct arena *a, const char *places, int wanted, const char **ret, struct err *e)
{
	struct str rest = str_of(places), pattern;
	struct programs best = {NULL, 0};

	while (!best.bin && str_split(&rest, ':', &pattern))
		pattern_search(a, arena_strndup(a, pattern.p, pattern.n), wanted, &best);
	if (!best.bin && wanted)
		return err_set(
			e, ERR_NOT_FOUND,
			"the system database was made by PostgreSQL %d, which is not installed "
			"(looked in %s)",
			wanted, places);
	if (!best.bin)
		return err_set(
			e, ERR_NOT_FOUND,
			"the system database needs PostgreSQL %d or newer, and none is installed "
			"(looked in %s): run script/setup",
			MAJOR_MIN, places);
	*ret = best.bin;
	return ERR_OK;
}

/* 0: there is no data folder yet. */
static int data_major(struct arena *a, const char *data)
{
	uint64_t major;
	struct str text;

	if (file_read(a, arena_printf(a, "%s/PG_VERSION", data), 100, &text, NULL) != ERR_OK ||
	    !str_to_u64(str_trim(text), &major))
		return 0;
	return (int)major;
}

static enum err_code conf_write(struct arena *a, const char *data, const char *run, struct err *e)
{
	CLEANUP(buf_done) struct buf out = {0};

	buf_puts(&out, "# Written by slipway at each start.\n\n");
	buf_str(&out, db_system_conf());
	buf_printf(
		&out,
		"\nlisten_addresses = ''\nport = 5432\nunix_socket_directories = '%s'\n"
		"unix_socket_permissions = 0700\npassword_encryption = 'scram-sha-256'\n",
		run);
	return file_write(arena_printf(a, "%s/slipway.conf", data), 0600, buf_view(&out), e);
}

static enum err_code include_add(struct arena *a, const char *data, struct err *e)
{
	const char *path = arena_printf(a, "%s/postgresql.conf", data);
	enum err_code code;
	struct str text;

	code = file_read(a, path, 1 << 20, &text, e);
	if (code)
		return code;
	return file_write(
		path, 0600,
		str_of(arena_printf(a, STR_FMT "\ninclude 'slipway.conf'\n", STR_ARG(text))), e);
}

/* Who may come in: we alone by the socket; by TCP, should it be opened, by password. */
static enum err_code access_write(struct arena *a, const char *data, struct err *e)
{
	static const char hba[] = "# Written by slipway when it made this server.\n"
				  "local all all peer map=owner\n"
				  "host all all 127.0.0.1/32 scram-sha-256\n"
				  "host all all ::1/128 scram-sha-256\n";
	const struct passwd *pw = getpwuid(geteuid());
	enum err_code code;

	if (!pw)
		return err_os(e, "look up user %u", (unsigned)geteuid());
	code = file_write(arena_printf(a, "%s/pg_hba.conf", data), 0600, str_of(hba), e);
	if (!code)
		code = file_write(
			arena_printf(a, "%s/pg_ident.conf", data), 0600,
			str_of(arena_printf(a, "owner \"%s\" slipway\n", pw->pw_name)), e);
	return code;
}

static enum err_code initdb(struct arena *a, const char *bin, const char *data, struct err *e)
{
	const char *const argv[] = {
		arena_printf(a, "%s/initdb", bin),
		"--pgdata",
		data,
		"--username=slipway",
		"--data-checksums",
		"--encoding=UTF8",
		"--locale=C",
		"--auth-local=peer",
		"--auth-host=scram-sha-256",
		"--no-instructions",
		NULL,
	};
	const struct child_conf c = {.argv = argv};
	struct str said;

	return child_run(a, &c, INITDB_MS, 64 * 1024, &said, e);
}

/* Made beside its place and moved there when it is whole. */
static enum err_code make(struct arena *a, const char *bin, const char *data, struct err *e)
{
	const char *temp = arena_printf(a, "%s.new", data);
	enum err_code code = dir_remove(temp, e);

	if (!code)
		code = initdb(a, bin, temp, e);
	if (!code)
		code = include_add(a, temp, e);
	if (!code)
		code = access_write(a, temp, e);
	if (code)
		return err_wrap(e, "make the system database");
	if (rename(temp, data) < 0)
		return err_os(e, "make the system database: rename '%s'", temp);
	log_info("system database made", "bin=%s", bin);
	return file_sync(arena_printf(a, "%s/..", data), e);
}

enum err_code system_open(
	struct arena *a, const struct folder *f, const char *pg_path, struct system *ret,
	struct err *e)
{
	const char *run = folder_file(a, f, "system/run");
	const char *socket = arena_printf(a, "host='%s' port=5432 user=slipway dbname=", run);
	struct system s = {
		.data = folder_file(a, f, "system/data"),
		.log = folder_file(a, f, "log/system.log"),
		.conninfo = arena_printf(a, "%sslipway", socket),
		.conninfo_postgres = arena_printf(a, "%spostgres", socket),
	};
	int major = data_major(a, s.data);
	enum err_code code;

	code = folder_has_room(f, "system/run/.s.PGSQL.5432", e);
	if (!code)
		code = programs_find(a, pg_path ? pg_path : usual_places, major, &s.bin, e);
	if (!code)
		code = dir_make(run, 0700, e);
	if (!code && !major)
		code = make(a, s.bin, s.data, e);
	if (!code)
		code = conf_write(a, s.data, run, e);
	if (!code)
		*ret = s;
	return code;
}

/* A postmaster works in its data folder: a reused pid does not. */
static bool is_in(pid_t pid, const char *data)
{
	CLEANUP(mem_drop) char *link = mem_printf("/proc/%d/cwd", (int)pid);
	CLEANUP(mem_drop) char *its = realpath(link, NULL);
	CLEANUP(mem_drop) char *ours = realpath(data, NULL);

	return its && ours && strcmp(its, ours) == 0;
}

enum err_code system_adopt(const struct system *s, struct child *ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *path = arena_printf(&a, "%s/postmaster.pid", s->data);
	struct str rest, line = {0};
	enum err_code code;
	uint64_t pid, ticks;

	code = file_read(&a, path, PID_FILE_MAX, &rest, e);
	if (code)
		return code;
	str_split(&rest, '\n', &line);
	if (!str_to_u64(str_trim(line), &pid) || pid < 2 || pid > INT32_MAX)
		return err_set(e, ERR_NOT_FOUND, "'%s' names no process", path);
	/* the time first: then is_in and adopt speak of the same process, or adopt fails */
	code = child_start_ticks((pid_t)pid, &ticks, e);
	if (code)
		return code;
	if (!is_in((pid_t)pid, s->data))
		return err_set(e, ERR_NOT_FOUND, "'%s' names another program", path);
	return child_adopt((pid_t)pid, ticks, ret, e);
}

static enum err_code database_make(struct db *d, struct err *e)
{
	struct db_rows rows;
	enum err_code code;
	bool is_there;

	code = db_exec(d, "SELECT 1 FROM pg_database WHERE datname = 'slipway'", NULL, 0, &rows, e);
	if (code)
		return code;
	is_there = rows.n > 0;
	db_rows_done(&rows);
	return is_there ? ERR_OK : db_exec(d, "CREATE DATABASE slipway", NULL, 0, NULL, e);
}

enum err_code system_is_ready(const struct system *s, struct err *e)
{
	enum err_code code;
	struct db *d;

	code = db_open(s->conninfo_postgres, ASK_MS, &d, e);
	if (code)
		return code;
	code = database_make(d, e);
	db_close(d);
	return code;
}
