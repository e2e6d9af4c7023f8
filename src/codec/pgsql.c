#include "codec/pgsql.h"

#include "codec/pgsql_lex.h"

enum { HEAD = 4, RECENT = 4, NAME_MAX_BYTES = PGSQL_NAME - 1 };

/* A statement as far as it was read. */
struct statement {
	struct pgsql_tok head[HEAD]; /* its first tokens, but for parentheses before them */
	size_t n; /* tokens of it */
	bool has_paren; /* it began with one */
	struct pgsql_tok recent[RECENT]; /* the last tokens, the newest first */
	bool is_safe; /* nothing in it but what a read may have */
	const char *end; /* of the last token */
};

/* --- what a read may have */
static bool is_any(const struct pgsql_tok *t, const char *const *words)
{
	for (; *words; words++)
		if (pgsql_tok_is(t, *words))
			return true;
	return false;
}

/* A word that makes a SELECT more than a read. They may be names of columns: that is careful. */
static bool is_write(const struct statement *s, const struct pgsql_tok *t)
{
	static const char *const writes[] = {"into", "insert", "update", "delete", "merge", NULL};
	static const char *const locks[] = {"share", "key", "no", NULL};

	return is_any(t, writes) || (pgsql_tok_is(&s->recent[0], "for") && is_any(t, locks));
}

