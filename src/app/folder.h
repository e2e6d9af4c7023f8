/*
 * Folder: the data folder of a process that runs a part of the platform.
 *
 * Started by root, the folder is made and given to the user `slipway`, and the process becomes that
 * user for good. A folder has one process of each sort at a time (a lock), belongs to us alone
 * (0700), and has a format: one that a newer version made is refused. Once, at start, on the main
 * thread.
 */
#ifndef SLIPWAY_APP_FOLDER_H
#define SLIPWAY_APP_FOLDER_H

#include "base/arena.h"
#include "base/err.h"

#define FOLDER_USER "slipway"

struct folder {
	const char *path; /* absolute, in the arena */
	int lock_fd; /* -1: none taken */
};

/* path NULL: the default (cli/kubeconfig.h knows it). lock is a file in it ("up.lock"), waited for
 * up to wait_ms, since the last one may be ending. ERR_CONFLICT: another process has it.
 * ERR_FORBIDDEN: the folder is somebody else's. The lock is held until the process ends. */
enum err_code folder_open(
	struct arena *a, const char *path, const char *lock, int wait_ms, struct folder *ret,
	struct err *e);

/* A unix socket's path has at most 107 bytes: is there room for one at folder/below? ERR_LIMIT. */
enum err_code folder_has_room(const struct folder *f, const char *below, struct err *e);

/* folder/name, in the arena. */
const char *folder_file(struct arena *a, const struct folder *f, const char *name);

#endif
