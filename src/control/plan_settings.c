#include "control/plan_settings.h"

#include "codec/window.h"
#include "control/mutant.h"
#include "control/plan_sync.h"
#include "kinds/database.h"
#include "kinds/member.h"
#include "kinds/parameter.h"

enum { RESTART_TRIES_MAX = 2 };

static double number_of(const struct cluster *c, const json_t *settings, const char *name)
{
	const struct parameter *p = parameter_find(c->major, name);
	const char *text = json_string_value(json_object_get(settings, name));
	double n;

	return p && text && parameter_number(p, text, &n) ? n : 0;
}

/* A standby that follows, or is on its way to: one that is lost, or cannot be made, holds nobody
 * up. */
static bool counts(const struct cluster *c, const struct cluster_member *m)
{
	if (m->is_primary || m->is_deleting || !m->host)
		return false;
	return m->is_in_set ||
		(!m->is_unwanted && !plan_sync_is_lost(c, m) && strcmp(m->state, "Failed") != 0);
}

/* What the primary may be running with, at most: status.boundSettings. Known exactly when its
 * settings are in effect, else the highest of what it may have. */
static void bound_update(struct cluster *c, const json_t *settings, bool is_exact)
{
	json_t *bound = jv_object_at(c->database, "status.boundSettings");
	json_t *value;
	const char *name;

	json_object_foreach ((json_t *)(uintptr_t)settings, name, value)
		if (database_setting_is_standby_bound(name) &&
		    (is_exact || !json_object_get(bound, name) ||
		     number_of(c, settings, name) > number_of(c, bound, name)))
			json_object_set(bound, name, value);
}

/* The higher of two texts of a number. */
static void raise_to(struct cluster *c, json_t *settings, const char *name, const json_t *than)
{
	if (number_of(c, than, name) > number_of(c, settings, name))
		json_object_set(settings, name, json_object_get(than, name));
}

static bool has_every_standby(struct cluster *c, const json_t *settings, const char *name)
{
	for (size_t i = 0; i < c->members_n; i++) {
		const struct cluster_member *m = &c->members[i];

		if (counts(c, m) &&
		    (!cluster_member_is_in_effect(c, m) ||
		     number_of(c, jv_at(m->was, "settings"), name) < number_of(c, settings, name)))
			return false;
	}
	return true;
}

/* Says whether the primary has to wait for its standbys. */
static bool settle_primary(struct cluster *c, json_t *settings)
{
	const json_t *was = jv_at(c->primary->was, "settings");
	json_t *value;
	const char *name;
	bool is_held = false;
	void *next;

	if (!was || MUTANT(MUTANT_RAISE_PRIMARY_FIRST))
		return false;
	json_object_foreach_safe(settings, next, name, value) if (
		database_setting_is_standby_bound(name) &&
		number_of(c, settings, name) > number_of(c, was, name) &&
		!has_every_standby(c, settings, name))
	{
		is_held = true;
		json_object_set(settings, name, json_object_get(was, name));
	}
	return is_held;
}

static void settle_standby(struct cluster *c, json_t *settings)
{
	const json_t *bound = jv_at(c->database, "status.boundSettings");
	json_t *value;
	const char *name;
	void *next;

	if (MUTANT(MUTANT_LOWER_STANDBY_FIRST))
		return;
	json_object_foreach_safe(
		settings, next, name, value) if (database_setting_is_standby_bound(name))
		raise_to(c, settings, name, bound);
}

/* As asked for, but for the version, which stays. */
static json_t *settings_asked(struct cluster *c)
{
	json_t *as = json_copy(c->database), *spec = json_copy(jv_at(c->database, "spec"));
	json_t *settings;

	json_object_set_new(spec, "version", json_string(c->version));
	json_object_set_new(as, "spec", spec);
	settings = database_settings(as);
	json_decref(as);
	return settings;
}

