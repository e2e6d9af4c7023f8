#include "cli/cli.h"

#include "cli/apply.h"
#include "cli/get.h"
#include "cli/plan.h"
#include "cli/verbs.h"

const struct opt_verb *const cli_verbs[] = {
	&status_verb,
	&plan_verb,
	&apply_verb,
	&get_verb,
	&describe_verb,
	&delete_verb,
	&connect_verb,
	&credentials_show_verb,
	&credentials_rotate_verb,
	&hold_verb,
	&resume_verb,
	&token_create_verb,
	NULL,
};
