#include "gateway/loss.h"

#include "codec/pgsql.h"
#include "codec/pgwire.h"

struct words {
	bool is_read, has_commit;
};

static void look(struct words *w, struct str sql, bool is_quoting)
{
	struct pgsql q;

	pgsql_look(sql, is_quoting, &q);
	w->is_read &= q.is_read;
	w->has_commit |= q.has_commit;
}

static void look_bound(struct words *w, const struct loss_view *v, struct str body)
{
	struct str portal, name, rest;
	const struct stmt *s;

	if (!pgw_bind_read(body, &portal, &name, &rest)) {
		w->is_read = false;
		w->has_commit = true;
		return;
	}
	s = name.n ? stmts_get(v->stmts, name) : v->unnamed;
	if (s) {
		look(w, stmt_query(s), v->is_quoting);
		return;
	}
	/* made by SQL, or not at all: nobody knows what it does */
	w->is_read = false;
	w->has_commit = true;
}

static struct words look_batch(const struct loss_view *v)
{
	struct words w = {.is_read = v->is_whole, .has_commit = !v->is_whole};
	struct str rest = v->batch, query, name, types;
	struct pgw_msg m;
	size_t used;

	while (rest.n && pgw_next(rest, UINT32_MAX, &m, &used) == PGW_MSG) {
		rest.p += used;
		rest.n -= used;
		if (m.type == 'Q' && pgw_get_text(&m.body, &query))
			look(&w, query, v->is_quoting);
		else if (m.type == 'P' && pgw_parse_read(m.body, &name, &query, &types))
			look(&w, query, v->is_quoting);
		else if (m.type == 'B')
			look_bound(&w, v, m.body);
		else if (m.type == 'F' || m.type == 'd' || m.type == 'c' || m.type == 'f')
			w.is_read = false;
	}
	if (rest.n)
		w = (struct words){.is_read = false, .has_commit = true};
	return w;
}

enum loss loss_of(const struct loss_view *v)
{
	struct words w;

	if (!v->is_at_work)
		return v->is_in_transaction ? LOSS_OWED : LOSS_NOTHING;
	w = look_batch(v);
	if (v->is_in_transaction)
		return w.has_commit ? LOSS_UNKNOWN : LOSS_ROLLED_BACK;
	if (!w.is_read)
		return LOSS_UNKNOWN;
	return v->has_answered ? LOSS_ROLLED_BACK : LOSS_AGAIN;
}

static struct pgsql first(char type, struct str body)
{
	struct pgsql q = {.kind = PGSQL_OTHER};
	struct str name, query, types;

	if (type == 'Q' && pgw_get_text(&body, &query))
		pgsql_look(query, false, &q);
	else if (type == 'P' && pgw_parse_read(body, &name, &query, &types))
		pgsql_look(query, false, &q);
	return q;
}

bool loss_is_rollback(char type, struct str body)
{
	struct pgsql q = first(type, body);

	return q.kind == PGSQL_ROLLBACK && q.is_single;
}

bool loss_is_commit(char type, struct str body)
{
	return first(type, body).kind == PGSQL_COMMIT;
}
