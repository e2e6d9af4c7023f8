#include "codec/jv.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/utf8.h"

enum { JV_HASH_BYTES = 16 };

void jv_drop(json_t **v)
{
	json_decref(*v);
	*v = NULL;
}

/* Where a byte of a text stands, for a message. */
static enum err_code err_at(struct err *e, struct str in, size_t at, const char *what)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; i < at; i++) {
		if (in.p[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	return err_set(
		e, ERR_INVALID, "invalid JSON: line %zu, column %zu: %s", line, at - start + 1,
		what);
}

/* jansson's parser calls itself once a level: levels are counted before it starts. Brackets inside
 * strings do not count; what is no JSON at all is left for the parser to refuse. */
static enum err_code depth_check(struct str in, struct err *e)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < in.n; i++) {
		switch (in.p[i]) {
		case '"':
			in_string = !in_string;
			break;
		case '\\':
			i += in_string;
			break;
		case '[':
		case '{':
			if (!in_string && ++depth > JV_DEPTH_MAX)
				return err_at(e, in, i, "nested too deep (at most 64 levels)");
			break;
		case ']':
		case '}':
			depth -= !in_string;
			break;
		default:
			break;
		}
	}
	return ERR_OK;
}

enum err_code jv_parse(struct str in, size_t max, json_t **ret, struct err *e)
{
	enum err_code code;
	json_error_t error;
	json_t *v;

	if (in.n > max)
		return err_set(
			e, ERR_LIMIT, "JSON text of %zu bytes is too large (at most %zu)", in.n,
			max);
	code = depth_check(in, e);
	if (code)
		return code;
	v = json_loadb(in.n ? in.p : "", in.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!v)
		return err_set(
			e, ERR_INVALID, "invalid JSON: line %d, column %d: %s", error.line,
			error.column, error.text);
	*ret = v;
	return ERR_OK;
}

json_t *jv_string(struct str s)
{
	CLEANUP(buf_done) struct buf b = {0};
	size_t done = 0;

	for (size_t i = 0, bytes; i < s.n; i += MAX(bytes, (size_t)1)) {
		uint32_t c;

		bytes = utf8_next((struct str){s.p + i, s.n - i}, &c);
		if (bytes && c)
			continue;
		bytes = 0;
		buf_add(&b, s.p + done, i - done);
		buf_puts(&b, "\xef\xbf\xbd");
		done = i + 1;
	}
	if (!done)
		return json_stringn(s.n ? s.p : "", s.n);
	buf_add(&b, s.p + done, s.n - done);
	return json_stringn(b.p, b.n);
}

/* Writing. jansson's own writer prints 0.1 as 0.10000000000000001 and is several times slower. */

static void print_string(struct buf *out, const char *s, size_t n)
{
	static const char short_form[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	size_t done = 0;

	buf_putc(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, s + done, i - done);
		done = i + 1;
		if (c < 0x20 && !short_form[c])
			buf_printf(out, "\\u%04x", c);
		else
			buf_add(out, (char[]){'\\', c < 0x20 ? short_form[c] : (char)c}, 2);
	}
	buf_add(out, s + done, n - done);
	buf_putc(out, '"');
}

/* The shortest digits that read back as the same number; always with a point or an exponent, so
 * that it stays a real. */
static void print_real(struct buf *out, double d)
{
	char text[40];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_puts(out, text);
	if (!strpbrk(text, ".e"))
		buf_puts(out, ".0");
}

static void print_integer(struct buf *out, json_int_t v)
{
	char text[24];
	char *at = text + sizeof(text);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		*--at = (char)('0' + u % 10);
	} while (u /= 10);
	if (v < 0)
		*--at = '-';
	buf_add(out, at, (size_t)(text + sizeof(text) - at));
}

struct printer {
	struct buf *out;
	bool is_pretty;
	bool is_sorted;
};

static void print_value(const struct printer *p, const json_t *v, int depth);

static void print_break(const struct printer *p, int depth)
{
	if (!p->is_pretty)
		return;
	buf_putc(p->out, '\n');
	for (int i = 0; i < depth; i++)
		buf_puts(p->out, "    ");
}

