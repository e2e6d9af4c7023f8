/*
 * Progress: what has become of an object since it was last looked at, in lines for people.
 *
 * progress_lines is pure: two looks at an object in, lines out, one a step: a member that changed
 * its state, a condition that says something new.
 */
#ifndef SLIPWAY_CLI_PROGRESS_H
#define SLIPWAY_CLI_PROGRESS_H

#include "cli/session.h"

/* before NULL: the first look. Appends lines without their line ends to the array. */
void progress_lines(const json_t *before, const json_t *now, json_t *ret_lines);

enum progress_end {
	PROGRESS_GOES_ON,
	PROGRESS_READY, /* Ready as its newest spec wants it */
	PROGRESS_FAILED, /* it says of itself that it cannot be */
};
enum progress_end progress_end(const json_t *object);

/* The sentence of its Ready condition; "" for none. */
const char *progress_sentence(const json_t *object);

/* Follows one object, a line a step on standard error, until it is Ready. ERR_TIMEOUT and
 * ERR_INVALID (failed, or deleted meanwhile) come with its own sentence. */
enum err_code progress_follow(
	struct session *s, const struct kind *k, const char *ns, const char *name,
	int64_t timeout_s, struct err *e);

#endif
