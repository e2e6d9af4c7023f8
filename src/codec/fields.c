#include "codec/fields.h"

#include "codec/fields_set.h"
#include "codec/fields_walk.h"

/* One of managedFields. Texts live in the managers' arena. */
struct manager {
	const char *name, *operation, *api_version, *subresource, *time;
	json_t *set; /* owned; NULL: empty */
};

struct managers {
	struct manager *v;
	size_t n;
	struct arena arena;
};

static const char apply[] = "Apply", update[] = "Update";

static void managers_done(struct managers *m)
{
	for (size_t i = 0; i < m->n; i++)
		json_decref(m->v[i].set);
	arena_done(&m->arena);
}

/* Replaces what *set is by made. */
static void set_become(json_t **set, json_t *made)
{
	json_decref(*set);
	*set = made;
}

/* Reading and writing managedFields. */

/* is_ours: this code wrote it. The set is then taken as it is, shared. */
static bool manager_read(struct managers *m, const json_t *doc, bool is_ours)
{
	json_t *set = json_object_get(doc, "fieldsV1");
	struct manager *to = &m->v[m->n];
	const char *operation = jv_str_or(doc, "operation", "");

	if (strcmp(operation, apply) != 0 && strcmp(operation, update) != 0)
		return false;
	if (is_ours)
		to->set = json_object_size(set) ? json_incref(set) : NULL;
	else if (fields_set_read(set, &to->set, NULL))
		return false;
	to->name = arena_strdup(&m->arena, jv_str_or(doc, "manager", ""));
	to->operation = strcmp(operation, apply) ? update : apply;
	to->api_version = arena_strdup(&m->arena, jv_str_or(doc, "apiVersion", ""));
	to->subresource = arena_strdup(&m->arena, jv_str_or(doc, "subresource", ""));
	to->time = arena_strdup(&m->arena, jv_str_or(doc, "time", ""));
	m->n++;
	return true;
}

/* Leaves room for those that a write adds: the writer, what was before the first apply, and as many
 * ancient ones as there are managers. False: some entry is none. */
static bool managers_read(struct managers *m, const json_t *list, bool is_ours)
{
	const json_t *doc;
	size_t i;

	*m = (struct managers){0};
	m->v = arena_array(&m->arena, struct manager, 2 * json_array_size(list) + 3);
	json_array_foreach (list, i, doc) {
		if (!manager_read(m, doc, is_ours)) {
			managers_done(m);
			*m = (struct managers){0};
			return false;
		}
	}
	return true;
}

static struct manager *manager_find(
	struct managers *m, const char *name, const char *operation, const char *api_version,
	const char *subresource)
{
	for (size_t i = 0; i < m->n; i++) {
		struct manager *at = &m->v[i];

		if (!strcmp(at->name, name) && !strcmp(at->operation, operation) &&
		    !strcmp(at->api_version, api_version) && !strcmp(at->subresource, subresource))
			return at;
	}
	m->v[m->n] = (struct manager){
		.name = arena_strdup(&m->arena, name),
		.operation = operation,
		.api_version = arena_strdup(&m->arena, api_version),
		.subresource = arena_strdup(&m->arena, subresource),
		.time = "",
	};
	return &m->v[m->n++];
}

/* Kubernetes' order: appliers first, then by time and name. */
static int manager_compare(const void *a, const void *b)
{
	const struct manager *ma = a, *mb = b;
	const char *const pairs[][2] = {
		{ma->operation, mb->operation},
		{ma->time, mb->time},
		{ma->name, mb->name},
		{ma->api_version, mb->api_version},
		{ma->subresource, mb->subresource},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		int order = strcmp(pairs[i][0], pairs[i][1]);

		if (order)
			return order;
	}
	return 0;
}

static json_t *manager_write(const struct manager *m)
{
	json_t *doc = json_object();

	json_object_set_new(doc, "manager", json_string(m->name));
	json_object_set_new(doc, "operation", json_string(m->operation));
	json_object_set_new(doc, "apiVersion", json_string(m->api_version));
	if (*m->time)
		json_object_set_new(doc, "time", json_string(m->time));
	json_object_set_new(doc, "fieldsType", json_string("FieldsV1"));
	json_object_set_new(doc, "fieldsV1", json_deep_copy(m->set));
	if (*m->subresource)
		json_object_set_new(doc, "subresource", json_string(m->subresource));
	return doc;
}

