/*
 * Reports: what an agent says of its host once a second, and at once when something changed.
 *
 * A report that brings nothing new costs parsing it and no SQL. What is new is written by a thread
 * of ours, many at a time in one transaction; what is lost with a crash comes again with the next
 * report. So the handler never blocks.
 */
#ifndef SLIPWAY_API_REPORT_H
#define SLIPWAY_API_REPORT_H

#include "api/call.h"

struct reports;

enum err_code reports_new(struct store *s, struct reports **ret, struct err *e);
void reports_free(struct reports *r);

/* POST /agent/v1/report: {"members": n}, or 409 where a member is another host's. */
json_t *report_handle(struct call *c);

/* Has status (stolen) written to a cluster-wide object, made if it is not there; its conditions
 * stay. Never blocks; may be lost. */
void report_write(struct reports *r, const char *kind, const char *name, json_t *status);

/* The part of a report that becomes Host.status (without conditions): a new value. */
json_t *report_host_status(const json_t *report);

#endif
