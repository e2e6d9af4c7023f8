#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fault.h"

void fd_drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t put = write(fd, at, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

/* Reads to the end; -1 with errno, EFBIG for more than max bytes. */
static ssize_t read_to_end(int fd, char *p, size_t max)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = read(fd, p + n, max + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			return (ssize_t)n;
		n += (size_t)got;
		if (n > max) {
			errno = EFBIG;
			return -1;
		}
	}
}

enum err_code
file_read(struct arena *a, const char *path, size_t max, struct str *ret, struct err *e)
{
	CLEANUP(fd_drop) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(mem_drop) char *bytes = NULL;
	struct stat st;
	ssize_t n = -1;
	size_t room;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		/* what /proc shows has no size */
		room = st.st_size > 0 ? MIN((size_t)st.st_size, max) : MIN((size_t)65536, max);
		bytes = mem_alloc(room + 2);
		n = read_to_end(fd, bytes, room);
		if (n < 0 && errno == EFBIG && room < max) { /* it grew, or has no size */
			bytes = mem_resize(bytes, max + 2);
			n = lseek(fd, 0, SEEK_SET) < 0 ? -1 : read_to_end(fd, bytes, max);
		}
	}
	if (n < 0)
		return err_os(e, "read '%s'", path);
	*ret = (struct str){arena_strndup(a, bytes, (size_t)n), (size_t)n};
	return ERR_OK;
}

static enum err_code sync_parent(const char *path, struct err *e)
{
	CLEANUP(mem_drop) char *dir = mem_strdup(path);
	char *slash = strrchr(dir, '/');

	if (slash)
		slash[slash == dir ? 1 : 0] = '\0';
	return file_sync(slash ? dir : ".", e);
}

enum err_code file_sync(const char *path, struct err *e)
{
	CLEANUP(fd_drop) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fault_hit("file.fsync") || fsync(fd) < 0)
		return err_os(e, "sync '%s'", path);
	return ERR_OK;
}

enum err_code file_write(const char *path, mode_t mode, struct str bytes, struct err *e)
{
	CLEANUP(mem_drop) char *temp = mem_printf("%s.XXXXXX", path);
	CLEANUP(fd_drop) int fd = mkostemp(temp, O_CLOEXEC);

	if (fd < 0)
		return err_os(e, "write '%s'", path);
	if (fchmod(fd, mode) < 0 || fd_write_all(fd, bytes.p, bytes.n) < 0 ||
	    fault_hit("file.fsync") || fsync(fd) < 0 || fault_hit("file.rename") ||
	    rename(temp, path) < 0) {
		err_os(e, "write '%s'", path);
		unlink(temp);
		return e ? e->code : ERR_IO;
	}
	return sync_parent(path, e);
}

bool file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

enum err_code file_remove(const char *path, struct err *e)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return ERR_OK;
		return err_os(e, "remove '%s'", path);
	}
	return sync_parent(path, e);
}

enum err_code dir_make(const char *path, mode_t mode, struct err *e)
{
	CLEANUP(mem_drop) char *part = mem_strdup(path);
	struct stat st;

	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return err_os(e, "make folder '%s'", part);
		*at = '/';
	}
	if (mkdir(part, mode) < 0 && errno != EEXIST)
		return err_os(e, "make folder '%s'", part);
	if (stat(part, &st) < 0)
		return err_os(e, "make folder '%s'", part);
	if (!S_ISDIR(st.st_mode))
		return err_set(
			e, ERR_EXISTS, "make folder '%s': there is a file of that name", part);
	return ERR_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

enum err_code dir_remove(const char *path, struct err *e)
{
	if (!file_exists(path))
		return ERR_OK;
	if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return err_os(e, "remove folder '%s'", path);
	return sync_parent(path, e);
}

enum err_code file_lock(const char *path, int *ret_fd, struct err *e)
{
	CLEANUP(fd_drop) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_os(e, "lock '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_CONFLICT, "'%s' is locked by another process", path);
		return err_os(e, "lock '%s'", path);
	}
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

enum err_code file_free_bytes(const char *path, uint64_t *ret, struct err *e)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return err_os(e, "look at the free space of '%s'", path);
	*ret = (uint64_t)fs.f_bavail * fs.f_frsize;
	return ERR_OK;
}
