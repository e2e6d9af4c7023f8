#include "control/plan_status.h"

#include <ctype.h>

#include "control/plan_sync.h"
#include "kinds/cond.h"

static const char *role_of(const struct cluster_member *m)
{
	return m->is_primary ? "primary" : "standby";
}

/* It was once what it shall be: a primary that serves, a standby in the set. */
static bool has_joined(const struct cluster_member *m)
{
	return json_object_get(m->entry, "joined") != NULL;
}

/* "copying, 40 % of 23 MB", or the state in lower case. */
static const char *doing_text(struct cluster *c, const struct cluster_member *m)
{
	const char *message = jv_str_or(m->status, "message", "");
	char *state;

	if (*message)
		return message;
	if (!strcmp(m->state, "Pending"))
		return "waiting for its agent";
	state = arena_strdup(c->arena, m->state);
	*state = (char)tolower((unsigned char)*state);
	return state;
}

/* How a server that is not as it should be is, in one sentence. */
static const char *trouble_text(struct cluster *c, const struct cluster_member *m)
{
	if (!m->host)
		return arena_printf(
			c->arena, "The host of the %s %s is no longer part of the platform",
			role_of(m), cluster_member_text(c, m));
	if (!m->is_heard)
		return arena_printf(
			c->arena, "Host %s in %s, where the %s is, has been silent since %s",
			m->host->name, m->zone, role_of(m),
			m->host->silent_since ? m->host->silent_since : "it joined");
	if (!strcmp(m->state, "Failed"))
		return arena_printf(
			c->arena, "The %s in %s failed: %s", role_of(m), m->zone, doing_text(c, m));
	if (!has_joined(m))
		return arena_printf(
			c->arena, "Creating the %s in %s: %s", role_of(m), m->zone,
			m->is_running && !m->is_primary && !*jv_str_or(m->status, "message", "")
				? "waiting until it holds all that the primary has"
				: doing_text(c, m));
	if (!m->is_running)
		return arena_printf(
			c->arena, "The %s in %s is %s%s", role_of(m), m->zone,
			*jv_str_or(m->status, "message", "") ? "not up: it " : "",
			doing_text(c, m));
	return arena_printf(
		c->arena, "The %s in %s does not follow the primary yet", role_of(m), m->zone);
}

static bool is_serving(const struct cluster *c)
{
	const struct cluster_member *p = c->primary;

	return p && p->is_running && !strcmp(jv_str_or(p->status, "role", ""), "primary") &&
		jv_int(p->status, "epoch", 0) == c->epoch;
}

/* Standbys that were asked for and never held all that the primary has. */
static void note_missing(struct cluster *c)
{
	size_t joined = 0;

	for (size_t i = 0; i < c->members_n; i++)
		joined += !c->members[i].is_primary && cluster_member_stays(&c->members[i]) &&
			has_joined(&c->members[i]);
	for (size_t i = 0; joined < c->standbys_wanted && i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (!m->is_primary && cluster_member_stays(m) && !has_joined(m))
			cluster_note(c, &c->outstanding, "Creating", "%s", trouble_text(c, m));
	}
	if (joined < c->standbys_wanted)
		cluster_note(c, &c->outstanding, "Creating", "A standby is missing");
	for (size_t i = 0; i < c->members_n; i++)
		if (c->members[i].is_unwanted && !c->members[i].is_gone)
			cluster_note(
				c, &c->outstanding, "Removing", "Removing the standby %s",
				cluster_member_text(c, &c->members[i]));
}

static void note_version(struct cluster *c)
{
	const char *asked = jv_str_or(c->database, "spec.version", c->version);

	if (strcmp(asked, c->version) != 0)
		cluster_note(
			c, &c->blocked, "VersionChange",
			"It runs PostgreSQL %s and version %s was asked for: a Move takes it "
			"there, "
			"a version is not changed in place",
			c->version, asked);
}

/* "zone-b" or "zone-b and zone-c": of standbys in the set (or all that stay). */
static const char *zones_text(struct cluster *c, bool is_set_only, const char *sep)
{
	const char *text = "";

	for (size_t i = 0; i < c->members_n; i++) {
		const struct cluster_member *m = &c->members[i];

		if (m->is_primary || !cluster_member_stays(m) || (is_set_only && !m->is_in_set))
			continue;
		text = arena_printf(c->arena, "%s%s%s", text, *text ? sep : "", m->zone);
	}
	return text;
}

static size_t count_in_set(const struct cluster *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->members_n; i++)
		n += c->members[i].is_in_set && cluster_member_stays(&c->members[i]);
	return n;
}

