#include "agent/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/crc32c.h"
#include "base/fault.h"
#include "base/file.h"

static enum err_code on_folder(void *arg, const char *path, struct err *e)
{
	struct unpack *u = arg;

	if (mkdirat(u->dir_fd, path, 0700) < 0 && errno != EEXIST)
		return err_os(e, "base backup: make folder '%s'", path);
	return ERR_OK;
}

static enum err_code on_file(void *arg, const char *path, uint64_t bytes, struct err *e)
{
	struct unpack *u = arg;

	(void)bytes;
	snprintf(u->path, sizeof(u->path), "%s", path);
	u->bytes = 0;
	u->crc = 0;
	u->file_fd =
		openat(u->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (u->file_fd < 0)
		return err_os(e, "base backup: write '%s'", path);
	return ERR_OK;
}

static enum err_code on_data(void *arg, struct str bytes, struct err *e)
{
	struct unpack *u = arg;

	if (fault_hit("unpack.write") || fd_write_all(u->file_fd, bytes.p, bytes.n) < 0)
		return err_os(e, "base backup: write '%s'", u->path);
	u->crc = crc32c(u->crc, bytes);
	u->bytes += bytes.n;
	u->total_bytes += bytes.n;
	return ERR_OK;
}

static enum err_code on_file_end(void *arg, struct err *e)
{
	struct unpack *u = arg;

	if (close(u->file_fd) < 0) {
		u->file_fd = -1;
		return err_os(e, "base backup: write '%s'", u->path);
	}
	u->file_fd = -1;
	return manifest_add(&u->written, u->path, u->bytes, u->crc, e);
}

static const struct untar_ops ops = {
	.folder = on_folder,
	.file = on_file,
	.data = on_data,
	.file_end = on_file_end,
};

enum err_code unpack_init(struct unpack *u, const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_os(e, "base backup: folder '%s'", dir);
	*u = (struct unpack){.dir_fd = fd, .file_fd = -1};
	untar_init(&u->tar, &ops, u);
	return ERR_OK;
}

void unpack_done(struct unpack *u)
{
	fd_drop(&u->file_fd);
	fd_drop(&u->dir_fd);
	manifest_done(&u->written);
}

enum err_code unpack_feed(struct unpack *u, struct str bytes, struct err *e)
{
	return untar_feed(&u->tar, bytes, e);
}

enum err_code unpack_end(struct unpack *u, struct err *e)
{
	return untar_end(&u->tar, e);
}
