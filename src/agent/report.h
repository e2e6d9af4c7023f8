/*
 * Report: what one member is, in the words of ARCHITECTURE.md: {uid, namespace, name, status,
 * live}.
 *
 * Pure: equal inputs give equal values, so that a status which has not changed costs nothing.
 */
#ifndef SLIPWAY_AGENT_REPORT_H
#define SLIPWAY_AGENT_REPORT_H

#include "agent/member.h"

/* A new value. address is where the host's members listen. */
json_t *report_member(
	const struct want *w, const struct seen *s, const struct member_next *n,
	const char *address);

#endif
