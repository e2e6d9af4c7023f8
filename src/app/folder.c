#include "app/folder.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/kubeconfig.h"

enum { FORMAT = 1, LOCK_STEP_MS = 20 };

const char *folder_file(struct arena *a, const struct folder *f, const char *name)
{
	return arena_printf(a, "%s/%s", f->path, name);
}

enum err_code folder_has_room(const struct folder *f, const char *below, struct err *e)
{
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	size_t used = strlen(below) + 1;

	if (strlen(f->path) + used <= most)
		return ERR_OK;
	return err_set(
		e, ERR_LIMIT,
		"'%s' is too long a path: the unix sockets below it leave room for %zu bytes; "
		"choose another --data",
		f->path, most - used);
}

static enum err_code absolute(struct arena *a, const char *path, const char **ret, struct err *e)
{
	CLEANUP(mem_drop) char *cwd = NULL;

	if (!path[0])
		return err_set(e, ERR_INVALID, "--data wants a folder, not an empty name");
	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return err_os(e, "find the current folder");
		path = arena_printf(a, "%s/%s", cwd, path);
	}
	/* it ends up in postgresql.conf and in connection strings */
	if (strpbrk(path, "'\",\\\n\r"))
		return err_set(
			e, ERR_INVALID,
			"'%s' cannot be a data folder: want a path without quotes, commas, "
			"backslashes and line ends",
			path);
	*ret = arena_strdup(a, path);
	return ERR_OK;
}

static enum err_code make_parent(struct arena *a, const char *path, struct err *e)
{
	char *parent = arena_strdup(a, path);
	char *slash = strrchr(parent, '/');

	while (slash > parent && !slash[1]) { /* "/x/" */
		*slash = '\0';
		slash = strrchr(parent, '/');
	}
	if (slash == parent)
		return ERR_OK;
	*slash = '\0';
	return dir_make(parent, 0755, e);
}

/* As root: a folder that is new, or empty and root's, becomes the user's; then so do we. */
static enum err_code become_user(const char *path, struct err *e)
{
	const struct passwd *pw = getpwnam(FOLDER_USER);
	struct stat st;

	if (!pw)
		return err_set(
			e, ERR_NOT_FOUND,
			"there is no user '" FOLDER_USER
			"' to run as instead of root: run script/setup, or 'useradd --system "
			"--home-dir /var/lib/slipway --shell /usr/sbin/nologin slipway'");
	if (stat(path, &st) < 0)
		return err_os(e, "look at '%s'", path);
	/* rmdir tells an empty folder from others without a race */
	if (st.st_uid == 0 && rmdir(path) == 0 &&
	    (mkdir(path, 0700) < 0 || lchown(path, pw->pw_uid, pw->pw_gid) < 0))
		return err_os(e, "make folder '%s'", path);
	return child_drop_root(FOLDER_USER, e);
}

static enum err_code check_owner(const char *path, struct err *e)
{
	const struct passwd *pw;
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == EACCES
			? err_set(e, ERR_FORBIDDEN,
				  "user '%s' may not enter the folders above '%s': choose another "
				  "--data",
				  (pw = getpwuid(geteuid())) ? pw->pw_name : "?", path)
			: err_os(e, "look at '%s'", path);
	if (st.st_uid != geteuid()) {
		pw = getpwuid(st.st_uid);
		return err_set(
			e, ERR_FORBIDDEN,
			"'%s' belongs to %s: want an empty folder, or one that is ours", path,
			pw ? pw->pw_name : "another user");
	}
	if ((st.st_mode & 077) && chmod(path, 0700) < 0)
		return err_os(e, "close '%s' to others", path);
	return ERR_OK;
}

static enum err_code check_format(struct arena *a, const struct folder *f, struct err *e)
{
	const char *path = folder_file(a, f, "format");
	enum err_code code;
	struct str text;
	uint64_t format;

	if (!file_exists(path))
		return file_write(path, 0600, str_of(arena_printf(a, "%d\n", FORMAT)), e);
	code = file_read(a, path, 100, &text, e);
	if (code)
		return code;
	if (!str_to_u64(str_trim(text), &format))
		return err_set(e, ERR_INVALID, "'%s' holds no number: is this our folder?", path);
	if (format > FORMAT)
		return err_set(
			e, ERR_CONFLICT,
			"'%s' was made by a newer slipway (format %llu; this is " SLIPWAY_VERSION
			", which knows %d): run that one",
			f->path, (unsigned long long)format, FORMAT);
	return ERR_OK;
}

static enum err_code
take_lock(struct arena *a, struct folder *f, const char *lock, int wait_ms, struct err *e)
{
	const char *path = folder_file(a, f, lock);
	int64_t deadline = clock_mono_ms() + wait_ms;
	enum err_code code;

	while ((code = file_lock(path, &f->lock_fd, e)) == ERR_CONFLICT) {
		if (clock_mono_ms() >= deadline)
			return err_set(
				e, ERR_CONFLICT,
				"another slipway runs on '%s' already (it holds %s)", f->path,
				lock);
		poll(NULL, 0, LOCK_STEP_MS); /* flock cannot wait with a deadline */
	}
	return code;
}

/* The folder itself, made if it is missing. */
static enum err_code make(struct arena *a, const char *path, struct err *e)
{
	enum err_code code = make_parent(a, path, e);

	if (code)
		return code;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_os(e, "make folder '%s'", path);
	return ERR_OK;
}

enum err_code folder_open(
	struct arena *a, const char *path, const char *lock, int wait_ms, struct folder *ret,
	struct err *e)
{
	struct folder f = {.lock_fd = -1};
	enum err_code code;

	code = absolute(a, path ? path : kubeconfig_home(a), &f.path, e);
	if (!code)
		code = make(a, f.path, e);
	if (!code && geteuid() == 0)
		code = become_user(f.path, e);
	if (!code)
		code = check_owner(f.path, e);
	if (!code)
		code = check_format(a, &f, e);
	if (!code)
		code = take_lock(a, &f, lock, wait_ms, e);
	if (!code)
		*ret = f;
	return code;
}
