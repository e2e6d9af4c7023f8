/*
 * Files that are part of the binary (schemas, migrations, rules): made by script/embed at build
 * time. A table ends with an entry whose name is NULL; each file has a NUL byte behind its last
 * one.
 */
#ifndef SLIPWAY_BASE_EMBED_H
#define SLIPWAY_BASE_EMBED_H

#include "base/str.h"

struct embed {
	const char *name; /* "database.json" */
	struct str bytes;
};

#endif
