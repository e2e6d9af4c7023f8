#include "cli/plan_diff.h"

#include "kinds/database.h"

static const struct {
	const char *name; /* in JSON, and its summary's key */
	const char *mark;
	const char *words;
	const char *count; /* "1 to create" */
} actions[PLAN_ACTIONS] = {
	[PLAN_NOTHING] = {"nothing", " ", "stays as it is", "unchanged"},
	[PLAN_CREATE] = {"create", "+", "is created", "to create"},
	[PLAN_CHANGE] = {"change", "~", "is changed in place", "to change in place"},
	[PLAN_RESTART] = {"restart", "!", "is changed, and restarted", "to restart"},
	[PLAN_DESTROY] = {"destroy", "-", "loses something", "to destroy something of"},
};

enum plan_action plan_action_of(const json_t *change)
{
	const char *name = jv_str_or(change, "action", "");

	for (size_t i = 0; i < PLAN_ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0)
			return (enum plan_action)i;
	return PLAN_NOTHING;
}

/* ---- fields ---- */

static void field_add(json_t *fields, const char *path, const json_t *from, const json_t *to)
{
	json_t *f = json_pack("{s:s}", "path", path);

	json_object_set_new(f, "from", from ? json_deep_copy(from) : json_null());
	json_object_set_new(f, "to", to ? json_deep_copy(to) : json_null());
	json_array_append_new(fields, f);
}

/* An array of objects that each have a name is compared name by name. */
static bool is_named(const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (!jv_str(one, "name"))
			return false;
	return json_array_size(list) > 0;
}

static const json_t *named(const json_t *list, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (strcmp(jv_str_or(one, "name", ""), name) == 0)
			return one;
	return NULL;
}

static void
diff(struct arena *a, json_t *fields, const char *path, const json_t *from, const json_t *to);

static void
diff_objects(struct arena *a, json_t *fields, const char *path, json_t *from, json_t *to)
{
	const char *key;
	json_t *v;

	json_object_foreach (from, key, v)
		diff(a, fields, arena_printf(a, "%s.%s", path, key), v, json_object_get(to, key));
	json_object_foreach (to, key, v)
		if (!json_object_get(from, key))
			diff(a, fields, arena_printf(a, "%s.%s", path, key), NULL, v);
}

static void
diff_named(struct arena *a, json_t *fields, const char *path, const json_t *from, const json_t *to)
{
	const json_t *v;
	size_t i;

	json_array_foreach (from, i, v) {
		const char *name = jv_str(v, "name");

		diff(a, fields, arena_printf(a, "%s[%s]", path, name), v, named(to, name));
	}
	json_array_foreach (to, i, v) {
		const char *name = jv_str(v, "name");

		if (!named(from, name))
			diff(a, fields, arena_printf(a, "%s[%s]", path, name), NULL, v);
	}
}

static void
diff(struct arena *a, json_t *fields, const char *path, const json_t *from, const json_t *to)
{
	if ((!from && !to) || (from && to && json_equal(from, to)))
		return;
	if (json_is_object(from) && json_is_object(to))
		diff_objects(a, fields, path, (json_t *)(uintptr_t)from, (json_t *)(uintptr_t)to);
	else if (is_named(from) && is_named(to))
		diff_named(a, fields, path, from, to);
	else
		field_add(fields, path, from, to);
}

/* What people write: all but status and what the platform keeps in metadata. */
static json_t *fields_of(struct arena *a, const json_t *live, const json_t *wanted)
{
	static const char *const own[] = {
		"metadata.labels", "metadata.annotations", "metadata.finalizers", NULL};
	json_t *fields = json_array(), *v;
	const char *key;

	for (size_t i = 0; own[i]; i++)
		diff(a, fields, own[i], jv_at(live, own[i]), jv_at(wanted, own[i]));
	json_object_foreach ((json_t *)(uintptr_t)wanted, key, v)
		if (strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0)
			diff(a, fields, key, json_object_get(live, key), v);
	json_object_foreach ((json_t *)(uintptr_t)live, key, v)
		if (strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0 &&
		    !json_object_get(wanted, key))
			diff(a, fields, key, v, NULL);
	return fields;
}

/* ---- what it means for a Database ---- */

static int64_t standbys(const json_t *database)
{
	if (strcmp(jv_str_or(database, "spec.tier", "single"), "flexible") != 0)
		return 0;
	return jv_int(database, "spec.standbys", 1);
}

