/*
 * PostgreSQL parameters: what each major accepts, and what the platform lets people set.
 *
 * The table is made from real servers (script/parameters, kinds/parameters.tsv), read once at start
 * and then only read: any thread. Names are compared without regard to case, as PostgreSQL does.
 */
#ifndef SLIPWAY_KINDS_PARAMETER_H
#define SLIPWAY_KINDS_PARAMETER_H

#include "base/arena.h"
#include "base/err.h"

enum parameter_context {
	PARAMETER_RELOAD, /* in effect after a reload, or in new sessions */
	PARAMETER_RESTART,
	PARAMETER_INTERNAL, /* cannot be set */
	PARAMETER_DEVELOPER, /* can damage data */
};

enum parameter_type {
	PARAMETER_BOOL,
	PARAMETER_INTEGER,
	PARAMETER_REAL,
	PARAMETER_ENUM,
	PARAMETER_STRING,
};

struct parameter {
	const char *name; /* as PostgreSQL spells it */
	uint32_t majors; /* bit n: major n */
	enum parameter_context context;
	enum parameter_type type;
	const char *unit; /* of a number without one: "8kB", "ms"; "" for none */
	double min, max;
	const char *values; /* of an enum, "a,b,c" */
};

enum { PARAMETER_MAJOR_MIN = 10, PARAMETER_MAJOR_MAX = 18 };

/* Reads the embedded table; once, before threads start. */
enum err_code parameter_init(struct err *e);

/* "15" as a number; 0 where it is no major that the table knows. */
int parameter_major(const char *version);

/* NULL: a server of this major does not know it. */
const struct parameter *parameter_find(int major, const char *name);

/* Does a server of this major take the value? A sentence in the arena when not, NULL when it does.
 */
const char *
parameter_check(struct arena *a, int major, const struct parameter *p, const char *value);

/* Why people may not set it (to this value); NULL: they may. */
const char *parameter_refusal(struct arena *a, const char *name, const char *value);

/* The number that PostgreSQL would read, in the unit of the parameter; false where it is none. */
bool parameter_number(const struct parameter *p, const char *value, double *ret);

#endif
