/*
 * Log: logfmt on standard error, one line a fact.
 *
 *   log_info("member started", "member=%s port=%d", name, port);
 *   ts=2026-11-24T09:00:00.123Z level=info msg="member started" member=orders-1 port=5433
 *
 * Values with spaces are the caller's to quote (log_q). Any thread; each line is one write.
 * Secrets are of type struct secret, which no formatter takes.
 */
#ifndef SLIPWAY_BASE_LOG_H
#define SLIPWAY_BASE_LOG_H

#include "base/defs.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below the level are dropped. SLIPWAY_LOG=debug|info|warn|error sets it at start. */
void log_set_level(enum log_level level);

/* name stands in each line as role=name ("serve", "agent"); it must outlive the process. */
void log_set_role(const char *name);

void log_line(enum log_level level, const char *msg, const char *fmt, ...) PRINTF(3, 4);

#define log_debug(msg, ...) log_line(LOG_DEBUG, msg, __VA_ARGS__)
#define log_info(msg, ...) log_line(LOG_INFO, msg, __VA_ARGS__)
#define log_warn(msg, ...) log_line(LOG_WARN, msg, __VA_ARGS__)
#define log_error(msg, ...) log_line(LOG_ERROR, msg, __VA_ARGS__)

/* s in double quotes with quotes, backslashes and control bytes escaped, cut at 400 bytes. Lives
 * until the same thread has called it four times more. */
const char *log_q(const char *s);

#endif