/* Keywords that a function may be called by, but not behind these words. */
static bool is_grammar(const struct pgsql_tok *before, const struct pgsql_tok *name)
{
	static const char *const pairs[][2] = {
		{"bit", "varying"},       {"by", "cube"},    {"by", "rollup"},  {"char", "varying"},
		{"character", "varying"}, {"cross", "join"}, {"full", "join"},  {"group", "by"},
		{"grouping", "sets"},     {"inner", "join"}, {"left", "join"},  {"natural", "join"},
		{"not", "materialized"},  {"order", "by"},   {"outer", "join"}, {"partition", "by"},
		{"right", "join"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pgsql_tok_is(before, pairs[i][0]) && pgsql_tok_is(name, pairs[i][1]))
			return true;
	return pgsql_tok_is_char(before, ')') &&
		(pgsql_tok_is(name, "over") || pgsql_tok_is(name, "filter"));
}

/* What stands before a parenthesis: is it surely no call of a function that changes something? */
static bool is_call_safe(const struct statement *s)
{
	const struct pgsql_tok *name = &s->recent[0], *before = &s->recent[1];

	if (name->type != PGSQL_T_WORD && name->type != PGSQL_T_QUOTED)
		return true;
	if (pgsql_tok_is(before, "as")) /* an alias with its columns, or a type */
		return true;
	if (is_grammar(before, name))
		return true;
	if (name->type == PGSQL_T_QUOTED || !pgsql_is_safe_name(name->text))
		return false;
	return !pgsql_tok_is_char(before, '.') ||
		(pgsql_tok_is(&s->recent[2], "pg_catalog") &&
		 !pgsql_tok_is_char(&s->recent[3], '.'));
}

static void statement_add(struct statement *s, const struct pgsql_tok *t)
{
	if (!s->n && pgsql_tok_is_char(t, '(')) {
		s->has_paren = true;
		return;
	}
	if (s->n < HEAD)
		s->head[s->n] = *t;
	s->n++;
	if (is_write(s, t) || (pgsql_tok_is_char(t, '(') && !is_call_safe(s)))
		s->is_safe = false;
	memmove(&s->recent[1], &s->recent[0], sizeof(*t) * (RECENT - 1));
	s->recent[0] = *t;
	s->end = t->text.p + t->text.n;
}

/* --- which kind of statement */
static enum pgsql_kind begin_kind(const struct statement *s, struct str *ret_name)
{
	(void)ret_name;
	return pgsql_tok_is(&s->head[0], "begin") || pgsql_tok_is(&s->head[1], "transaction")
		? PGSQL_BEGIN
		: PGSQL_OTHER;
}

static enum pgsql_kind commit_kind(const struct statement *s, struct str *ret_name)
{
	(void)s;
	(void)ret_name;
	return PGSQL_COMMIT;
}

/* PREPARE TRANSACTION 'id': but a statement may be called "transaction" too. */
static enum pgsql_kind prepare_kind(const struct statement *s, struct str *ret_name)
{
	(void)ret_name;
	return pgsql_tok_is(&s->head[1], "transaction") && s->head[2].type == PGSQL_T_STRING
		? PGSQL_COMMIT
		: PGSQL_OTHER;
}

static enum pgsql_kind rollback_kind(const struct statement *s, struct str *ret_name)
{
	static const char *const noise[] = {"work", "transaction", NULL};
	static const char *const others[] = {"to", "prepared", NULL};
	size_t at = is_any(&s->head[1], noise) ? 2 : 1;

	(void)ret_name;
	return is_any(&s->head[at], others) ? PGSQL_OTHER : PGSQL_ROLLBACK;
}

static enum pgsql_kind read_kind(const struct statement *s, struct str *ret_name)
{
	(void)ret_name;
	return s->is_safe ? PGSQL_READ : PGSQL_OTHER;
}

static enum pgsql_kind show_kind(const struct statement *s, struct str *ret_name)
{
	if (s->n < 2)
		return PGSQL_OTHER;
	*ret_name = (struct str){s->head[1].text.p, (size_t)(s->end - s->head[1].text.p)};
	return PGSQL_SHOW;
}

/* The token is a name that pgsql_name reads. */
static bool is_name(const struct pgsql_tok *t)
{
	char name[PGSQL_NAME];

	return (t->type == PGSQL_T_WORD || t->type == PGSQL_T_QUOTED) && pgsql_name(t->text, name);
}

static enum pgsql_kind deallocate_kind(const struct statement *s, struct str *ret_name)
{
	size_t at = s->n == 3 && pgsql_tok_is(&s->head[1], "prepare") ? 2 : 1;

	if (s->n != at + 1 || !is_name(&s->head[at]))
		return PGSQL_OTHER;
	if (pgsql_tok_is(&s->head[at], "all"))
		return PGSQL_DEALLOCATE_ALL;
	*ret_name = s->head[at].text;
	return PGSQL_DEALLOCATE;
}

static enum pgsql_kind discard_kind(const struct statement *s, struct str *ret_name)
{
	(void)ret_name;
	return s->n == 2 && pgsql_tok_is(&s->head[1], "all") ? PGSQL_DEALLOCATE_ALL : PGSQL_OTHER;
}

static enum pgsql_kind listen_kind(const struct statement *s, struct str *ret_name)
{
	if (s->n != 2 || !is_name(&s->head[1]))
		return PGSQL_OTHER;
	*ret_name = s->head[1].text;
	return PGSQL_LISTEN;
}

static const struct {
	const char *word;
	enum pgsql_kind (*kind)(const struct statement *s, struct str *ret_name);
	bool may_have_paren;
} kinds[] = {
	{"abort", rollback_kind, false},    {"begin", begin_kind, false},
	{"commit", commit_kind, false},     {"deallocate", deallocate_kind, false},
	{"discard", discard_kind, false},   {"end", commit_kind, false},
	{"listen", listen_kind, false},     {"prepare", prepare_kind, false},
	{"rollback", rollback_kind, false}, {"select", read_kind, true},
	{"show", show_kind, false},         {"start", begin_kind, false},
	{"table", read_kind, true},         {"values", read_kind, true},
	{"with", read_kind, true},
};

static enum pgsql_kind kind_of(const struct statement *s, struct str *ret_name)
{
	if (!s->n)
		return s->has_paren ? PGSQL_OTHER : PGSQL_EMPTY;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (pgsql_tok_is(&s->head[0], kinds[i].word) &&
		    (!s->has_paren || kinds[i].may_have_paren))
			return kinds[i].kind(s, ret_name);
	return PGSQL_OTHER;
}

/* --- the text */
/* Up to a ';' or the end; false once there is nothing more. */
static bool statement_read(struct pgsql_lex *l, struct statement *ret)
{
	*ret = (struct statement){.is_safe = true};
	for (;;) {
		struct pgsql_tok t = pgsql_lex_next(l);

		if (t.type == PGSQL_T_END)
			return ret->n || ret->has_paren;
		if (pgsql_tok_is_char(&t, ';'))
			return true;
		statement_add(ret, &t);
	}
}

void pgsql_look(struct str sql, bool backslash_escapes, struct pgsql *ret)
{
	struct pgsql_lex l = {sql.p, sql.p + sql.n, backslash_escapes, false};
	struct pgsql look = {.kind = PGSQL_EMPTY, .is_single = true, .is_read = true};
	struct statement s;

	while (statement_read(&l, &s)) {
		struct str name = {NULL, 0};
		enum pgsql_kind kind = kind_of(&s, &name);

		if (kind == PGSQL_EMPTY)
			continue;
		if (look.kind == PGSQL_EMPTY) {
			look.kind = kind;
			look.name = name;
		} else {
			look.is_single = false;
		}
		look.has_commit |= kind == PGSQL_COMMIT;
		look.is_read &= kind == PGSQL_READ || kind == PGSQL_SHOW;
	}
	if (l.is_cut) {
		look.kind = PGSQL_OTHER;
		look.name = (struct str){NULL, 0};
		look.is_read = false;
	}
	*ret = look;
}

/* --- names */
/* Whole characters of UTF-8 in at most so many bytes, as PostgreSQL cuts names. */
static size_t name_cut(const char *name, size_t n)
{
	if (n <= NAME_MAX_BYTES)
		return n;
	n = NAME_MAX_BYTES;
	while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	return n ? n : NAME_MAX_BYTES; /* no UTF-8 at all */
}

static void name_fold(struct str text, char *ret)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		ret[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
}

bool pgsql_name(struct str text, char ret[PGSQL_NAME])
{
	/* one more character of at most four bytes than there is room for, to know where to cut */
	char name[NAME_MAX_BYTES + 4];
	size_t n = 0;

	if (text.n && text.p[0] != '"') {
		if (memchr(text.p, '"', text.n)) /* U&"..." */
			return false;
		n = MIN(text.n, sizeof(name));
		name_fold((struct str){text.p, n}, name);
	} else if (text.n > 2 && text.p[text.n - 1] == '"') {
		for (size_t i = 1; i < text.n - 1 && n < sizeof(name); i++) {
			name[n++] = text.p[i];
			i += text.p[i] == '"'; /* the second of two */
		}
	}
	if (!n || n > sizeof(name) || memchr(name, '\0', n))
		return false;
	n = name_cut(name, n);
	memcpy(ret, name, n);
	ret[n] = '\0';
	return true;
}
