/*
 * Prepared statements: each text once, however many clients prepare it.
 *
 * A struct stmt is a query and its parameter types, counted. A struct stmts is what one side knows:
 * a client by the names that it gave, a server by those that the gateway gives (stmt_name). One
 * thread.
 */
#ifndef SLIPWAY_GATEWAY_STMT_H
#define SLIPWAY_GATEWAY_STMT_H

#include "base/map.h"

struct stmt {
	struct stmt_table *table;
	uint64_t id;
	unsigned refs;
	uint32_t query_n, types_n;
	char text[]; /* the query, NUL, and behind it the types as Parse has them */
};

struct stmt_table {
	struct map texts;
	uint64_t last_id;
};

struct stmt *stmt_intern(struct stmt_table *t, struct str query, struct str types);
struct stmt *stmt_ref(struct stmt *s);
void stmt_drop(struct stmt *s); /* NULL is fine */
static inline struct str stmt_query(const struct stmt *s)
{
	return (struct str){s->text, s->query_n};
}
static inline struct str stmt_types(const struct stmt *s)
{
	return (struct str){s->text + s->query_n + 1, s->types_n};
}

enum { STMT_NAME = 24 };
/* What it is called on servers in transaction mode: "slipway_<id>"; returns ret. */
struct str stmt_name(const struct stmt *s, char ret[STMT_NAME]);
/* A name of a client's own that looks like one of these. */
bool stmt_is_ours(struct str name);

struct stmts {
	struct map names; /* NULL slots: nothing is allocated before the first */
};

void stmts_done(struct stmts *s);
struct stmt *stmts_get(const struct stmts *s, struct str name);
void stmts_put(struct stmts *s, struct str name, struct stmt *stmt); /* takes a reference */
void stmts_remove(struct stmts *s, struct str name);

#endif
