/*
 * Member: what the control plane and the agents must compute alike from a Member's spec.
 *
 * Pure; any thread.
 */
#ifndef SLIPWAY_KINDS_MEMBER_H
#define SLIPWAY_KINDS_MEMBER_H

#include "codec/jv.h"

/* May somebody delete it? Not a primary: its agent would remove the only data that nobody else must
 * have. Controllers ask nobody. */
enum err_code member_check_delete(const json_t *object, struct err *e);

/* status.settingsHash of a server that has these spec.settings. */
static inline const char *member_settings_hash(struct arena *a, const json_t *spec)
{
	json_t *settings = jv_at(spec, "settings");
	CLEANUP(jv_drop) json_t *none = json_object();

	return jv_hash(a, settings ? settings : none);
}

/* status.rolesHash of a server that has these spec.roles and spec.databases. What the wants add to
 * a role ("verifier") does not count: its revision ("credential") does. */
static inline const char *member_roles_hash(struct arena *a, const json_t *spec)
{
	json_t *roles = jv_at(spec, "roles"), *databases = jv_at(spec, "databases"), *role;
	CLEANUP(jv_drop) json_t *all = json_object();
	size_t i;

	json_object_set_new(all, "roles", roles ? json_deep_copy(roles) : json_array());
	json_object_set_new(all, "databases", databases ? json_deep_copy(databases) : json_array());
	json_array_foreach (json_object_get(all, "roles"), i, role)
		json_object_del(role, "verifier");
	return jv_hash(a, all);
}

/* Its name as a standby's application_name and replication slot: dashes as underscores. */
static inline const char *member_slot(struct arena *a, const char *name)
{
	char *slot = arena_strdup(a, name);

	for (char *at = slot; *at; at++)
		if (*at == '-')
			*at = '_';
	return slot;
}

#endif
