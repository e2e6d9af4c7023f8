#include "control/plan_sync.h"

#include "base/clock.h"
#include "control/mutant.h"
#include "control/reign.h"

/* The case of one Database: names as "ANY 1 (...)", sets as flags of its members. */
struct sync {
	struct cluster *c;
	const char *wish; /* names that the primary shall have, as read */
	const char *in_force; /* that it has proven to have; NULL: none yet */
	bool is_in_force; /* the last wish is */
	bool goal[CLUSTER_MEMBERS_MAX]; /* whom writes shall wait for */
	size_t goal_n, set_n;
};

static bool names_has(const char *names, const char *slot)
{
	size_t n = strlen(slot);

	for (const char *at = names; (at = strstr(at, slot)); at++)
		if (at > names && at[-1] == '"' && at[n] == '"')
			return true;
	return false;
}

static const char *names_of(struct sync *s, const bool *of)
{
	struct cluster *c = s->c;
	const char *list = "";

	for (size_t i = 0; i < c->members_n; i++)
		if (of[i])
			list = arena_printf(
				c->arena, "%s%s\"%s\"", list, *list ? ", " : "",
				c->members[i].slot);
	return *list ? arena_printf(c->arena, "ANY 1 (%s)", list) : "";
}

/* Has the primary seen it flush past the position at which its names were in force? */
static bool is_proven(const struct sync *s, const struct cluster_member *m)
{
	json_t *seen = jv_at(s->c->primary->status, "synchronous.members"), *one;
	size_t i;

	json_array_foreach (seen, i, one)
		if (!strcmp(json_string_value(one), m->name))
			return true;
	return false;
}

static bool is_all_proven(const struct sync *s, const bool *of)
{
	for (size_t i = 0; i < s->c->members_n; i++)
		if (of[i] && !is_proven(s, &s->c->members[i]))
			return false;
	return s->is_in_force;
}

static void set_put(struct sync *s, bool *is_in_set)
{
	struct cluster *c = s->c;
	struct reign to = reign_of(c->database);
	CLEANUP(jv_drop) json_t *set = json_array();

	s->set_n = 0;
	for (size_t i = 0; i < c->members_n; i++) {
		c->members[i].is_in_set = is_in_set[i];
		if (!is_in_set[i])
			continue;
		json_array_append_new(set, json_string(c->members[i].name));
		json_object_set_new(c->members[i].entry, "joined", json_true());
		s->set_n++;
	}
	to.sync_set = set;
	reign_change(c->database, &to);
}

static void names_put(struct sync *s, const char *names)
{
	if (strcmp(names, s->wish) != 0)
		s->is_in_force = false;
	s->wish = names;
	jv_set_str(s->c->primary->spec, "synchronousStandbyNames", names);
}

/* One that left: since when, so that a short absence (a restart) is waited for. */
static void note_absence(struct sync *s, struct cluster_member *m)
{
	const char *since = jv_str(m->entry, "goneSince");
	char text[CLOCK_TEXT];
	int64_t at = s->c->now_us;

	if (m->is_streaming || !json_object_get(m->entry, "joined")) {
		jv_remove(m->entry, "goneSince");
		return;
	}
	if (!since || clock_parse(str_of(since), &at, NULL))
		jv_set_str(m->entry, "goneSince", clock_text(at, text));
	if (m->is_in_set && !plan_sync_is_lost(s->c, m))
		outcome_wake(s->c->out, at + PLAN_SYNC_GRACE_MS * INT64_C(1000));
}

bool plan_sync_is_lost(const struct cluster *c, const struct cluster_member *m)
{
	const char *since = jv_str(m->entry, "goneSince");
	int64_t at;

	return since && !clock_parse(str_of(since), &at, NULL) &&
		c->now_us - at >= PLAN_SYNC_GRACE_MS * INT64_C(1000);
}

static void goal_add(struct sync *s, size_t i)
{
	s->goal_n += !s->goal[i];
	s->goal[i] = true;
}

static void goal_choose(struct sync *s)
{
	struct cluster *c = s->c;

	for (size_t i = 0; i < c->members_n; i++) {
		struct cluster_member *m = &c->members[i];

		s->set_n += m->is_in_set;
		if (m->is_primary)
			continue;
		note_absence(s, m);
		if (cluster_member_stays(m) &&
		    (m->is_streaming || (m->is_in_set && !plan_sync_is_lost(c, m))))
			goal_add(s, i);
	}
	if (s->goal_n || !c->is_strict || MUTANT(MUTANT_STRICT_LETS_GO))
		return;
	for (size_t i = 0; i < c->members_n; i++)
		if (c->members[i].is_in_set && cluster_member_stays(&c->members[i]))
			goal_add(s, i);
}

/* All standbys that stay: false where there are none. */
static bool all_choose(const struct cluster *c, bool *ret)
{
	bool is_any = false;

	for (size_t i = 0; i < c->members_n; i++) {
		ret[i] = !c->members[i].is_primary && cluster_member_stays(&c->members[i]);
		is_any |= ret[i];
	}
	return is_any;
}

/* In a new Database nobody writes yet (agents do not wait for standbys): the primary may count its
 * standbys before they are there, which saves a round. */
