/*
 * The inside of codec/pgsql: SQL as tokens, by PostgreSQL's scan.l, and the names that may stand
 * before a parenthesis. For pgsql*.c and their tests alone. Pure; tokens point into the text.
 */
#ifndef SLIPWAY_CODEC_PGSQL_LEX_H
#define SLIPWAY_CODEC_PGSQL_LEX_H

#include "base/str.h"

enum pgsql_token {
	PGSQL_T_END,
	PGSQL_T_WORD, /* a keyword, or a name without quotes */
	PGSQL_T_QUOTED, /* "name", with its quotes; U&"name" too */
	PGSQL_T_STRING, /* of any kind, dollar quotes too */
	PGSQL_T_NUMBER, /* its digits alone: what follows them is a word, as in 1e5 */
	PGSQL_T_PARAM, /* $1 */
	PGSQL_T_CHAR, /* any other single character */
};

struct pgsql_lex {
	const char *p, *end; /* what is still to be read */
	bool backslash_escapes;
	bool is_cut; /* a comment, string or name has no end: the server refuses the whole text */
};

struct pgsql_tok {
	enum pgsql_token type;
	struct str text;
};

/* Behind the last token: PGSQL_T_END, each time. */
struct pgsql_tok pgsql_lex_next(struct pgsql_lex *l);

/* The word, which is in lower case, is what the token says. */
bool pgsql_tok_is(const struct pgsql_tok *t, const char *word);
bool pgsql_tok_is_char(const struct pgsql_tok *t, char c);

/* Functions of pg_catalog that change nothing, and words of the grammar of a SELECT and its types:
 * in order, in lower case. */
extern const char *const pgsql_safe_names[];
extern const size_t pgsql_safe_names_n;
bool pgsql_is_safe_name(struct str word);

#endif
