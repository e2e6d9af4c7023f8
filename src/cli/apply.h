/* The verb `apply`: makes objects what the manifests say, by server-side apply. */
#ifndef SLIPWAY_CLI_APPLY_H
#define SLIPWAY_CLI_APPLY_H

#include "cli/manifest.h"

extern const struct opt_verb apply_verb;

/* One object by server-side apply. is_dry: nothing is written. *ret is the object as it is (or
 * would be), *ret_is_new whether it was not there. */
enum err_code apply_object(
	struct session *s, const struct manifest *m, bool is_dry, json_t **ret, bool *ret_is_new,
	struct err *e);

#endif