static void note(json_t *change, const char *key, const char *text)
{
	json_t *list = json_object_get(change, key);

	if (!list) {
		list = json_array();
		json_object_set_new(change, key, list);
	}
	json_array_append_new(list, json_string(text));
}

/* What the last restart of the primary took, else of a standby, which has the same data; 0: there
 * was none. */
static int64_t pause_measured(const json_t *live)
{
	const json_t *all = jv_at(live, "status.members"), *m;
	int64_t longest = 0;
	size_t i;

	json_array_foreach (all, i, m) {
		int64_t ms = jv_int(m, "restartMs", 0);

		if (ms > 0 && strcmp(jv_str_or(m, "role", ""), "primary") == 0)
			return ms;
		longest = MAX(longest, ms);
	}
	return longest;
}

static const char *pause_text(struct arena *a, const json_t *live, const json_t *wanted)
{
	int64_t ms = pause_measured(live);
	const char *in_window =
		jv_at(wanted, "spec.maintenanceWindow") ? "in the maintenance window: " : "";
	const char *what = standbys(live) > 0
		? "one server after the other, the primary last: its connections end, and writes "
		  "wait"
		: "connections end, and the database is away";

	if (ms)
		return arena_printf(
			a, "%s%s about %.1f s, as at its last restart", in_window, what,
			(double)MAX(ms, INT64_C(100)) / 1000);
	return arena_printf(
		a, "%s%s 1 to 3 s, as most do: it was not restarted so far", in_window, what);
}

static void restart_add(struct arena *a, json_t *change, const json_t *live, const json_t *wanted)
{
	CLEANUP(jv_drop) json_t *from = database_settings(live);
	CLEANUP(jv_drop) json_t *to = database_settings(wanted);
	json_t *settings =
		database_restart_reasons(jv_str_or(live, "spec.version", "15"), from, to);
	json_t *restart;

	if (json_array_size(settings) == 0) {
		json_decref(settings);
		return;
	}
	restart =
		json_pack("{s:o, s:s}", "settings", settings, "pause", pause_text(a, live, wanted));
	if (pause_measured(live))
		json_object_set_new(restart, "pauseMs", json_integer(pause_measured(live)));
	json_object_set_new(change, "restart", restart);
}

static void note_losses(
	struct arena *a, json_t *change, const json_t *from, const json_t *to, const char *what,
	const char *rest)
{
	const json_t *one;
	size_t i;

	json_array_foreach (from, i, one) {
		const char *name = jv_str_or(one, "name", "");

		if (!named(to, name))
			note(change, "notes", arena_printf(a, "%s %s %s", what, name, rest));
	}
}

static void standbys_note(struct arena *a, json_t *change, int64_t from, int64_t to)
{
	if (to > from)
		note(change, "notes",
		     arena_printf(
			     a, "%lld standby(s) more, from a base backup; the primary goes on",
			     (long long)(to - from)));
	if (to < from)
		note(change, "destroys",
		     arena_printf(
			     a, "%lld standby(s) with their copy of the data%s",
			     (long long)(from - to),
			     to ? "" : ": no other zone holds the data then"));
}

static void
database_meaning(struct arena *a, json_t *change, const json_t *live, const json_t *wanted)
{
	restart_add(a, change, live, wanted);
	standbys_note(a, change, standbys(live), standbys(wanted));
	/* the platform drops neither by itself: it stops to manage them */
	note_losses(
		a, change, jv_at(live, "spec.databases"), jv_at(wanted, "spec.databases"),
		"database", "is no longer managed; it stays in the server");
	note_losses(
		a, change, jv_at(live, "spec.roles"), jv_at(wanted, "spec.roles"), "role",
		"is no longer managed; it stays in the server");
}

static const char *database_summary(struct arena *a, const json_t *d)
{
	int64_t n = standbys(d);

	return arena_printf(
		a, "PostgreSQL %s, size %s, %s", jv_str_or(d, "spec.version", "15"),
		jv_str_or(d, "spec.size", "small"),
		n == 0           ? "one server"
			: n == 1 ? "a primary and a synchronous standby in another zone"
				 : "a primary and two synchronous standbys in other zones");
}

static enum plan_action action_of(const json_t *live, const json_t *change)
{
	if (!live)
		return PLAN_CREATE;
	if (json_object_get(change, "destroys"))
		return PLAN_DESTROY;
	if (json_object_get(change, "restart"))
		return PLAN_RESTART;
	return json_array_size(json_object_get(change, "fields")) ? PLAN_CHANGE : PLAN_NOTHING;
}

