/*
 * What a request's head must look like before any handler sees it (RFC 9112).
 *
 * libmicrohttpd is lenient: it takes a bare LF for a line's end, joins folded lines, and picks one
 * where a request says its length twice. Two readers of one request that differ in such a choice
 * are how requests are smuggled, so each of them is refused here. Pure; any thread.
 */
#ifndef SLIPWAY_HTTP_STRICT_H
#define SLIPWAY_HTTP_STRICT_H

#include "base/str.h"

enum { STRICT_HEADERS_MAX = 100 };

struct strict_header {
	struct str name;
	struct str value;
};

/* The head in the parser's own buffer, where each piece still stands at its place. */
struct strict_head {
	const char *method;
	struct str target; /* a copy: only its length counts */
	const char *version;
	size_t bytes; /* from the method to the end of the empty line */
	const struct strict_header *headers;
	size_t n;
};

/* NULL: fine. Otherwise why not, in words for the client. */
const char *strict_why(const struct strict_head *h);

/* The value of the one header of that name; an empty view with a NULL pointer: there is none. */
struct str strict_find(const struct strict_head *h, const char *name);

#endif
