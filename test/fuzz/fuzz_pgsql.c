/* The tokens of a text lie in it, one behind the other; a statement that is a read alone is one
 * behind another read, and a write behind it makes it none. */
#include "base/arena.h"
#include "codec/pgsql.h"
#include "codec/pgsql_lex.h"
#include "fuzz.h"

static bool tokens_read(struct str sql, bool escapes)
{
	struct pgsql_lex l = {sql.p, sql.p + sql.n, escapes, false};
	const char *at = sql.p;

	for (size_t n = 0;; n++) {
		struct pgsql_tok t = pgsql_lex_next(&l);

		assert(n <= sql.n && t.text.p >= at && t.text.p + t.text.n <= sql.p + sql.n);
		at = t.text.p + t.text.n;
		if (t.type == PGSQL_T_END)
			break;
		assert(t.text.n);
	}
	assert(l.p == l.end);
	return !l.is_cut;
}

static void behind(struct str sql, const char *more, bool escapes, struct pgsql *ret)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_str(&b, sql);
	buf_puts(&b, more);
	pgsql_look(buf_view(&b), escapes, ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool escapes = n && data[0] == '!', is_whole;
	struct str sql = {(const char *)data + escapes, n - escapes};
	struct pgsql look, more;
	char name[PGSQL_NAME];

	is_whole = tokens_read(sql, escapes);
	pgsql_look(sql, escapes, &look);
	assert(is_whole || (look.kind == PGSQL_OTHER && !look.is_read));
	assert(!look.name.p ||
	       (look.name.p >= sql.p && look.name.p + look.name.n <= sql.p + sql.n));
	if (look.kind == PGSQL_DEALLOCATE || look.kind == PGSQL_LISTEN)
		assert(pgsql_name(look.name, name) && *name && strlen(name) < PGSQL_NAME);
	if (!is_whole)
		return 0;
	behind(sql, "\n;select 1", escapes, &more);
	assert(more.is_read == look.is_read && more.has_commit == look.has_commit);
	assert(look.kind == PGSQL_EMPTY || (more.kind == look.kind && !more.is_single));
	behind(sql, "\n;delete from t", escapes, &more);
	assert(!more.is_read);
	behind(sql, "\n;commit", escapes, &more);
	assert(!more.is_read && more.has_commit);
	return 0;
}