static const char *names_for_empty(struct sync *s)
{
	bool all[CLUSTER_MEMBERS_MAX];

	if (s->goal_n)
		return names_of(s, s->goal);
	if (!s->c->was_settled_once && all_choose(s->c, all))
		return names_of(s, all);
	return s->c->is_strict && !MUTANT(MUTANT_STRICT_LETS_GO) ? s->wish : "";
}

/* Whom the primary counts; false where nobody, or one that writes shall not wait for. */
static bool named_choose(const struct sync *s, bool *ret_named)
{
	bool is_any = false;

	for (size_t i = 0; i < s->c->members_n; i++) {
		ret_named[i] = names_has(s->wish, s->c->members[i].slot);
		if (ret_named[i] && !s->goal[i])
			return false;
		is_any |= ret_named[i];
	}
	return is_any;
}

/* The row is empty: first the names, then those that were seen to hold everything. */
static void from_empty(struct sync *s)
{
	bool named[CLUSTER_MEMBERS_MAX];

	if (named_choose(s, named) &&
	    (is_all_proven(s, named) || (s->is_in_force && MUTANT(MUTANT_GROW_UNSEEN))))
		set_put(s, named);
	else if (s->is_in_force || MUTANT(MUTANT_TWO_AT_A_TIME))
		names_put(s, names_for_empty(s));
}

/* Writes shall wait for nobody: the row first, in the same transaction as the wish. */
static void to_empty(struct sync *s)
{
	bool none[CLUSTER_MEMBERS_MAX] = {false};

	if (MUTANT(MUTANT_EMPTY_NAMES_FIRST) && *s->wish) {
		names_put(s, "");
		return;
	}
	set_put(s, none);
	if (!s->c->is_strict || MUTANT(MUTANT_STRICT_LETS_GO))
		names_put(s, "");
}

/* Members come into the row in the transaction that has the primary count them. */
static void grow(struct sync *s)
{
	struct cluster *c = s->c;
	bool set[CLUSTER_MEMBERS_MAX];

	for (size_t i = 0; i < c->members_n; i++)
		set[i] = s->goal[i] || c->members[i].is_in_set;
	if (!MUTANT(MUTANT_GROW_NAMES_FIRST))
		set_put(s, set);
	names_put(s, names_of(s, s->goal));
}

/* The primary counts those that stay; once they hold everything, the row names them alone. */
static void shrink(struct sync *s)
{
	const char *names = names_of(s, s->goal);

	if (MUTANT(MUTANT_SHRINK_ROW_FIRST)) {
		set_put(s, s->goal);
		names_put(s, names);
	} else if (strcmp(names, s->wish) != 0 && (s->is_in_force || MUTANT(MUTANT_TWO_AT_A_TIME)))
		names_put(s, names);
	else if (
		!strcmp(names, s->wish) &&
		(is_all_proven(s, s->goal) || MUTANT(MUTANT_SHRINK_UNSEEN)))
		set_put(s, s->goal);
}

static bool is_goal_in_set(const struct sync *s)
{
	for (size_t i = 0; i < s->c->members_n; i++)
		if (s->goal[i] && !s->c->members[i].is_in_set)
			return false;
	return true;
}

static void step(struct sync *s)
{
	if (!s->set_n)
		from_empty(s);
	else if (!s->goal_n)
		to_empty(s);
	else if (!is_goal_in_set(s)) {
		if (s->is_in_force || MUTANT(MUTANT_TWO_AT_A_TIME))
			grow(s);
	} else if (s->goal_n < s->set_n)
		shrink(s);
	else if (s->is_in_force)
		names_put(s, names_of(s, s->goal));
}

/* What a primary that is away, or not yet what it shall be, last said proves nothing. */
static bool is_primary_known(const struct cluster *c)
{
	const struct cluster_member *p = c->primary;

	return p->was && p->is_running && !strcmp(jv_str_or(p->status, "role", ""), "primary") &&
		jv_int(p->status, "epoch", 0) == c->epoch;
}

static struct sync sync_of(struct cluster *c)
{
	const struct cluster_member *p = c->primary;
	struct sync s = {
		.c = c,
		.wish = jv_str_or(p->was, "synchronousStandbyNames", ""),
		.in_force = jv_str(p->status, "synchronous.names"),
	};

	s.is_in_force = s.in_force && !strcmp(s.wish, s.in_force);
	return s;
}

void plan_sync(struct cluster *c)
{
	struct sync s;
	size_t set_n;

	if (!c->primary)
		return;
	s = sync_of(c);
	if (!c->primary->was)
		names_put(&s, names_for_empty(&s));
	if (!is_primary_known(c))
		return;
	goal_choose(&s);
	set_n = s.set_n;
	step(&s);
	if (!set_n && s.set_n) /* one that entered may bring the next with it */
		step(&s);
}

bool plan_sync_depends_on(const struct cluster *c, const struct cluster_member *m)
{
	const char *wish = jv_str_or(c->primary->spec, "synchronousStandbyNames", "");
	const char *in_force = jv_str(c->primary->status, "synchronous.names");

	if (MUTANT(MUTANT_REMOVE_COUNTED))
		return false;
	return m->is_in_set || !is_primary_known(c) || !in_force || names_has(wish, m->slot) ||
		names_has(in_force, m->slot);
}
