/*
 * Files and folders: whole reads, writes that survive a power cut, folders made and removed.
 *
 * Every descriptor is O_CLOEXEC from birth. A write goes to a temporary file in the same folder,
 * is synced, renamed, and its folder synced, so that a reader sees the old bytes or the new ones.
 */
#ifndef SLIPWAY_BASE_FILE_H
#define SLIPWAY_BASE_FILE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* For CLEANUP on a descriptor; -1 is nothing. */
void fd_drop(int *fd);

/* All n bytes, also through short writes and EINTR. Says -1 with errno. */
int fd_write_all(int fd, const void *p, size_t n);

/* The bytes live as long as the arena, with a NUL behind them; ERR_LIMIT over max bytes,
 * ERR_NOT_FOUND where there is no file. */
enum err_code
file_read(struct arena *a, const char *path, size_t max, struct str *ret, struct err *e);

/* Durable and atomic. Fault points: "file.fsync", "file.rename". */
enum err_code file_write(const char *path, mode_t mode, struct str bytes, struct err *e);

bool file_exists(const char *path);

/* Removes a file that may be missing, and syncs its folder. */
enum err_code file_remove(const char *path, struct err *e);

/* Syncs a file's or folder's own metadata. */
enum err_code file_sync(const char *path, struct err *e);

/* Makes the folder and its missing parents with this mode. */
enum err_code dir_make(const char *path, mode_t mode, struct err *e);

/* Removes the folder and all below it, never following a link; a missing one is fine. */
enum err_code dir_remove(const char *path, struct err *e);

/* Takes the exclusive lock that lives as long as the descriptor (which no child inherits);
 * ERR_CONFLICT when somebody else holds it. */
enum err_code file_lock(const char *path, int *ret_fd, struct err *e);

/* Free bytes for an unprivileged writer on the file system that holds path. */
enum err_code file_free_bytes(const char *path, uint64_t *ret, struct err *e);

#endif
