/* The smaller client verbs, one file each. */
#ifndef SLIPWAY_CLI_VERBS_H
#define SLIPWAY_CLI_VERBS_H

#include "base/opt.h"

extern const struct opt_verb delete_verb; /* delete.c */
extern const struct opt_verb describe_verb; /* describe.c */
extern const struct opt_verb connect_verb; /* connect.c */
extern const struct opt_verb credentials_show_verb, credentials_rotate_verb; /* credentials.c */
extern const struct opt_verb hold_verb, resume_verb; /* hold.c */
extern const struct opt_verb status_verb; /* status.c */
extern const struct opt_verb token_create_verb; /* token.c */

#endif
