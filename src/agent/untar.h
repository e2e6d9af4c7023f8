/*
 * Untar: unpacks a tar stream (ustar, as PostgreSQL's src/port/tar.c writes it) into calls.
 *
 * Pure: bytes in, in pieces of any size; folders, files and their bytes out, through the callbacks.
 * A path that is absolute, empty, or has a part ".", ".." or "" in it is refused, and so is every
 * type but regular file and folder: a link could lead later paths out of the folder. Extended
 * headers (pax, GNU) are not known: PostgreSQL writes none.
 */
#ifndef SLIPWAY_AGENT_UNTAR_H
#define SLIPWAY_AGENT_UNTAR_H

#include "base/err.h"
#include "base/str.h"

enum { UNTAR_BLOCK = 512, UNTAR_PATH = 257 };

/* Each returns ERR_OK to go on. path ends in a NUL byte, has no slash at its end. */
struct untar_ops {
	enum err_code (*folder)(void *arg, const char *path, struct err *e);
	enum err_code (*file)(void *arg, const char *path, uint64_t bytes, struct err *e);
	enum err_code (*data)(void *arg, struct str bytes, struct err *e);
	enum err_code (*file_end)(void *arg, struct err *e); /* after bytes of data */
};

struct untar {
	const struct untar_ops *ops;
	void *arg;
	unsigned char head[UNTAR_BLOCK];
	size_t head_n;
	uint64_t left; /* bytes of the file's data that have not come yet */
	uint64_t padding; /* bytes to skip behind them */
	bool is_in_file;
	bool is_over; /* a block of zeros was seen: the rest is ignored */
};

void untar_init(struct untar *u, const struct untar_ops *ops, void *arg);
enum err_code untar_feed(struct untar *u, struct str bytes, struct err *e);

/* At the end of the stream: ERR_INVALID when it ended inside of something. */
enum err_code untar_end(const struct untar *u, struct err *e);

#endif
