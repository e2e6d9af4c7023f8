#include "control/plan_member.h"

#include "control/mutant.h"
#include "control/plan_sync.h"
#include "control/reign.h"

static struct place_ask ask_of(const struct cluster *c)
{
	struct place_ask ask = {
		.major = c->major,
		.zones = jv_at(c->database, "spec.highAvailability.zones"),
		.zones_needed = c->standbys_wanted + 1,
	};

	for (size_t i = 0; i < c->members_n && ask.used_n < PLACE_USED_MAX; i++)
		if ((c->members[i].is_primary || cluster_member_stays(&c->members[i])) &&
		    !MUTANT(MUTANT_SAME_ZONE))
			ask.used[ask.used_n++] = c->members[i].zone;
	return ask;
}

static struct cluster_member *place(struct cluster *c, const char *role)
{
	struct place_ask ask = ask_of(c);
	const char *why = NULL;
	const struct place_host *host = place_choose(c->arena, c->hosts, c->hosts_n, &ask, &why);
	struct cluster_member *m = host ? cluster_member_new(c, role, host) : NULL;

	if (!host)
		cluster_note(c, &c->blocked, "NoHost", "%s", why);
	if (m)
		cluster_event(
			c, false, "MemberPlaced", "Placed the %s %s on host %s in %s", role,
			m->name, host->name, host->zone);
	return m;
}

static void place_primary(struct cluster *c)
{
	struct cluster_member *m;
	struct reign first = {.epoch = 1};

	if (c->epoch > 0) {
		cluster_note(
			c, &c->blocked, "PrimaryLost", "The primary %s is gone with its data",
			jv_str_or(c->database, "status.primary", ""));
		return;
	}
	m = place(c, "primary");
	if (!m)
		return;
	first.primary = m->name;
	reign_change(c->database, &first);
	c->epoch = 1;
	m->is_primary = true;
	c->primary = m;
}

/* The one that is missed least: not in the set, not streaming, else the youngest. */
static struct cluster_member *least_missed(struct cluster *c)
{
	struct cluster_member *least = NULL;

	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (m->is_primary || !cluster_member_stays(m))
			continue;
		if (!least ||
		    m->is_in_set * 2 + m->is_streaming <=
			    least->is_in_set * 2 + least->is_streaming)
			least = m;
	}
	return least;
}

void plan_member_place(struct cluster *c)
{
	size_t standbys = 0;

	if (!c->primary)
		place_primary(c);
	if (!c->primary)
		return;
	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		m->is_unwanted = !m->is_primary && (m->is_deleting || !m->host);
		standbys += !m->is_primary && !m->is_unwanted;
	}
	for (; standbys > c->standbys_wanted; standbys--)
		least_missed(c)->is_unwanted = true;
	for (; standbys < c->standbys_wanted; standbys++)
		if (!place(c, "standby"))
			break;
}

static void connect_standby(struct cluster *c, struct cluster_member *m)
{
	const struct cluster_member *p = c->primary;
	const char *address = jv_str(p->status, "address");
	int64_t port = jv_int(p->status, "port", 0);

	if (!address || !port || !p->is_running)
		return;
	jv_set_str(m->spec, "upstream.member", p->name);
	jv_set_str(m->spec, "upstream.host", address);
	jv_set(m->spec, "upstream.port", json_integer(port));
}

/* Once there is a cluster, no member may begin another. */
static void identify(struct cluster *c)
{
	const char *known = c->primary ? jv_str(c->primary->spec, "systemIdentifier") : NULL;

	if (c->primary && !known)
		known = jv_str(c->primary->status, "systemIdentifier");
	known = known && *known ? arena_strdup(c->arena, known) : NULL;
	for (size_t i = 0; known && i < c->members_n; i++)
		jv_set_str(c->members[i].spec, "systemIdentifier", known);
}

/* A standby that goes keeps its slot until it has gone: it may still be connected. */
void plan_member_connect(struct cluster *c)
{
	json_t *standbys = json_array();

	identify(c);

	for (size_t i = 0; c->primary && i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (m->is_primary)
			continue;
		if (!m->is_unwanted)
			connect_standby(c, m);
		if (m->host && strcmp(m->state, "Removed") != 0)
			json_array_append_new(standbys, json_string(m->name));
	}
	if (c->primary)
		json_object_set(c->primary->spec, "standbys", standbys);
	json_decref(standbys);
}

bool plan_member_release(struct outcome *out, const json_t *member, bool has_host)
{
	bool is_removed = !strcmp(jv_str_or(member, "status.state", ""), "Removed");

	if (!cluster_is_deleting(member) || (!is_removed && has_host))
		return false;
	outcome_write(
		out, STORE_UPDATE, cluster_without_finalizer(member, CLUSTER_FINALIZER_MEMBER));
	return true;
}

void plan_member_remove(struct cluster *c)
{
	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (m->is_primary || !m->object || m->is_in_set)
			continue;
		if (m->is_deleting) {
			m->is_gone = plan_member_release(c->out, m->object, m->host != NULL);
		} else if (m->is_unwanted && (!m->host || !plan_sync_depends_on(c, m))) {
			outcome_delete(c->out, m->object);
			m->is_deleting = true;
			cluster_event(
				c, false, "MemberRemoved", "Removing the standby %s",
				cluster_member_text(c, m));
		}
	}
}
