#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static _Atomic int level_now = -1;
static _Atomic(const char *) role_now;

static int level_from_env(void)
{
	const char *env = getenv("SLIPWAY_LOG");

	for (size_t i = 0; env && i < ARRAY_LEN(level_names); i++)
		if (strcmp(env, level_names[i]) == 0)
			return (int)i;
	return LOG_INFO;
}

void log_set_level(enum log_level level)
{
	level_now = (int)level;
}

void log_set_role(const char *name)
{
	role_now = name;
}

void log_line(enum log_level level, const char *msg, const char *fmt, ...)
{
	char line[2048];
	char ts[CLOCK_TEXT];
	const char *role = role_now;
	size_t n;
	va_list ap;

	if (level_now < 0)
		level_now = level_from_env();
	if ((int)level < level_now)
		return;
	n = (size_t)snprintf(
		line, sizeof(line) - 1, "ts=%s level=%s%s%s msg=%s",
		clock_text(clock_wall_us(), ts), level_names[level], role ? " role=" : "",
		role ? role : "", log_q(msg));
	if (fmt[0] && n < sizeof(line) - 2) {
		line[n++] = ' ';
		va_start(ap, fmt);
		n += (size_t)vsnprintf(line + n, sizeof(line) - 1 - n, fmt, ap);
		va_end(ap);
	}
	n = MIN(n, sizeof(line) - 2);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say it */
}

const char *log_q(const char *s)
{
	static __thread char ring[4][512];
	static __thread unsigned turn;
	char *out = ring[turn++ % ARRAY_LEN(ring)];
	size_t n = 0;

	out[n++] = '"';
	for (; s && *s && n < 400; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c == '\n') {
			out[n++] = '\\';
			out[n++] = 'n';
		} else {
			out[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
		}
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}