static void put(struct cluster *c, struct cluster_member *m, json_t *settings)
{
	bool is_changed = !json_equal(json_object_get(m->spec, "settings"), settings);
	bool is_on_its_way = !cluster_member_is_in_effect(c, m) &&
		!json_array_size(jv_at(m->status, "pendingRestart"));

	if (is_changed)
		json_object_set(m->spec, "settings", settings);
	if (m->is_running && (is_changed || is_on_its_way))
		cluster_note(
			c, &c->outstanding, "Applying", "Applying settings on %s",
			cluster_member_text(c, m));
}

void plan_settings(struct cluster *c)
{
	CLEANUP(jv_drop) json_t *asked = c->primary ? settings_asked(c) : NULL;
	const json_t *was;

	if (!c->primary)
		return;
	was = jv_at(c->primary->was, "settings");
	bound_update(c, was ? was : asked, cluster_member_is_in_effect(c, c->primary));
	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];
		CLEANUP(jv_drop) json_t *settings = json_deep_copy(asked);

		if (m->is_primary) {
			c->is_held = settle_primary(c, settings);
			bound_update(c, settings, false);
		} else {
			settle_standby(c, settings);
		}
		put(c, m, settings);
	}
}

/* Restarts. */

static bool needs_restart(struct cluster *c, const struct cluster_member *m)
{
	return m->was && m->is_running && cluster_member_stays(m) &&
		json_array_size(jv_at(m->status, "pendingRestart")) > 0 &&
		json_equal(jv_at(m->was, "settings"), jv_at(m->spec, "settings")) &&
		!strcmp(jv_str_or(m->status, "settingsHash", ""),
			member_settings_hash(c->arena, m->was));
}

static bool is_restarting(const struct cluster_member *m)
{
	return m->was && cluster_member_stays(m) && m->is_heard &&
		jv_int(m->was, "restart", 0) > jv_int(m->status, "restarted", 0);
}

static bool was_restarted_for_these(struct cluster *c, const struct cluster_member *m)
{
	return !strcmp(
		jv_str_or(m->entry, "restartedFor", ""), member_settings_hash(c->arena, m->was));
}

/* It was restarted for these settings, and says that they still need one: twice is enough. */
static bool is_restart_vain(struct cluster *c, const struct cluster_member *m)
{
	return was_restarted_for_these(c, m) &&
		jv_int(m->entry, "restartTries", 0) >= RESTART_TRIES_MAX;
}

static const char *reasons_text(struct cluster *c, const struct cluster_member *m)
{
	json_t *all = jv_at(m->status, "pendingRestart"), *one;
	const char *text = "";
	size_t i;

	json_array_foreach (all, i, one)
		text = arena_printf(
			c->arena, "%s%s%s", text,
			!i                                     ? ""
				: i + 1 < json_array_size(all) ? ", "
							       : " and ",
			json_string_value(one) ? json_string_value(one) : "?");
	return text;
}

static bool is_primary_first(const struct cluster *c, const json_t *asked)
{
	const json_t *bound = jv_at(c->database, "status.boundSettings"), *value;
	bool has_lowered = false, has_raised = false;
	const char *name;

	json_object_foreach ((json_t *)(uintptr_t)asked, name, value) {
		double now = number_of(c, bound, name), then = number_of(c, asked, name);

		if (!database_setting_is_standby_bound(name))
			continue;
		has_lowered |= then < now;
		has_raised |= then > now;
	}
	return has_lowered && !has_raised;
}

/* The next one whose turn it is; NULL: none, or all have to wait for something. */
static struct cluster_member *next_of(struct cluster *c, bool is_primary_first)
{
	struct cluster_member *p = c->primary, *next = NULL;

	for (size_t i = c->members_n; i-- > 0;) {
		struct cluster_member *m = &c->members[i];

		if (m == p || !cluster_member_stays(m))
			continue;
		if (needs_restart(c, m) && !is_restart_vain(c, m))
			next = m;
	}
	if (needs_restart(c, p) && !is_restart_vain(c, p) && (is_primary_first || !next))
		next = p;
	return next;
}

