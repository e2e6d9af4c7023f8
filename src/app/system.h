/*
 * The system database of `slipway up`: made once, in <data>/system, then started or adopted.
 *
 * It listens on a unix socket in a folder of our own alone, where our user is its superuser by
 * peer. A server that a killed `up` left running is adopted by its pid file.
 */
#ifndef SLIPWAY_APP_SYSTEM_H
#define SLIPWAY_APP_SYSTEM_H

#include "app/folder.h"
#include "base/child.h"

struct system {
	const char *bin; /* folder of the programs */
	const char *data; /* PGDATA */
	const char *log;
	const char *conninfo; /* database slipway, user slipway */
	const char *conninfo_postgres; /* the same in database postgres */
};

/* Finds the programs of the major that the folder was made with (a new one: the newest), makes it
 * if it is not there (a killed attempt leaves nothing), and writes its settings. pg_path: folders
 * of programs with '*', ':' between; NULL: the usual ones. */
enum err_code system_open(
	struct arena *a, const struct folder *f, const char *pg_path, struct system *ret,
	struct err *e);

/* ERR_NOT_FOUND: none is running. */
enum err_code system_adopt(const struct system *s, struct child *ret, struct err *e);

/* ERR_OK once it answers and has its database. */
enum err_code system_is_ready(const struct system *s, struct err *e);

#endif
