/*
 * Plan: what a change of an object would do, before it is done. Pure.
 *
 * A change is worked out from the object as it is and as it would be (the API's dry run), and says
 * in the requester's words what it costs: nothing, a reload, a restart with its pause, data.
 */
#ifndef SLIPWAY_CLI_PLAN_DIFF_H
#define SLIPWAY_CLI_PLAN_DIFF_H

#include "codec/jv.h"

enum plan_action {
	PLAN_NOTHING,
	PLAN_CREATE,
	PLAN_CHANGE, /* in place, nobody notices */
	PLAN_RESTART, /* in place, with a restart of its servers */
	PLAN_DESTROY, /* something that holds data goes: a standby, a database */
	PLAN_ACTIONS
};

/* {"action", "kind", "namespace", "name", "summary", "fields": [{"path", "from", "to"}],
 *  "restart": {"settings": [..], "pause": "..."}, "destroys": [".."], "notes": [..]}; keys without
 * a meaning are not there. live NULL: it is not there yet. A new value. */
json_t *plan_change(const json_t *live, const json_t *wanted);

enum plan_action plan_action_of(const json_t *change);

/* {"changes": [..], "summary": {"create": n, ...}} of an array of changes, which it keeps. */
json_t *plan_document(json_t *changes);

/* The same for people. */
void plan_print(struct buf *out, const json_t *document);

#endif
