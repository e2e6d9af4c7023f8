#include "http/strict.h"

#include <strings.h>

/* RFC 9110 section 5.6.2 */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return s.n > 0;
}

static bool is_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool is_header(const struct strict_header *h, const char *name)
{
	return h->name.n == strlen(name) && strncasecmp(h->name.p, name, h->name.n) == 0;
}

static size_t count(const struct strict_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += is_header(&h->headers[i], name);
	return n;
}

struct str strict_find(const struct strict_head *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (is_header(&h->headers[i], name))
			return h->headers[i].value;
	return (struct str){NULL, 0};
}

/*
 * The parser cuts lines in place. If each piece begins exactly where the one before it and one CRLF
 * end, then there was no bare LF, no folded line, no NUL byte and no second space.
 */
static bool is_exact(const struct strict_head *h)
{
	const char *at = h->method + strlen(h->method) + 1 + h->target.n + 1;

	if (h->version != at)
		return false;
	at += strlen(h->version) + 2;
	for (size_t i = 0; i < h->n; i++) {
		const struct strict_header *x = &h->headers[i];

		if (x->name.p != at || x->value.p <= at + x->name.n)
			return false;
		at = x->value.p + x->value.n + 2;
	}
	return at + 2 == h->method + h->bytes;
}

static const char *length_why(const struct strict_head *h, bool is_1_1)
{
	struct str length = strict_find(h, "Content-Length");
	struct str coding = strict_find(h, "Transfer-Encoding");
	uint64_t n;

	if (length.p && coding.p)
		return "Content-Length and Transfer-Encoding together";
	if (count(h, "Content-Length") > 1)
		return "more than one Content-Length";
	if (length.p && !str_to_u64(length, &n))
		return "Content-Length is no number";
	if (count(h, "Transfer-Encoding") > 1)
		return "more than one Transfer-Encoding";
	if (coding.p && (!is_1_1 || coding.n != 7 || strncasecmp(coding.p, "chunked", 7) != 0))
		return "a Transfer-Encoding other than chunked";
	return NULL;
}

const char *strict_why(const struct strict_head *h)
{
	bool is_1_1 = strcmp(h->version, "HTTP/1.1") == 0;

	if (!is_1_1 && strcmp(h->version, "HTTP/1.0") != 0)
		return "want HTTP/1.1";
	if (!is_token(str_of(h->method)))
		return "the method is no word";
	for (size_t i = 0; i < h->n; i++)
		if (!is_token(h->headers[i].name) || !is_value(h->headers[i].value))
			return "a header holds a byte that it must not";
	if (count(h, "Host") != 1 && (is_1_1 || count(h, "Host") > 1))
		return "want one Host header";
	if (!is_exact(h))
		return "lines must end in CR LF, and no header may be folded";
	return length_why(h, is_1_1);
}
