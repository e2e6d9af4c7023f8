#include "codec/pgsql_lex.h"

#include <ctype.h>
#include <strings.h>

/* --- characters, as scan.l has them: bytes of more than 7 bits are letters */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_name_char(char c)
{
	return is_letter(c) || is_digit(c) || c == '$';
}

/* The character so far ahead, or NUL behind the end. */
static char ahead(const struct pgsql_lex *l, size_t n)
{
	return n < (size_t)(l->end - l->p) ? l->p[n] : '\0';
}

static bool is_ahead(const struct pgsql_lex *l, const char *two)
{
	return ahead(l, 0) == two[0] && ahead(l, 1) == two[1];
}

/* --- what is read over */
static void line_comment_skip(struct pgsql_lex *l)
{
	while (l->p < l->end && *l->p != '\n' && *l->p != '\r')
		l->p++;
}

/* They nest. */
static void comment_skip(struct pgsql_lex *l)
{
	size_t depth = 0;

	while (l->p < l->end) {
		if (is_ahead(l, "/*")) {
			depth++;
			l->p += 2;
		} else if (is_ahead(l, "*/")) {
			l->p += 2;
			if (--depth == 0)
				return;
		} else {
			l->p++;
		}
	}
	l->is_cut = true;
}

static void space_skip(struct pgsql_lex *l)
{
	for (;;) {
		if (l->p < l->end && is_space(*l->p))
			l->p++;
		else if (is_ahead(l, "--"))
			line_comment_skip(l);
		else if (is_ahead(l, "/*"))
			comment_skip(l);
		else
			return;
	}
}

/* --- what is quoted */
/* Behind the first quote; a doubled one is one of the text. */
static void quoted_skip(struct pgsql_lex *l, char quote, bool has_escapes)
{
	while (l->p < l->end) {
		char c = *l->p++;

		if (c == '\\' && has_escapes && l->p < l->end)
			l->p++;
		else if (c == quote && ahead(l, 0) == quote)
			l->p++;
		else if (c == quote)
			return;
	}
	l->is_cut = true;
}

/* A string goes on behind white space with a line end in it, by the rules that it began with. */
static bool string_goes_on(struct pgsql_lex *l)
{
	const char *begin = l->p;
	bool has_line_end = false;

	for (; l->p < l->end; l->p++) {
		if (is_ahead(l, "--"))
			line_comment_skip(l);
		if (l->p == l->end || !is_space(*l->p))
			break;
		has_line_end |= *l->p == '\n' || *l->p == '\r';
	}
	if (has_line_end && ahead(l, 0) == '\'') {
		l->p++;
		return true;
	}
	l->p = begin;
	return false;
}

static enum pgsql_token string_skip(struct pgsql_lex *l, size_t prefix, bool has_escapes)
{
	l->p += prefix + 1;
	do {
		quoted_skip(l, '\'', has_escapes);
	} while (!l->is_cut && string_goes_on(l));
	return PGSQL_T_STRING;
}

static enum pgsql_token quoted_name_skip(struct pgsql_lex *l, size_t prefix)
{
	l->p += prefix + 1;
	quoted_skip(l, '"', false);
	return PGSQL_T_QUOTED;
}

/* The first place where tag stands again, or NULL. A tag has no dollar within, so that what was
 * compared in vain is never compared again. */
static const char *tag_find(const char *p, const char *end, struct str tag)
{
	while (p < end && (p = memchr(p, '$', (size_t)(end - p)))) {
		if ((size_t)(end - p) < tag.n)
			return NULL;
		if (memcmp(p, tag.p, tag.n) == 0)
			return p;
		p++;
	}
	return NULL;
}

/* $tag$ up to the same again; $1; or a dollar that is neither. */
static enum pgsql_token dollar_skip(struct pgsql_lex *l)
{
	const char *close;
	size_t n = 1;

	if (is_digit(ahead(l, 1))) {
		for (l->p++; is_digit(ahead(l, 0)); l->p++)
			;
		return PGSQL_T_PARAM;
	}
	if (is_letter(ahead(l, 1)))
		for (n = 2; is_letter(ahead(l, n)) || is_digit(ahead(l, n)); n++)
			;
	if (ahead(l, n) != '$') {
		l->p++;
		return PGSQL_T_CHAR;
	}
	n++;
	close = tag_find(l->p + n, l->end, (struct str){l->p, n});
	l->is_cut |= !close;
	l->p = close ? close + n : l->end;
	return PGSQL_T_STRING;
}

/* --- tokens */
/* A letter: a string or name with a prefix, or a word. */
static enum pgsql_token word_skip(struct pgsql_lex *l)
{
	char c = (char)tolower((unsigned char)*l->p), next = ahead(l, 1);

	if (c == 'e' && next == '\'')
		return string_skip(l, 1, true);
	if ((c == 'b' || c == 'x') && next == '\'')
		return string_skip(l, 1, false);
	if (c == 'n' && next == '\'')
		return string_skip(l, 1, l->backslash_escapes);
	if (c == 'u' && next == '&' && ahead(l, 2) == '\'')
		return string_skip(l, 2, false);
	if (c == 'u' && next == '&' && ahead(l, 2) == '"')
		return quoted_name_skip(l, 2);
	while (l->p < l->end && is_name_char(*l->p))
		l->p++;
	return PGSQL_T_WORD;
}

static enum pgsql_token token_skip(struct pgsql_lex *l)
{
	char c = *l->p;

	if (c == '\'')
		return string_skip(l, 0, l->backslash_escapes);
	if (c == '"')
		return quoted_name_skip(l, 0);
	if (c == '$')
		return dollar_skip(l);
	if (is_letter(c))
		return word_skip(l);
	if (!is_digit(c)) {
		l->p++;
		return PGSQL_T_CHAR;
	}
	while (is_digit(ahead(l, 0)))
		l->p++;
	return PGSQL_T_NUMBER;
}

struct pgsql_tok pgsql_lex_next(struct pgsql_lex *l)
{
	struct pgsql_tok t = {0};

	space_skip(l);
	t.text.p = l->p;
	if (l->p < l->end)
		t.type = token_skip(l);
	t.text.n = (size_t)(l->p - t.text.p);
	return t;
}

bool pgsql_tok_is(const struct pgsql_tok *t, const char *word)
{
	return t->type == PGSQL_T_WORD && t->text.n == strlen(word) &&
		strncasecmp(t->text.p, word, t->text.n) == 0;
}

bool pgsql_tok_is_char(const struct pgsql_tok *t, char c)
{
	return t->type == PGSQL_T_CHAR && t->text.p[0] == c;
}
