#include "kinds/member.h"

enum err_code member_check_delete(const json_t *object, struct err *e)
{
	const char *owner = jv_str(object, "metadata.ownerReferences.0.name");

	if (!owner || strcmp(jv_str_or(object, "spec.role", ""), "primary") != 0)
		return ERR_OK;
	return err_set(
		e, ERR_FORBIDDEN,
		"it is the primary of Database %s, and its data would go with it: delete the "
		"Database, or leave its members to it",
		owner);
}
