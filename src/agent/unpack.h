/*
 * Unpack: writes a base backup's tar stream into a new folder, and notes what it wrote.
 *
 * Blocking: runs in a job. Nothing is synced here: pgdata_publish does that for the whole folder.
 * Fault point: "unpack.write".
 */
#ifndef SLIPWAY_AGENT_UNPACK_H
#define SLIPWAY_AGENT_UNPACK_H

#include "agent/manifest.h"
#include "agent/untar.h"

struct unpack {
	struct untar tar;
	struct manifest written;
	int dir_fd, file_fd;
	char path[UNTAR_PATH]; /* of the file that is being written */
	uint64_t bytes; /* of it, so far */
	uint64_t total_bytes; /* of all */
	uint32_t crc;
};

/* dir is empty; the folders and files get modes 0700 and 0600. */
enum err_code unpack_init(struct unpack *u, const char *dir, struct err *e);
void unpack_done(struct unpack *u);
enum err_code unpack_feed(struct unpack *u, struct str bytes, struct err *e);
enum err_code unpack_end(struct unpack *u, struct err *e);

#endif
