#include "kinds/host_kind.h"

#include "kinds/cause.h"

static void
check_fixed(const json_t *object, const json_t *old, const char *field, struct schema_causes *out)
{
	if (old && !json_equal(jv_at(object, field), jv_at(old, field)))
		cause_invalid(out, field, jv_str(object, field), "field is immutable");
}

void host_kind_check(const json_t *object, const json_t *old, struct schema_causes *out)
{
	check_fixed(object, old, "spec.zone", out);
}

void member_kind_check(const json_t *object, const json_t *old, struct schema_causes *out)
{
	check_fixed(object, old, "spec.database", out);
	check_fixed(object, old, "spec.host", out);
	check_fixed(object, old, "spec.version", out);
}
