/*
 * What little of SQL a proxy must see: which kind of command a text is, read by PostgreSQL's
 * lexical rules (documentation: "Lexical Structure": comments that nest, E'', dollar quotes, ...).
 *
 * Pure, linear in the text, no copy. It errs to the careful side: what it cannot tell is
 * PGSQL_OTHER, and is_read is true only for what surely changes nothing when it is run twice. What
 * it cannot see and takes for harmless: what views, operators and casts of the database do, and
 * functions of a user that bear a name of pg_catalog's. Not for client encodings whose characters
 * may hold a '\' (BIG5, GB18030, GBK, JOHAB, SHIFT_JIS_2004, SJIS, UHC): there all is PGSQL_OTHER.
 */
#ifndef SLIPWAY_CODEC_PGSQL_H
#define SLIPWAY_CODEC_PGSQL_H

#include "base/str.h"

enum { PGSQL_NAME = 64 }; /* bytes of a name, with its NUL byte: NAMEDATALEN */

enum pgsql_kind {
	PGSQL_EMPTY,
	PGSQL_BEGIN, /* BEGIN, START TRANSACTION */
	PGSQL_COMMIT, /* COMMIT, END, COMMIT PREPARED, PREPARE TRANSACTION */
	PGSQL_ROLLBACK, /* ROLLBACK, ABORT; not ROLLBACK TO, which is OTHER */
	PGSQL_READ, /* SELECT, VALUES, TABLE that is safe to repeat (pgsql_look says when) */
	PGSQL_DEALLOCATE, /* DEALLOCATE [PREPARE] name; name is set */
	PGSQL_DEALLOCATE_ALL, /* DEALLOCATE ALL, DISCARD ALL */
	PGSQL_LISTEN, /* LISTEN name; name is set */
	PGSQL_SHOW, /* SHOW anything: name is the rest. A read too */
	PGSQL_OTHER,
};

struct pgsql {
	enum pgsql_kind kind; /* of the first statement */
	bool is_single; /* nothing but white space, comments and ';' behind it */
	bool has_commit; /* any of its statements is PGSQL_COMMIT: an outcome hangs on it */
	bool is_read; /* each of its statements is PGSQL_READ or PGSQL_SHOW */
	struct str name; /* see kind; as it stands in the text: pgsql_name reads it */
};

/* A name as PostgreSQL takes it: case folded or quotes taken off, cut to 63 bytes of whole UTF-8
 * characters. False: it is none, or U&"...". */
bool pgsql_name(struct str text, char ret[PGSQL_NAME]);

/* A SELECT is a read that may be repeated if it has no INTO, FOR UPDATE/SHARE/..., no
 * data-changing WITH, and each name that stands before a '(' is a keyword of the grammar or a
 * function of a table of ours that is immutable or stable and changes nothing (count, sum, max,
 * coalesce, lower, now, to_char, generate_series, ...). backslash_escapes:
 * standard_conforming_strings is off. A text that ends in a comment or in quotes is OTHER: the
 * server refuses all of it. */
void pgsql_look(struct str sql, bool backslash_escapes, struct pgsql *ret);

#endif
