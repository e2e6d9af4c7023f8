#include "http/target.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of the escape at s; -1: it is none. */
static int escape_at(struct str s, size_t i)
{
	int high, low;

	if (i + 2 >= s.n)
		return -1;
	high = hex_digit(s.p[i + 1]);
	low = hex_digit(s.p[i + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

const char *target_why(struct str raw)
{
	if (raw.n == 0)
		return "the request has no target";
	for (size_t i = 0; i < raw.n; i++) {
		unsigned char c = (unsigned char)raw.p[i];

		if (c <= ' ' || c >= 0x7f)
			return "the target holds a byte that must be escaped";
		if (c == '%' && escape_at(raw, i) < 0)
			return "the target holds half an escape";
		if (c == '%' && escape_at(raw, i) == 0)
			return "the target holds a NUL byte";
	}
	return NULL;
}

/* Copies with escapes resolved; what is no escape stays as it is. */
static char *decode(struct arena *a, struct str s, bool plus_is_space)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int byte = s.p[i] == '%' ? escape_at(s, i) : -1;

		if (byte >= 0) {
			out[n++] = (char)byte;
			i += 2;
		} else {
			out[n++] = plus_is_space && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	return out;
}

static void cut_authority(struct str *s)
{
	const char *slash;

	if (!str_cut_prefix(s, "https://") && !str_cut_prefix(s, "http://"))
		return;
	slash = memchr(s->p, '/', s->n);
	*s = slash ? (struct str){slash, s->n - (size_t)(slash - s->p)} : STR("/");
}

const char *target_path(struct arena *a, struct str raw)
{
	struct str path;

	if (!str_split(&raw, '?', &path))
		return "";
	cut_authority(&path);
	return decode(a, path, false);
}

const char *target_query(struct arena *a, struct str raw, const char *name)
{
	struct str part, key;

	if (!str_split(&raw, '?', &part))
		return NULL;
	while (str_split(&raw, '&', &part)) {
		if (!str_split(&part, '=', &key))
			continue;
		if (str_is(key, name) || strcmp(decode(a, key, true), name) == 0)
			return decode(a, part, true);
	}
	return NULL;
}