/* All that count follow: a restart now costs no more than a pause. */
static bool is_steady(struct cluster *c)
{
	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (counts(c, m) && (!m->is_streaming || !m->is_in_set))
			return false;
	}
	return c->primary->is_running;
}

/* Text of why it must wait for the window; NULL: it may be done now. */
static const char *window_wait(struct cluster *c)
{
	const json_t *window = jv_at(c->database, "spec.maintenanceWindow");
	struct window_state s;
	struct err e;

	if (!window || !c->was_settled_once)
		return NULL;
	if (window_at(window, c->zone_file, c->now_us, &s, &e))
		return arena_printf(c->arena, "it waits for the maintenance window: %s", e.text);
	if (s.is_open)
		return NULL;
	outcome_wake(c->out, s.next_us);
	return arena_printf(c->arena, "it happens in the maintenance window, %s", s.text);
}

static void note_restarting(struct cluster *c, const struct cluster_member *m)
{
	const char *reasons = reasons_text(c, m);

	cluster_note(
		c, &c->outstanding, "Restarting", "Restarting %s%s%s", cluster_member_text(c, m),
		*reasons ? " for " : "", reasons);
}

static void restart(struct cluster *c, struct cluster_member *m)
{
	int64_t n = MAX(jv_int(m->spec, "restart", 0), jv_int(m->status, "restarted", 0)) + 1;

	int64_t tries = was_restarted_for_these(c, m) ? jv_int(m->entry, "restartTries", 0) : 0;

	jv_set(m->spec, "restart", json_integer(n));
	jv_set(m->entry, "restartTries", json_integer(tries + 1));
	jv_set_str(m->entry, "restartedFor", member_settings_hash(c->arena, m->was));
	note_restarting(c, m);
	cluster_event(
		c, false, "Restarting", "Restarting the %s %s for %s",
		m->is_primary ? "primary" : "standby", cluster_member_text(c, m),
		reasons_text(c, m));
}

/* One is on its way: the others wait for it. */
static bool is_any_restarting(struct cluster *c)
{
	for (size_t i = 0; i < c->members_n; i++) {
		if (cluster_member_is_in_effect(c, &c->members[i])) {
			jv_remove(c->members[i].entry, "restartedFor");
			jv_remove(c->members[i].entry, "restartTries");
		}
		if (!is_restarting(&c->members[i]))
			continue;
		note_restarting(c, &c->members[i]);
		return !MUTANT(MUTANT_RESTART_TOGETHER);
	}
	return false;
}

static void restart_next(struct cluster *c)
{
	CLEANUP(jv_drop) json_t *asked = settings_asked(c);
	struct cluster_member *m = next_of(c, is_primary_first(c, asked));
	const char *wait;

	if (!m)
		return;
	wait = window_wait(c);
	if (wait)
		cluster_note(
			c, &c->pending, "WaitingForWindow", "%s needs a restart for %s; %s",
			m->name, reasons_text(c, m), wait);
	else if (is_steady(c) || MUTANT(MUTANT_RESTART_TOGETHER))
		restart(c, m);
	else
		cluster_note(
			c, &c->outstanding, "Waiting",
			"The restart of %s waits until the standbys follow", m->name);
}

static void note_vain(struct cluster *c)
{
	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		if (needs_restart(c, m) && is_restart_vain(c, m) && !is_restarting(m))
			cluster_note(
				c, &c->pending, "Unchanged",
				"%s was restarted and still does not use the new value of %s",
				m->name, reasons_text(c, m));
	}
}

void plan_settings_restart(struct cluster *c)
{
	if (!c->primary || !c->primary->was)
		return;
	if (!is_any_restarting(c))
		restart_next(c);
	note_vain(c);
	if (c->is_held && !c->pending.text)
		cluster_note(
			c, &c->outstanding, "Applying", "Applying settings, on the standbys first");
}
