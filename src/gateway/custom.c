#include "gateway/custom.h"

#include <ctype.h>
#include <strings.h>

static bool is_name(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_' || ch == '$' || ch == '.';
}

static bool is_in(const struct buf *names, const char *name)
{
	for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1)
		if (!strcmp(names->p + at, name))
			return true;
	return false;
}

static bool add(struct buf *names, struct str name)
{
	char low[CUSTOM_NAME_MAX + 1];
	size_t have = 0;

	if (*name.p == '"')
		return false;
	if (!memchr(name.p, '.', name.n))
		return true; /* one of PostgreSQL's own: pg_settings has it */
	if (name.n > CUSTOM_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		low[i] = (char)tolower((unsigned char)name.p[i]);
	low[name.n] = 0;
	if (is_in(names, low))
		return true;
	for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1)
		have++;
	if (have >= CUSTOM_MOST)
		return false;
	buf_add(names, low, name.n + 1);
	return true;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

/* Quoted or not; what stands in quotes and is no plain name comes out as "\"", which add() calls
 * unknown. */
static struct str name_at(const char *p, const char *end)
{
	const char *from = p;
	struct str name;

	if (p < end && *p == '"') {
		name = name_at(p + 1, end);
		p = name.p + name.n;
		return name.n && p < end && *p == '"' ? name : (struct str){from, 1};
	}
	while (p < end && is_name(*p))
		p++;
	return (struct str){from, (size_t)(p - from)};
}

static bool is_word(struct str s, const char *word)
{
	return s.n == strlen(word) && !strncasecmp(s.p, word, s.n);
}

/* Behind SET: [SESSION | LOCAL] name. What is local is gone by the time anybody asks. */
static bool note_set(const char *p, const char *end, struct buf *names)
{
	struct str name = name_at(skip_space(p, end), end);

	if (is_word(name, "session"))
		name = name_at(skip_space(name.p + name.n, end), end);
	if (is_word(name, "local") || name.n == 0)
		return true;
	return add(names, name);
}

/* Behind set_config: ( 'name', … */
static bool note_call(const char *p, const char *end, struct buf *names)
{
	struct str name;

	p = skip_space(p, end);
	if (p == end || *p != '(')
		return true;
	p = skip_space(p + 1, end);
	if (p == end || *p != '\'')
		return false;
	name = name_at(p + 1, end);
	return name.n == 0 || add(names, name);
}

bool custom_note(struct str sql, struct buf *names)
{
	const char *p = sql.p, *end = sql.p + sql.n;
	bool are_known = true;

	while (p < end) {
		struct str word;

		if (!is_name(*p)) {
			p++;
			continue;
		}
		word = name_at(p, end);
		p = word.p + word.n;
		if (word.n == 3 && is_word(word, "set"))
			are_known &= note_set(p, end, names);
		else if (is_word(word, "set_config") || is_word(word, "pg_catalog.set_config"))
			are_known &= note_call(p, end, names);
	}
	return are_known;
}
