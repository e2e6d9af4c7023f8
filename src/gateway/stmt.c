#include "gateway/stmt.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

/* Keys of the table: types first, since the query's length is not fixed. */
static struct str key(struct buf *b, struct str query, struct str types)
{
	buf_str(b, query);
	buf_putc(b, 0);
	buf_str(b, types);
	return buf_view(b);
}

struct stmt *stmt_intern(struct stmt_table *t, struct str query, struct str types)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct str text = key(&b, query, types);
	struct stmt *s = map_get(&t->texts, text);

	if (s)
		return stmt_ref(s);
	s = mem_alloc(sizeof(*s) + text.n);
	s->table = t;
	s->id = ++t->last_id;
	s->refs = 1;
	s->query_n = (uint32_t)query.n;
	s->types_n = (uint32_t)types.n;
	memcpy(s->text, text.p, text.n);
	(void)map_put(&t->texts, text, s);
	return s;
}

struct stmt *stmt_ref(struct stmt *s)
{
	s->refs++;
	return s;
}

void stmt_drop(struct stmt *s)
{
	if (!s || --s->refs > 0)
		return;
	(void)map_remove(
		&s->table->texts, (struct str){s->text, (size_t)s->query_n + 1 + s->types_n});
	free(s);
}

#define PREFIX "slipway_"

struct str stmt_name(const struct stmt *s, char ret[STMT_NAME])
{
	int n = snprintf(ret, STMT_NAME, PREFIX "%llx", (unsigned long long)s->id);

	return (struct str){ret, (size_t)n};
}

bool stmt_is_ours(struct str name)
{
	return str_starts(name, PREFIX);
}

void stmts_done(struct stmts *s)
{
	map_for_each (slot, &s->names)
		stmt_drop(slot->value);
	map_done(&s->names);
}

struct stmt *stmts_get(const struct stmts *s, struct str name)
{
	return s->names.n ? map_get(&s->names, name) : NULL;
}

void stmts_put(struct stmts *s, struct str name, struct stmt *stmt)
{
	stmt_drop(map_put(&s->names, name, stmt_ref(stmt)));
}

void stmts_remove(struct stmts *s, struct str name)
{
	if (s->names.n)
		stmt_drop(map_remove(&s->names, name));
}