/* Sorts them, and gives those that own something. */
static json_t *managers_write(struct managers *m)
{
	json_t *list = json_array();

	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), manager_compare);
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].set)
			json_array_append_new(list, manager_write(&m->v[i]));
	return list;
}

static void managers_put(struct managers *m, json_t *object)
{
	json_t *list = managers_write(m);

	if (json_array_size(list)) {
		jv_set(object, "metadata.managedFields", list);
		return;
	}
	json_decref(list);
	jv_remove(object, "metadata.managedFields");
}

/* Ownership. */

static void diff_strip(struct fields_diff *d)
{
	fields_set_strip(&d->added);
	fields_set_strip(&d->modified);
	fields_set_strip(&d->removed);
}

/* What somebody who wrote `to` over `from` touched; what nobody owns is left out. */
static void
touched(const struct schema *s, const json_t *from, const json_t *to, json_t **ret_set,
	json_t **ret_removed)
{
	CLEANUP(jv_drop) json_t *nothing = json_object();
	struct fields_diff d;

	fields_compare(s->root, from ? from : nothing, to, &d);
	diff_strip(&d);
	*ret_set = fields_set_union(d.added, d.modified);
	*ret_removed = json_incref(d.removed);
	fields_diff_done(&d);
}

static void manager_lose(struct manager *m, const json_t *set, const json_t *removed)
{
	set_become(&m->set, fields_set_without(m->set, set));
	set_become(&m->set, fields_set_without(m->set, removed));
}

/* The oldest of those with operation Update, as far as they are too many, become one. */
static void managers_cap(struct managers *m, const struct manager *latest)
{
	static const char ancient[] = "ancient-changes";
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->v[i].operation == update && m->v[i].set;
	while (n-- > FIELDS_UPDATE_MANAGERS_MAX) {
		struct manager *oldest = NULL, *into;

		for (size_t i = 0; i < m->n; i++) {
			struct manager *at = &m->v[i];

			if (at->operation == update && at->set && at != latest &&
			    strcmp(at->name, ancient) != 0 &&
			    (!oldest || strcmp(at->time, oldest->time) < 0))
				oldest = at;
		}
		if (!oldest)
			return;
		into = manager_find(m, ancient, update, oldest->api_version, oldest->subresource);
		set_become(&into->set, fields_set_union(into->set, oldest->set));
		into->time = oldest->time;
		set_become(&oldest->set, NULL);
	}
}

static bool is_reset(const json_t *list)
{
	return json_array_size(list) == 1 && json_is_object(json_array_get(list, 0)) &&
		!json_object_size(json_array_get(list, 0));
}

static void managers_start(
	struct managers *m, const json_t *live, const json_t *object, const char *subresource)
{
	const json_t *given = *subresource ? NULL : jv_at(object, "metadata.managedFields");
	const json_t *ours = jv_at(live, "metadata.managedFields");

	if (is_reset(given))
		ours = NULL;
	else if (
		json_array_size(given) && !json_equal(given, ours) &&
		managers_read(m, given, false))
		return;
	if (!managers_read(m, ours, true))
		managers_read(m, NULL, true);
}

void fields_update(
	const struct schema *s, const json_t *live, json_t *object, const char *manager,
	const char *api_version, const char *subresource, const char *now)
{
	CLEANUP(jv_drop) json_t *set = NULL;
	CLEANUP(jv_drop) json_t *removed = NULL;
	CLEANUP(jv_drop) json_t *before = NULL;
	struct managers m;
	struct manager *own;

	managers_start(&m, live, object, subresource);
	touched(s, live, object, &set, &removed);
	own = manager_find(&m, manager, update, api_version, subresource);
	before = json_incref(own->set);
	for (size_t i = 0; i < m.n; i++)
		manager_lose(&m.v[i], set, removed);
	set_become(&own->set, fields_set_union(own->set, set));
	if (!json_equal(before, own->set))
		own->time = now;
	managers_cap(&m, own);
	managers_put(&m, object);
	managers_done(&m);
}

/* Applying. */

