#include "control/database_plan.h"

#include "control/mutant.h"
#include "control/plan_gateway.h"
#include "control/plan_member.h"
#include "control/plan_settings.h"
#include "control/plan_status.h"
#include "control/plan_sync.h"
#include "kinds/database.h"

static void finalizer_put(struct cluster *c)
{
	json_t *all = jv_at(c->database, "metadata.finalizers"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(json_string_value(one), CLUSTER_FINALIZER_DATABASE))
			return;
	if (!all)
		jv_set(c->database, "metadata.finalizers", json_array());
	json_array_append_new(
		jv_at(c->database, "metadata.finalizers"), json_string(CLUSTER_FINALIZER_DATABASE));
}

static void plan_live(struct cluster *c, const struct plan_access_conf *access)
{
	finalizer_put(c);
	plan_member_place(c);
	plan_access(c, access);
	plan_gateway_admit(c);
	plan_settings(c);
	plan_sync(c);
	plan_settings_restart(c);
	plan_member_connect(c);
	plan_member_remove(c);
	plan_gateway_hold(c);
	plan_status(c);
	cluster_emit(c);
}

/* Says whether there are none left. */
static bool delete_members(struct cluster *c)
{
	bool is_done = true;

	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (m->is_deleting)
			m->is_gone = plan_member_release(c->out, m->object, m->host != NULL);
		else
			outcome_delete(c->out, m->object);
		m->is_deleting = true;
		is_done &= m->is_gone;
	}
	return is_done;
}

/* Members first; when all have gone, the Secrets and the Database itself. */
static void plan_deletion(struct cluster *c, const struct plan_access_conf *access)
{
	const char *uid = jv_str_or(c->before, "metadata.uid", "");
	bool is_held = database_check_delete(c->database, NULL) != ERR_OK;
	json_t *one;
	size_t i;

	if (is_held || !delete_members(c)) {
		plan_status_deleting(c, is_held);
		cluster_emit(c);
		return;
	}
	json_array_foreach (access->secrets, i, one)
		if (cluster_is_owned_by(one, uid) && !MUTANT(MUTANT_FORGET_SECRET))
			outcome_delete(c->out, one);
	outcome_write(
		c->out, STORE_UPDATE,
		cluster_without_finalizer(c->before, CLUSTER_FINALIZER_DATABASE));
	c->out->is_settled = true;
}

void database_plan(
	const struct cluster_in *in, const struct plan_access_conf *access, struct arena *a,
	struct outcome *ret)
{
	struct cluster c;

	*ret = (struct outcome){.arena = a};
	cluster_init(&c, in, a, ret);
	if (cluster_is_deleting(in->database))
		plan_deletion(&c, access);
	else
		plan_live(&c, access);
	cluster_done(&c);
}
