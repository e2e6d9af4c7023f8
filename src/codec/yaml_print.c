/* Writing: block style as kubectl has it, with lists at the level of their key. */
#include "codec/utf8.h"
#include "codec/yaml.h"
#include "codec/yaml_scalar.h"

enum { INDENT = 2, KEY_BYTES_MAX = 256 /* longer ones are no simple keys: libyaml has 1024 */ };

/* The character at i; a value's strings are UTF-8. */
static uint32_t character(struct str s, size_t i, size_t *ret_bytes)
{
	uint32_t c = 0;

	*ret_bytes = utf8_next((struct str){s.p + i, s.n - i}, &c);
	assert(*ret_bytes);
	return c;
}

/* Those that a reader may refuse, take for a line break, or that nobody sees. */
static bool is_printable(uint32_t c)
{
	if (c < 0xa0)
		return c >= 0x20 && c < 0x7f;
	return c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

static bool all_printable(struct str s, const char *besides)
{
	size_t bytes;

	for (size_t i = 0; i < s.n; i += bytes) {
		uint32_t c = character(s, i, &bytes);

		if (!is_printable(c) && !(c < 0x80 && strchr(besides, (int)c)))
			return false;
	}
	return true;
}

static bool is_plain(struct str s)
{
	if (yaml_scalar_is_special(s) || !all_printable(s, ""))
		return false;
	if (strchr("?:,[]{}#&*!|>'\"%@`- ", s.p[0]) && !(s.p[0] == '-' && s.n > 1 && s.p[1] != ' '))
		return false;
	if (str_starts(s, "---") || str_starts(s, "..."))
		return false;
	return !strstr(s.p, ": ") && !strstr(s.p, " #") && !str_ends(s, ":") && !str_ends(s, " ");
}

static void print_quoted(struct buf *out, struct str s)
{
	static const char short_form[0x80] = {
		['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
	size_t bytes;

	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i += bytes) {
		uint32_t c = character(s, i, &bytes);

		if (c < 0x80 && short_form[c])
			buf_add(out, (char[]){'\\', short_form[c]}, 2);
		else if (is_printable(c))
			buf_add(out, s.p + i, bytes);
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_putc(out, '"');
}

static void print_spaces(struct buf *out, int n)
{
	while (n-- > 0)
		buf_putc(out, ' ');
}

/* A text of lines that can stand as it is: "|" and the lines, indented. */
static bool is_literal(struct str s)
{
	return memchr(s.p, '\n', s.n) && !strchr(" \t\n", s.p[0]) && all_printable(s, "\n\t");
}

static void print_literal(struct buf *out, struct str s, int indent)
{
	struct str rest = s, line;

	buf_puts(out, !str_ends(s, "\n") ? "|-\n" : str_ends(s, "\n\n") ? "|+\n" : "|\n");
	str_cut_suffix(&rest, "\n");
	while (str_split(&rest, '\n', &line)) {
		if (line.n)
			print_spaces(out, indent);
		buf_str(out, line);
		buf_putc(out, '\n');
	}
}

static void print_value(struct buf *out, const json_t *v, int indent);

static struct str string_of(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

/* indent: of the lines of a text, should it be one. 0: it must stand in one line. */
static void print_scalar(struct buf *out, const json_t *v, int indent)
{
	if (!json_is_string(v))
		jv_print(out, v, false);
	else if (is_plain(string_of(v)))
		buf_str(out, string_of(v));
	else if (indent && is_literal(string_of(v))) {
		print_literal(out, string_of(v), indent);
		return;
	} else
		print_quoted(out, string_of(v));
	buf_putc(out, '\n');
}

static bool is_block(const json_t *v)
{
	return json_array_size(v) || json_object_size(v);
}

/* The key with its colon; a long one in the form that readers take at any length. */
static void print_key(struct buf *out, const char *key, int indent)
{
	struct str s = str_of(key);
	bool is_long = s.n > KEY_BYTES_MAX;

	if (is_long)
		buf_puts(out, "? ");
	if (is_plain(s))
		buf_str(out, s);
	else
		print_quoted(out, s);
	if (is_long) {
		buf_putc(out, '\n');
		print_spaces(out, indent);
	}
	buf_putc(out, ':');
}

static void print_object(struct buf *out, const json_t *v, int indent)
{
	bool is_first = true;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)v, key, value) {
		if (!is_first)
			print_spaces(out, indent);
		is_first = false;
		print_key(out, key, indent);
		if (!is_block(value)) {
			buf_putc(out, ' ');
			print_scalar(out, value, indent + INDENT);
			continue;
		}
		int inner = json_is_array(value) ? indent : indent + INDENT;

		buf_putc(out, '\n');
		print_spaces(out, inner);
		print_value(out, value, inner);
	}
}

static void print_array(struct buf *out, const json_t *v, int indent)
{
	json_t *item;
	size_t i;

	json_array_foreach (v, i, item) {
		if (i)
			print_spaces(out, indent);
		buf_puts(out, "- ");
		print_value(out, item, indent + INDENT);
	}
}

/* The first line is indented already. */
static void print_value(struct buf *out, const json_t *v, int indent)
{
	if (json_object_size(v))
		print_object(out, v, indent);
	else if (json_array_size(v))
		print_array(out, v, indent);
	else
		print_scalar(out, v, indent);
}

void yaml_print(struct buf *out, const json_t *v)
{
	print_value(out, v, 0);
}