struct applying {
	struct managers managers;
	struct manager *own;
	json_t *before; /* the set that it owned */
	json_t *handed; /* the set that nobody refuses it: live still has it as last applied */
	struct fields_conflicts *conflicts;
	const char *other; /* who owns the fields that conflict_add gets */
};

/* Without what the (sub)resource does not take, or only the server sets. */
static json_t *config_make(const json_t *applied, const char *subresource)
{
	static const char *const server_set[] = {
		"metadata.managedFields",     "metadata.creationTimestamp",
		"metadata.generation",        "metadata.selfLink",
		"metadata.deletionTimestamp", "metadata.deletionGracePeriodSeconds",
	};
	json_t *config = json_deep_copy(applied);

	for (size_t i = 0; i < ARRAY_LEN(server_set); i++)
		jv_remove(config, server_set[i]);
	if (!*subresource) {
		json_object_del(config, "status");
		return config;
	}
	for (void *at = json_object_iter(config), *next; at; at = next) {
		const char *name = json_object_iter_key(at);

		next = json_object_iter_next(config, at);
		if (strcmp(name, "status") != 0 && strcmp(name, "apiVersion") != 0 &&
		    strcmp(name, "kind") != 0)
			json_object_del(config, name);
	}
	return config;
}

/* An object that nobody applied yet is what somebody wrote before. */
static void before_first_apply(
	struct managers *m, const struct schema *s, const json_t *live, const char *api_version,
	const char *now)
{
	struct manager *first;
	json_t *removed;

	if (!live || m->n)
		return;
	first = manager_find(m, "before-first-apply", update, api_version, "");
	touched(s, NULL, live, &first->set, &removed);
	first->time = now;
	json_decref(removed);
}

/* The fields that live still has as last_applied says. */
static json_t *still_as(const struct schema *s, const json_t *live, const json_t *last_applied)
{
	CLEANUP(jv_drop) json_t *set = NULL;
	struct fields_diff d;

	if (!live || !json_is_object(last_applied))
		return NULL;
	fields_compare(s->root, last_applied, live, &d);
	set = fields_of(s->root, last_applied);
	set_become(&set, fields_set_without(set, d.modified));
	set_become(&set, fields_set_without(set, d.removed));
	fields_diff_done(&d);
	return json_incref(set);
}

static json_t *set_of_all(const struct managers *m)
{
	json_t *all = NULL;

	for (size_t i = 0; i < m->n; i++)
		set_become(&all, fields_set_union(all, m->v[i].set));
	return all;
}

/* merged without what the manager applied before and nobody, itself included, owns now. */
static json_t *prune(const struct applying *p, const struct schema *s, const json_t *merged)
{
	CLEANUP(jv_drop) json_t *all = set_of_all(&p->managers);
	CLEANUP(jv_drop) json_t *before = fields_set_named(s->root, p->before);
	CLEANUP(jv_drop) json_t *kept = fields_set_named(s->root, all);
	CLEANUP(jv_drop) json_t *gone = fields_set_without(before, kept);

	fields_set_strip(&gone);
	return fields_remove(s->root, merged, gone);
}

static const char *manager_describe(struct arena *a, const struct manager *m)
{
	const char *text = arena_strdup(a, m->name);

	if (*m->subresource)
		text = arena_printf(a, "%s\" with subresource \"%s", text, m->subresource);
	if (m->operation == update)
		text = arena_printf(
			a, *m->time ? "%s\" using %s at %s" : "%s\" using %s", text, m->api_version,
			m->time);
	return text;
}

static void conflict_add(void *ctx, const char *path)
{
	struct applying *p = ctx;
	struct fields_conflicts *c = p->conflicts;

	if (c->n++ < FIELDS_CONFLICTS_MAX)
		c->v[c->n - 1] = (struct fields_conflict){p->other, arena_strdup(c->arena, path)};
}

static void conflicts_find(struct applying *p, const json_t *set)
{
	CLEANUP(jv_drop) json_t *contested = fields_set_without(set, p->handed);

	for (size_t i = 0; i < p->managers.n; i++) {
		const struct manager *m = &p->managers.v[i];
		CLEANUP(jv_drop) json_t *common = fields_set_common(m->set, contested);

		if (m == p->own || !common)
			continue;
		p->other = manager_describe(p->conflicts->arena, m);
		fields_set_each(common, conflict_add, p);
	}
}

