#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const err_names[ERR_CODES] = {
	[ERR_OK] = "ok",
	[ERR_INVALID] = "invalid",
	[ERR_LIMIT] = "limit",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_EXISTS] = "exists",
	[ERR_CONFLICT] = "conflict",
	[ERR_GONE] = "gone",
	[ERR_UNAUTHORIZED] = "unauthorized",
	[ERR_FORBIDDEN] = "forbidden",
	[ERR_TIMEOUT] = "timeout",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_IO] = "io",
	[ERR_INTERNAL] = "internal",
};

const char *err_name(enum err_code code)
{
	assert(code < ERR_CODES);
	return err_names[code];
}

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

static enum err_code code_of_errno(int no)
{
	switch (no) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EFBIG:
		return ERR_LIMIT;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_IO;
	}
}

enum err_code err_os(struct err *e, const char *fmt, ...)
{
	int no = errno;
	char what[sizeof(e->text) - 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, code_of_errno(no), "%s: %s", what, strerror(no));
}

enum err_code err_wrap(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	char what[sizeof(e->text) / 2];
	va_list ap;

	if (!e)
		return ERR_INTERNAL;
	memcpy(text, e->text, sizeof(text));
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, e->code, "%s: %.*s", what, (int)(sizeof(text) - sizeof(what) - 3), text);
}
