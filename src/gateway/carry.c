#include "gateway/carry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

/*
 * Rows of (kind, name, value, extra). role and session_authorization are not in pg_settings.
 * Statements made by SQL are made again by their own text; those of the protocol by Parse. An
 * advisory lock of the session is one that is held outside of a transaction.
 */
#define C "pg_catalog."
#define EQ " OPERATOR(pg_catalog.=) "
static const char question[] =
	"SELECT 's', name, setting, NULL FROM " C "pg_settings WHERE source" EQ "'session'"
	" UNION ALL SELECT 'r', 'role', " C "current_setting('role'), NULL WHERE " C
	"current_setting('role') OPERATOR(pg_catalog.<>) 'none'"
	" UNION ALL SELECT 'p', name, statement, " C
	"array_to_string(parameter_types::pg_catalog.oid[], ',') FROM " C
	"pg_prepared_statements WHERE NOT from_sql"
	" UNION ALL SELECT 'q', name, statement, NULL FROM " C
	"pg_prepared_statements WHERE from_sql"
	" UNION ALL SELECT 'l', c, NULL, NULL FROM " C "pg_listening_channels() AS c"
	" UNION ALL SELECT 'o', 'temporary tables', relname::pg_catalog.text, NULL FROM " C
	"pg_class WHERE relnamespace" EQ C "pg_my_temp_schema() AND relkind" EQ
	"ANY ('{r,p,v,S}'::pg_catalog.\"char\"[])"
	" UNION ALL SELECT 'o', 'cursors WITH HOLD', name, NULL FROM " C
	"pg_cursors WHERE is_holdable"
	" UNION ALL SELECT 'o', 'advisory locks', objid::pg_catalog.text, NULL FROM " C
	"pg_locks WHERE locktype" EQ "'advisory' AND pid" EQ C "pg_backend_pid()";

struct carry *carry_new(void)
{
	return mem_alloc(sizeof(struct carry));
}

void carry_free(struct carry *c)
{
	if (!c)
		return;
	buf_done(&c->rows);
	free(c);
}

bool carry_is_empty(const struct carry *c)
{
	return !c || c->rows.n == 0;
}

void carry_question(struct str custom, struct buf *ret_sql)
{
	struct str name;

	buf_puts(ret_sql, question);
	while (pgw_get_text(&custom, &name))
		buf_printf(
			ret_sql,
			" UNION ALL SELECT 's', '" STR_FMT "', " C "current_setting('" STR_FMT
			"', true), NULL WHERE " C "current_setting('" STR_FMT
			"', true) IS NOT NULL",
			STR_ARG(name), STR_ARG(name), STR_ARG(name));
}

static void keep(struct buf *b, struct str s)
{
	pgw_put_u32(b, s.p ? (uint32_t)s.n : UINT32_MAX);
	if (s.p)
		buf_str(b, s);
}

static bool kept(struct str *rest, struct str *ret)
{
	uint32_t n;

	if (!pgw_get_u32(rest, &n))
		return false;
	*ret = (struct str){NULL, 0};
	return n == UINT32_MAX || pgw_get_bytes(rest, n, ret);
}

static void note_row(struct carry *c, struct str body)
{
	struct str v[4] = {0}, rest;
	uint16_t n;

	if (!pgw_row(body, &n, &rest) || n != ARRAY_LEN(v)) {
		c->is_bad = true;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (!pgw_row_next(&rest, &v[i])) {
			c->is_bad = true;
			return;
		}
	if (v[0].n != 1 || !v[1].p)
		return;
	if (v[0].p[0] == 'o') {
		if (!c->obstacle[0])
			snprintf(
				c->obstacle, sizeof(c->obstacle), "%.*s (%.*s)", (int)v[1].n,
				v[1].p, (int)MIN(v[2].n, 64), v[2].p);
		return;
	}
	c->settings += v[0].p[0] == 's' || v[0].p[0] == 'r';
	c->statements += v[0].p[0] == 'p' || v[0].p[0] == 'q';
	c->channels += v[0].p[0] == 'l';
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		keep(&c->rows, v[i]);
}

void carry_note(struct carry *c, const struct pgw_msg *m)
{
	if (m->type == 'D')
		note_row(c, m->body);
	if (m->type != 'E')
		return;

	struct str text = pgw_field(m->body, 'M');

	c->is_bad = true;
	snprintf(
		c->obstacle, sizeof(c->obstacle), "its state could not be read (%.*s)",
		(int)MIN(text.n, 80), text.p ? text.p : "");
}

static void push(struct replies *r, enum reply_kind kind)
{
	replies_push(r, (struct reply){.kind = (uint8_t)kind, .is_own = true});
}

static void call(struct buf *out, struct replies *r, struct str sql, const struct str *v, size_t n)
{
	struct str none = STR("");

	pgw_put_parse(out, none, sql, STR("\0\0"));
	push(r, REPLY_PARSE);
	pgw_put_bind(out, none, none, v, n);
	push(r, REPLY_BIND);
	pgw_put_execute(out, none, 0);
	push(r, REPLY_EXECUTE);
}

static void listen_to(struct buf *out, struct replies *r, struct str channel)
{
	struct buf sql = {0};

	buf_puts(&sql, "LISTEN \"");
	for (size_t i = 0; i < channel.n; i++) {
		if (channel.p[i] == '"')
			buf_putc(&sql, '"');
		buf_putc(&sql, channel.p[i]);
	}
	buf_putc(&sql, '"');
	call(out, r, buf_view(&sql), NULL, 0);
	buf_done(&sql);
}

/* "23,25" as Parse has it. */
static void types_of(struct str list, struct buf *ret)
{
	struct str one;
	uint64_t oid;
	uint16_t n = 0;
	size_t at = ret->n;

	pgw_put_u16(ret, 0);
	while (list.n && str_split(&list, ',', &one))
		if (str_to_u64(one, &oid)) {
			pgw_put_u32(ret, (uint32_t)oid);
			n++;
		}
	ret->p[at] = (char)(n >> 8);
	ret->p[at + 1] = (char)n;
}

static void
prepare(struct buf *out, struct replies *r, const struct stmts *stmts, struct str name,
	struct str query, struct str types)
{
	struct stmt *known = stmts_get(stmts, name);
	struct buf oids = {0};

	if (known) {
		pgw_put_parse(out, name, stmt_query(known), stmt_types(known));
	} else {
		types_of(types, &oids);
		pgw_put_parse(out, name, query, buf_view(&oids));
	}
	buf_done(&oids);
	push(r, REPLY_PARSE);
}

/* Settings first: statements are read by the search path; the role last of them, since it may not
 * be allowed to set the others. */
void carry_replay(
	const struct carry *c, const struct stmts *stmts, struct replies *replies, struct buf *ret)
{
	static const char order[] = "srpql";

	for (const char *kind = order; *kind; kind++) {
		struct str rest = buf_view(&c->rows), v[4];

		while (rest.n) {
			for (size_t i = 0; i < ARRAY_LEN(v); i++)
				if (!kept(&rest, &v[i]))
					return;
			if (v[0].p[0] != *kind)
				continue;
			if (*kind == 's' || *kind == 'r')
				call(ret, replies,
				     STR("SELECT pg_catalog.set_config($1, $2, false)"), &v[1], 2);
			else if (*kind == 'p')
				prepare(ret, replies, stmts, v[1], v[2], v[3]);
			else if (*kind == 'q')
				call(ret, replies, v[2], NULL, 0);
			else
				listen_to(ret, replies, v[1]);
		}
	}
	pgw_put_sync(ret);
	push(replies, REPLY_SYNC);
}
