/*
 * Manifest: a base backup's list of files with their checksums (PostgreSQL's documentation, "Backup
 * Manifest Format"), held against what was written.
 *
 * Pure, but for the memory of the struct. A file that is missing, too many, of another size or
 * another CRC-32C is an error that names it; so is a manifest that has been changed or cut off.
 */
#ifndef SLIPWAY_AGENT_MANIFEST_H
#define SLIPWAY_AGENT_MANIFEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

struct manifest_file;

/* What was written so far. */
struct manifest {
	struct arena arena;
	struct map files;
};

void manifest_done(struct manifest *m);

/* ERR_EXISTS: that path was written before. */
enum err_code
manifest_add(struct manifest *m, const char *path, uint64_t bytes, uint32_t crc, struct err *e);

enum err_code manifest_check(struct manifest *m, struct str text, struct err *e);

#endif