/* The first standby that should be in the set and follow, but does not. */
static struct cluster_member *missed(struct cluster *c)
{
	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (!m->is_primary && cluster_member_stays(m) &&
		    (!m->is_in_set || plan_sync_is_lost(c, m)))
			return m;
	}
	return NULL;
}

/* A strict Database, or one that was never ready, waits for standbys that are not there. */
static bool is_blocked_on_standby(const struct cluster *c)
{
	bool waits = *jv_str_or(c->primary->spec, "synchronousStandbyNames", "") != '\0';

	for (size_t i = 0; i < c->members_n; i++) {
		const struct cluster_member *m = &c->members[i];

		if (!m->is_primary && cluster_member_stays(m) && plan_sync_depends_on(c, m) &&
		    !plan_sync_is_lost(c, m) && (m->is_streaming || m->is_in_set))
			return false;
	}
	return waits;
}

static const char *
set(struct cluster *c, const char *type, const char *status, const char *reason,
    const char *message)
{
	const char *before = cond_status(c->before, type);

	cond_set(c->database, type, status, reason, message);
	return before && strcmp(before, status) != 0 ? before : NULL;
}

static void cond_remove(struct cluster *c, const char *type)
{
	json_t *all = jv_at(c->database, "status.conditions"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(jv_str_or(one, "type", ""), type)) {
			json_array_remove(all, i);
			return;
		}
}

static void say_replicated(struct cluster *c)
{
	const struct cluster_member *m = missed(c);
	size_t n = count_in_set(c);
	const char *text, *was;

	if (!c->standbys_wanted) {
		cond_remove(c, "Replicated");
		return;
	}
	if (n >= c->standbys_wanted && !m) {
		text = arena_printf(
			c->arena, "Every acknowledged write is in %s too",
			zones_text(c, true, " or "));
		if (set(c, "Replicated", "True", "Synchronous", text) && c->was_settled_once)
			cluster_event(c, false, "ReplicationRestored", "%s", text);
		return;
	}
	text = m ? trouble_text(c, m) : c->blocked.text ? c->blocked.text : "A standby is missing";
	if (c->was_settled_once && c->primary && is_blocked_on_standby(c))
		text = arena_printf(c->arena, "Writes wait for a standby. %s", text);
	else if (n)
		text = arena_printf(
			c->arena, "%s; every acknowledged write is in %s too", text,
			zones_text(c, true, " or "));
	else if (c->was_settled_once)
		text = arena_printf(c->arena, "%s; writes go on with the primary alone", text);
	was = set(c, "Replicated", "False", n ? "Degraded" : "NoStandby", text);
	if (was)
		cluster_event(c, true, "ReplicationLost", "%s", text);
}

static const char *ready_text(struct cluster *c)
{
	const char *zones = zones_text(c, true, " and ");

	if (!*zones)
		return arena_printf(
			c->arena, "Running in %s%s", c->primary->zone,
			c->standbys_wanted ? ", without a standby" : "");
	return arena_printf(
		c->arena, "Primary in %s, synchronous %s in %s", c->primary->zone,
		count_in_set(c) > 1 ? "standbys" : "standby", zones);
}

struct verdict {
	const char *status, *reason, *text;
};

static struct verdict verdict_of(struct cluster *c)
{
	const struct cluster_member *p = c->primary;
	bool is_new = jv_int(c->database, "metadata.generation", 0) !=
		jv_int(c->database, "status.settledGeneration", 0);

	if (p && p->is_deleting)
		return (struct verdict){
			"False", "PrimaryRemoved",
			"Somebody deleted its primary, and the data with it"};
	if (p && p->host && !p->is_heard)
		return (struct verdict){"Unknown", "HostSilent", trouble_text(c, p)};
	if (p && !is_serving(c) && (has_joined(p) || !c->blocked.text))
		return (struct verdict){
			"False", has_joined(p) ? "PrimaryDown" : "Creating", trouble_text(c, p)};
	if (c->blocked.text && (is_new || !p))
		return (struct verdict){"False", c->blocked.reason, c->blocked.text};
	if (is_new && c->outstanding.text)
		return (struct verdict){"False", c->outstanding.reason, c->outstanding.text};
	if (c->was_settled_once && is_blocked_on_standby(c))
		return (struct verdict){
			"False", "WritesWait",
			jv_str_or(cond_get(c->database, "Replicated"), "message", "")};
	return (struct verdict){"True", "Ready", ready_text(c)};
}