static void
print_member(const struct printer *p, const char *key, size_t key_n, const json_t *v, int depth)
{
	print_break(p, depth);
	print_string(p->out, key, key_n);
	buf_puts(p->out, p->is_pretty ? ": " : ":");
	print_value(p, v, depth);
}

struct member {
	const char *key;
	size_t key_n;
	const json_t *value;
};

static int member_compare(const void *a, const void *b)
{
	const struct member *ma = a, *mb = b;
	int order = memcmp(ma->key, mb->key, MIN(ma->key_n, mb->key_n));

	return order ? order : (ma->key_n > mb->key_n) - (ma->key_n < mb->key_n);
}

static void print_sorted(const struct printer *p, const json_t *v, int depth)
{
	size_t n = json_object_size(v), i = 0;
	CLEANUP(mem_drop) struct member *members = mem_alloc(n * sizeof(*members));

	for (void *at = json_object_iter((json_t *)v); at;
	     at = json_object_iter_next((json_t *)v, at))
		members[i++] = (struct member){
			json_object_iter_key(at), json_object_iter_key_len(at),
			json_object_iter_value(at)};
	qsort(members, n, sizeof(*members), member_compare);
	for (i = 0; i < n; i++) {
		if (i)
			buf_putc(p->out, ',');
		print_member(p, members[i].key, members[i].key_n, members[i].value, depth);
	}
}

static void print_object(const struct printer *p, const json_t *v, int depth)
{
	bool is_first = true;

	buf_putc(p->out, '{');
	if (p->is_sorted && json_object_size(v) > 1) {
		print_sorted(p, v, depth + 1);
	} else {
		for (void *at = json_object_iter((json_t *)v); at;
		     at = json_object_iter_next((json_t *)v, at)) {
			if (!is_first)
				buf_putc(p->out, ',');
			is_first = false;
			print_member(
				p, json_object_iter_key(at), json_object_iter_key_len(at),
				json_object_iter_value(at), depth + 1);
		}
	}
	if (json_object_size(v))
		print_break(p, depth);
	buf_putc(p->out, '}');
}

static void print_array(const struct printer *p, const json_t *v, int depth)
{
	buf_putc(p->out, '[');
	for (size_t i = 0; i < json_array_size(v); i++) {
		if (i)
			buf_putc(p->out, ',');
		print_break(p, depth + 1);
		print_value(p, json_array_get(v, i), depth + 1);
	}
	if (json_array_size(v))
		print_break(p, depth);
	buf_putc(p->out, ']');
}

static void print_value(const struct printer *p, const json_t *v, int depth)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		print_object(p, v, depth);
		break;
	case JSON_ARRAY:
		print_array(p, v, depth);
		break;
	case JSON_STRING:
		print_string(p->out, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		print_integer(p->out, json_integer_value(v));
		break;
	case JSON_REAL:
		print_real(p->out, json_real_value(v));
		break;
	case JSON_TRUE:
		buf_puts(p->out, "true");
		break;
	case JSON_FALSE:
		buf_puts(p->out, "false");
		break;
	case JSON_NULL:
		buf_puts(p->out, "null");
		break;
	}
}

void jv_print(struct buf *out, const json_t *v, bool is_pretty)
{
	print_value(&(struct printer){.out = out, .is_pretty = is_pretty}, v, 0);
}

static struct str text_make(struct arena *a, const json_t *v, bool is_sorted)
{
	CLEANUP(buf_done) struct buf b = {0};

	print_value(&(struct printer){.out = &b, .is_sorted = is_sorted}, v, 0);
	return (struct str){arena_strndup(a, b.p, b.n), b.n};
}

struct str jv_text(struct arena *a, const json_t *v)
{
	return text_make(a, v, false);
}

struct str jv_text_sorted(struct arena *a, const json_t *v)
{
	return text_make(a, v, true);
}

const char *jv_hash(struct arena *a, const json_t *v)
{
	CLEANUP(buf_done) struct buf b = {0};
	unsigned char hash[JV_HASH_BYTES];
	char *ret = arena_alloc(a, 2 * sizeof(hash) + 1);

	print_value(&(struct printer){.out = &b, .is_sorted = true}, v, 0);
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)b.p, b.n, NULL, 0);
	return sodium_bin2hex(ret, 2 * sizeof(hash) + 1, hash, sizeof(hash));
}

