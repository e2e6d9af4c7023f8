/*
 * What a host must hear of one of its members, as text that waits to be sent: all of the Member's
 * spec, and the verifier of each of its roles, which comes from a Secret when it is printed.
 */
#ifndef SLIPWAY_API_WANT_LINE_H
#define SLIPWAY_API_WANT_LINE_H

#include "base/map.h"
#include "codec/jv.h"

struct want_role;

struct want_line {
	char *head; /* {"uid":…,"spec":{… without roles and without the closing braces */
	struct want_role *roles;
	size_t roles_n;
};

void want_line_init(struct want_line *l, const json_t *member);
void want_line_done(struct want_line *l);

/* Does one of its roles have its verifier in the Secret "namespace/name"? */
bool want_line_names(const struct want_line *l, struct str secret);

/* Appends {"uid":…}. verifiers: "namespace/name" of a Secret to the text in it. */
void want_line_print(const struct want_line *l, const struct map *verifiers, struct buf *out);

#endif