/* That a secret changes may be seen, but not what it is. */
static void hide(json_t *fields)
{
	json_t *field;
	size_t i;

	json_array_foreach (fields, i, field) {
		if (!str_starts(str_of(jv_str_or(field, "path", "")), "data") &&
		    !str_starts(str_of(jv_str_or(field, "path", "")), "stringData"))
			continue;
		json_object_set_new(field, "from", json_string("(hidden)"));
		json_object_set_new(field, "to", json_string("(hidden)"));
	}
}

json_t *plan_change(const json_t *live, const json_t *wanted)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *kind = jv_str_or(wanted, "kind", "");
	bool is_database = strcmp(kind, "Database") == 0;
	json_t *change = json_pack("{s:s, s:s}", "action", "", "kind", kind);

	jv_set_str(change, "namespace", jv_str(wanted, "metadata.namespace"));
	jv_set_str(change, "name", jv_str_or(wanted, "metadata.name", ""));
	if (is_database && !live)
		jv_set_str(change, "summary", database_summary(&a, wanted));
	if (live)
		json_object_set_new(change, "fields", fields_of(&a, live, wanted));
	if (strcmp(kind, "Secret") == 0)
		hide(json_object_get(change, "fields"));
	if (live && is_database)
		database_meaning(&a, change, live, wanted);
	jv_set_str(change, "action", actions[action_of(live, change)].name);
	return change;
}

/* ---- the whole plan ---- */

json_t *plan_document(json_t *changes)
{
	json_t *summary = json_object();
	size_t counts[PLAN_ACTIONS] = {0}, i;
	const json_t *change;

	json_array_foreach (changes, i, change)
		counts[plan_action_of(change)]++;
	for (i = 0; i < PLAN_ACTIONS; i++)
		json_object_set_new(summary, actions[i].name, json_integer((json_int_t)counts[i]));
	return json_pack("{s:o, s:o}", "changes", changes, "summary", summary);
}

static void value_print(struct buf *out, const json_t *v)
{
	if (json_is_null(v))
		buf_puts(out, "(none)");
	else
		jv_print(out, v, false);
}

static void texts_print(struct buf *out, const char *before, const json_t *list)
{
	const json_t *text;
	size_t i;

	json_array_foreach (list, i, text)
		buf_printf(out, "      %s%s\n", before, json_string_value(text));
}

static void restart_print(struct buf *out, const json_t *change)
{
	const json_t *name;
	size_t i;

	if (!json_object_get(change, "restart"))
		return;
	buf_puts(out, "      restart for ");
	json_array_foreach (jv_at(change, "restart.settings"), i, name)
		buf_printf(out, "%s%s", i ? ", " : "", json_string_value(name));
	buf_printf(out, "\n      pause: %s\n", jv_str_or(change, "restart.pause", ""));
}

static void change_print(struct buf *out, const json_t *change)
{
	enum plan_action action = plan_action_of(change);
	const char *ns = jv_str(change, "namespace");
	const json_t *field;
	size_t i;

	buf_printf(
		out, "%s %s %s%s%s %s\n", actions[action].mark, jv_str_or(change, "kind", ""),
		ns ? ns : "", ns ? "/" : "", jv_str_or(change, "name", ""), actions[action].words);
	if (jv_str(change, "summary"))
		buf_printf(out, "      %s\n", jv_str(change, "summary"));
	json_array_foreach (json_object_get(change, "fields"), i, field) {
		buf_printf(out, "      %s: ", jv_str_or(field, "path", ""));
		value_print(out, json_object_get(field, "from"));
		buf_puts(out, " -> ");
		value_print(out, json_object_get(field, "to"));
		buf_putc(out, '\n');
	}
	restart_print(out, change);
	texts_print(out, "destroys ", json_object_get(change, "destroys"));
	texts_print(out, "", json_object_get(change, "notes"));
}

void plan_print(struct buf *out, const json_t *document)
{
	const json_t *change;
	const char *gap = "";
	size_t i;

	json_array_foreach (json_object_get(document, "changes"), i, change)
		change_print(out, change);
	buf_puts(out, i ? "\nPlan: " : "Plan: ");
	for (i = PLAN_CREATE; i < PLAN_ACTIONS; i++) {
		json_int_t n = json_integer_value(
			json_object_get(json_object_get(document, "summary"), actions[i].name));

		if (n)
			buf_printf(out, "%s%lld %s", gap, (long long)n, actions[i].count);
		gap = n ? ", " : gap;
	}
	buf_puts(out, gap[0] ? ".\n" : "nothing to do.\n");
}
