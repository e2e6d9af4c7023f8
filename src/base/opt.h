/*
 * Command lines from tables: one table per verb gives the parser, --help, completion and the
 * reference page.
 *
 *   --name VALUE, --name=VALUE, -n VALUE, flags without a value, "--" ends options.
 * An unknown option, a missing value and a value that does not fit are errors that name it.
 */
#ifndef SLIPWAY_BASE_OPT_H
#define SLIPWAY_BASE_OPT_H

#include "base/err.h"
#include "base/str.h"

enum opt_type { OPT_FLAG, OPT_STR, OPT_INT, OPT_STRS /* may be given many times */ };

enum { OPT_STRS_MAX = 64, OPT_ARGS_MAX = 64 };

struct opt_strs {
	const char *v[OPT_STRS_MAX];
	size_t n;
};

/* One option; a table of them ends with one whose name is NULL. */
struct opt {
	const char *name; /* "data" for --data */
	char letter; /* 'n' for -n; 0: none */
	enum opt_type type;
	size_t offset; /* of bool, const char *, int64_t or struct opt_strs in the caller's struct
			*/
	const char *value; /* "DIR": how help names it; "table|json": it must be one of these */
	const char *help; /* one sentence */
	int64_t min, max; /* of OPT_INT; both 0: any */
};

/* One verb of the program; a table of them ends with one whose name is NULL. */
struct opt_verb {
	const char *name; /* "credentials rotate" has a space: two words */
	/* "KIND [NAME]"; for completion, KIND is any kind, NAME is one of that kind, DATABASE and
	 * the like are names of databases, FILE a file, bash|zsh one of these words. */
	const char *args;
	const char *help; /* one sentence */
	const char *examples; /* lines, each "slipway …   # what it does" */
	const char *exits; /* lines, each "0  …"; NULL: 0 fine, 1 error */
	const struct opt *opts;
	size_t args_min, args_max; /* positional arguments */
	int (*run)(const struct opt_verb *v, const void *values, char **args, size_t n);
	size_t values_bytes; /* of the struct that the offsets point into; zeroed before */
	void (*defaults)(void *values); /* NULL: none */
};

/* Parses argv (without the verb's words) into values; positional ones into args. */
enum err_code opt_parse(
	const struct opt_verb *v, int argc, char **argv, void *values, char *ret_args[OPT_ARGS_MAX],
	size_t *ret_n, struct err *e);

/* Finds the verb by the first word or two; NULL: none. *ret_words says how many it took. */
const struct opt_verb *
opt_find(const struct opt_verb *verbs, int argc, char **argv, int *ret_words);

/* Is there a --help or -h before any "--"? */
bool opt_wants_help(int argc, char **argv);

void opt_help(struct buf *out, const struct opt_verb *v);
void opt_help_all(struct buf *out, const struct opt_verb *verbs);

/* Scripts that complete verbs, options and (through `slipway get -o name`) names. */
enum err_code
opt_completion(struct buf *out, const struct opt_verb *verbs, const char *shell, struct err *e);

/* The reference page in Markdown. */
void opt_reference(struct buf *out, const struct opt_verb *verbs);

#endif