static void say_ready(struct cluster *c)
{
	struct verdict v = verdict_of(c);
	const char *before = cond_status(c->before, "Ready");
	bool was_ready = before && !strcmp(before, "True"), is_ready = !strcmp(v.status, "True");

	cond_set(c->database, "Ready", v.status, v.reason, v.text);
	if (is_ready && !was_ready)
		cluster_event(c, false, "Ready", "%s", v.text);
	else if (!is_ready && was_ready)
		cluster_event(
			c, strcmp(v.reason, "Applying") && strcmp(v.reason, "Roles"), "NotReady",
			"%s", v.text);
	else if (
		c->blocked.text && !is_ready &&
		strcmp(jv_str_or(cond_get(c->before, "Ready"), "message", ""), v.text) != 0)
		cluster_event(c, true, v.reason, "%s", v.text);
}

static void say_progress(struct cluster *c)
{
	const struct cluster_note *doing = c->outstanding.text ? &c->outstanding : NULL;
	const struct cluster_member *m = c->standbys_wanted ? missed(c) : NULL;

	if (!doing && c->blocked.text)
		doing = &c->blocked;
	if (doing)
		set(c, "Progressing", "True", doing->reason, doing->text);
	else if (c->primary && !is_serving(c))
		set(c, "Progressing", "True", "Starting", trouble_text(c, c->primary));
	else if (m)
		set(c, "Progressing", "True", "Recovering", trouble_text(c, m));
	else
		set(c, "Progressing", "False", "Settled", "All is as it was asked for");
	if (c->pending.text)
		set(c, "RestartPending", "True", c->pending.reason, c->pending.text);
	else
		set(c, "RestartPending", "False", "NothingPending",
		    "No setting waits for a restart");
}

static void put_entry(struct cluster *c, json_t *members, struct cluster_member *m)
{
	if (m->is_primary && is_serving(c))
		json_object_set_new(m->entry, "joined", json_true());
	jv_set_str(m->entry, "role", role_of(m));
	jv_set_str(m->entry, "zone", m->zone);
	jv_set_str(m->entry, "state", m->is_deleting ? "Removing" : m->state);
	jv_set_str(m->entry, "endpoint", jv_str(m->status, "endpoint"));
	if (jv_at(m->status, "restartMs"))
		json_object_set(m->entry, "restartMs", jv_at(m->status, "restartMs"));
	if (m->is_primary)
		jv_remove(m->entry, "sync");
	else
		json_object_set_new(m->entry, "sync", json_boolean(m->is_in_set));
	json_array_append(members, m->entry);
}

static void put_members(struct cluster *c)
{
	const struct cluster_member *p = c->primary && !c->primary->is_gone ? c->primary : NULL;
	const char *standbys = zones_text(c, false, ", ");
	json_t *members = json_array();

	for (size_t i = 0; i < c->members_n; i++)
		if (!c->members[i].is_gone)
			put_entry(c, members, &c->members[i]);
	jv_set(c->database, "status.members", members);
	jv_set_str(c->database, "status.primaryZone", p ? p->zone : NULL);
	jv_set_str(c->database, "status.standbyZones", *standbys ? standbys : NULL);
	jv_set_str(c->database, "status.endpoint", p ? jv_str(p->status, "endpoint") : NULL);
}

void plan_status(struct cluster *c)
{
	json_t *generation = jv_at(c->database, "metadata.generation");

	put_members(c);
	note_version(c);
	note_missing(c);
	c->out->is_settled = is_serving(c) && !c->outstanding.text && !c->blocked.text;
	if (c->out->is_settled && generation)
		jv_set(c->database, "status.settledGeneration", json_incref(generation));
	if (generation)
		jv_set(c->database, "status.observedGeneration", json_incref(generation));
	say_replicated(c);
	say_ready(c);
	say_progress(c);
}

void plan_status_deleting(struct cluster *c, bool is_protected)
{
	const char *text = "Deleting its servers and Secrets", *reason = "Deleting";

	if (is_protected) {
		reason = "Protected";
		text = "It was asked to be deleted while spec.deletionProtection is true: set that "
		       "to false to let it go";
	}
	for (size_t i = 0; i < c->members_n; i++) {
		const struct cluster_member *m = &c->members[i];

		if (m->is_deleting && m->host && !m->is_heard)
			text = arena_printf(
				c->arena,
				"Waiting for host %s, which is silent, to remove %s: delete the "
				"Host if it never comes back",
				m->host->name, m->name);
	}
	put_members(c);
	cond_set(c->database, "Ready", "False", reason, text);
	cond_set(c->database, "Progressing", "True", reason, text);
}