/* Paths. */

/* One step down; NULL where there is nothing. */
static json_t *step(const json_t *v, struct str part)
{
	uint64_t i;

	if (json_is_object(v))
		return json_object_getn(v, part.p, part.n);
	if (json_is_array(v) && str_to_u64(part, &i))
		return json_array_get(v, i);
	return NULL;
}

json_t *jv_at(const json_t *v, const char *path)
{
	struct str rest = str_of(path), part;

	while (v && str_split(&rest, '.', &part))
		v = step(v, part);
	return (json_t *)v;
}

const char *jv_str(const json_t *v, const char *path)
{
	return json_string_value(jv_at(v, path));
}

const char *jv_str_or(const json_t *v, const char *path, const char *other)
{
	const char *s = jv_str(v, path);

	return s ? s : other;
}

int64_t jv_int(const json_t *v, const char *path, int64_t other)
{
	const json_t *at = jv_at(v, path);

	return json_is_integer(at) ? json_integer_value(at) : other;
}

bool jv_bool(const json_t *v, const char *path, bool other)
{
	const json_t *at = jv_at(v, path);

	return json_is_boolean(at) ? json_is_true(at) : other;
}

int jv_depth(const json_t *v)
{
	int deepest = 0;
	const char *key;
	json_t *item;
	size_t i;

	json_array_foreach (v, i, item) {
		int depth = jv_depth(item);

		deepest = MAX(deepest, depth);
	}
	json_object_foreach ((json_t *)v, key, item) {
		int depth = jv_depth(item);

		deepest = MAX(deepest, depth);
	}
	return deepest + (json_is_array(v) || json_is_object(v));
}

/* Whether put() can place something under part: a key, an index of the array, or its length. */
static bool fits(const json_t *v, struct str part)
{
	uint64_t i;

	return json_is_object(v) ||
		(json_is_array(v) && str_to_u64(part, &i) && i <= json_array_size(v));
}

/* Steals value. What does not fit is a bug of ours: values from outside are made to fit on the way
 * down, and the root is an object. */
static void put(json_t *v, struct str part, json_t *value)
{
	uint64_t i;
	int failed;

	assert(value && fits(v, part));
	if (json_is_object(v))
		failed = json_object_setn_new(v, part.p, part.n, value);
	else if (str_to_u64(part, &i) && i < json_array_size(v))
		failed = json_array_set_new(v, i, value);
	else
		failed = json_array_append_new(v, value);
	assert(!failed);
}

/* Down to the value that holds the last part of path; objects are made on the way, also in place of
 * what cannot hold the next part. */
static json_t *parent_make(json_t *v, const char *path, struct str *ret_last)
{
	struct str rest = str_of(path), part, next;

	str_split(&rest, '.', &part);
	while (str_split(&rest, '.', &next)) {
		json_t *down = step(v, part);

		if (!fits(down, next)) {
			down = json_object();
			put(v, part, down);
		}
		v = down;
		part = next;
	}
	*ret_last = part;
	return v;
}

void jv_set(json_t *v, const char *path, json_t *value)
{
	struct str last;
	json_t *parent = parent_make(v, path, &last);

	put(parent, last, value);
}

void jv_set_str(json_t *v, const char *path, const char *value)
{
	if (value)
		jv_set(v, path, jv_string(str_of(value)));
	else
		jv_remove(v, path);
}

void jv_remove(json_t *v, const char *path)
{
	const char *dot = strrchr(path, '.');
	struct str last = str_of(dot ? dot + 1 : path);
	struct str rest = {path, dot ? (size_t)(dot - path) : 0}, part;
	uint64_t i;

	while (v && rest.n && str_split(&rest, '.', &part))
		v = step(v, part);
	if (json_is_object(v))
		json_object_deln(v, last.p, last.n);
	else if (json_is_array(v) && str_to_u64(last, &i))
		json_array_remove(v, i);
}

json_t *jv_object_at(json_t *v, const char *path)
{
	json_t *at = jv_at(v, path);

	if (!json_is_object(at)) {
		at = json_object();
		jv_set(v, path, at);
	}
	return at;
}