/* A manager's text lacks the quote behind it, but where more follows its name. */
static const char *closing_quote(const char *manager)
{
	return strstr(manager, "\" using ") ? "" : "\"";
}

static enum err_code conflict_error(const struct fields_conflicts *c, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {0};
	const char *last = NULL;

	if (c->n == 1)
		return err_set(
			e, ERR_CONFLICT, "Apply failed with 1 conflict: conflict with \"%s%s: %s",
			c->v[0].manager, closing_quote(c->v[0].manager), c->v[0].field);
	for (size_t i = 0; i < MIN(c->n, (size_t)FIELDS_CONFLICTS_MAX); i++) {
		if (c->v[i].manager != last)
			buf_printf(
				&text, "%sconflicts with \"%s%s:", last ? "\n" : "",
				c->v[i].manager, closing_quote(c->v[i].manager));
		last = c->v[i].manager;
		buf_printf(&text, "\n- %s", c->v[i].field);
	}
	return err_set(e, ERR_CONFLICT, "Apply failed with %zu conflicts: %s", c->n, text.p);
}

/* Takes from others what merged changes of theirs. */
static enum err_code
take(struct applying *p, const struct schema *s, const json_t *live, const json_t *merged,
     bool force, struct err *e)
{
	CLEANUP(jv_drop) json_t *set = NULL;
	CLEANUP(jv_drop) json_t *removed = NULL;

	touched(s, live, merged, &set, &removed);
	if (!force)
		conflicts_find(p, set);
	if (p->conflicts->n)
		return conflict_error(p->conflicts, e);
	for (size_t i = 0; i < p->managers.n; i++)
		if (&p->managers.v[i] != p->own)
			manager_lose(&p->managers.v[i], set, removed);
	return ERR_OK;
}

static json_t *without_owners(const json_t *object)
{
	json_t *v = json_copy((json_t *)object);
	json_t *metadata = json_copy(json_object_get(object, "metadata"));

	json_object_del(metadata, "managedFields");
	if (metadata)
		json_object_set_new(v, "metadata", metadata);
	return v;
}

/* Whether the objects differ in more than who owns them. */
static bool is_changed(const json_t *live, const json_t *merged)
{
	CLEANUP(jv_drop) json_t *a = without_owners(live);
	CLEANUP(jv_drop) json_t *b = without_owners(merged);

	return !json_equal(a, b);
}

static enum err_code apply_run(
	struct applying *p, const struct schema *s, const json_t *live, const json_t *config,
	bool force, const char *now, json_t **ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *merged = NULL;
	CLEANUP(jv_drop) json_t *pruned = NULL;
	enum err_code code;

	merged = live ? fields_merge(s->root, live, config) : json_deep_copy(config);
	p->before = p->own->set;
	p->own->set = fields_of(s->root, config);
	fields_set_strip(&p->own->set);
	pruned = prune(p, s, merged);
	code = take(p, s, live, pruned, force, e);
	if (code)
		return code;
	if (!json_equal(p->before, p->own->set) || !live || is_changed(live, pruned))
		p->own->time = now;
	managers_put(&p->managers, pruned);
	*ret = json_incref(pruned);
	return ERR_OK;
}

enum err_code fields_apply(
	const struct schema *s, const json_t *live, const json_t *applied,
	const json_t *last_applied, const char *manager, const char *api_version,
	const char *subresource, bool force, const char *now, json_t **ret,
	struct fields_conflicts *conflicts, struct err *e)
{
	CLEANUP(jv_drop) json_t *config = NULL;
	struct applying p = {.conflicts = conflicts};
	enum err_code code;

	if (!json_is_object(applied))
		return err_set(e, ERR_INVALID, "what is applied is an object");
	if (!managers_read(&p.managers, jv_at(live, "metadata.managedFields"), true))
		managers_read(&p.managers, NULL, true);
	config = config_make(applied, subresource);
	before_first_apply(&p.managers, s, live, api_version, now);
	p.own = manager_find(&p.managers, manager, apply, api_version, subresource);
	p.handed = still_as(s, live, last_applied);
	code = apply_run(&p, s, live, config, force, now, ret, e);
	json_decref(p.handed);
	json_decref(p.before);
	managers_done(&p.managers);
	return code;
}
