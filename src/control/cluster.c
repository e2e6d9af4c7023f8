#include "control/cluster.h"

#include "control/mutant.h"
#include "kinds/member.h"
#include "kinds/parameter.h"

static const struct place_host *host_find(const struct cluster *c, const char *name)
{
	for (size_t i = 0; i < c->hosts_n; i++)
		if (!strcmp(c->hosts[i].name, name))
			return &c->hosts[i];
	return NULL;
}

/* What the plan remembers of a member, from the Database's own status. */
static json_t *entry_find(const struct cluster *c, const char *name)
{
	json_t *all = jv_at(c->database, "status.members"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(jv_str_or(one, "name", ""), name))
			return json_incref(one);
	return json_pack("{s:s}", "name", name);
}

static bool is_streaming(const struct cluster *c, const char *name)
{
	json_t *all = c->primary ? jv_at(c->primary->status, "replicas") : NULL, *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(jv_str_or(one, "member", ""), name))
			return !strcmp(jv_str_or(one, "state", ""), "streaming");
	return false;
}

static bool is_in_set(const struct cluster *c, const char *name)
{
	json_t *all = jv_at(c->database, "status.syncSet"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(json_string_value(one), name))
			return true;
	return false;
}

static void member_fill(struct cluster *c, struct cluster_member *m, const char *name)
{
	m->name = name;
	m->slot = member_slot(c->arena, name);
	m->entry = entry_find(c, name);
	m->host = host_find(c, jv_str_or(m->spec, "host", ""));
	m->zone = jv_str_or(m->spec, "zone", "?");
	m->state = jv_str_or(m->status, "state", "Pending");
	m->is_heard = m->host && m->host->is_ready;
	m->is_running = m->is_heard && !strcmp(m->state, "Running");
	m->is_in_set = is_in_set(c, name);
}

static void member_read(struct cluster *c, const json_t *object)
{
	struct cluster_member *m = &c->members[c->members_n++];

	m->object = object;
	m->was = jv_at(object, "spec");
	m->status = jv_at(object, "status");
	m->spec = m->was ? json_deep_copy(m->was) : json_object();
	m->is_deleting = cluster_is_deleting(object);
	member_fill(c, m, jv_str_or(object, "metadata.name", ""));
	m->is_primary = !strcmp(m->name, jv_str_or(c->database, "status.primary", ""));
}

/* "orders-10" comes after "orders-9". */
static bool is_before(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	return n != m ? n < m : strcmp(a, b) < 0;
}

static void members_read(struct cluster *c, const json_t *members)
{
	const char *uid = jv_str_or(c->before, "metadata.uid", "");
	json_t *one;
	size_t i;

	json_array_foreach (members, i, one)
		if (cluster_is_owned_by(one, uid) && c->members_n < CLUSTER_MEMBERS_MAX)
			member_read(c, one);
	for (i = 1; i < c->members_n; i++) {
		struct cluster_member m = c->members[i];
		size_t at = i;

		for (; at > 0 && is_before(m.name, c->members[at - 1].name); at--)
			c->members[at] = c->members[at - 1];
		c->members[at] = m;
	}
	for (i = 0; i < c->members_n; i++)
		if (c->members[i].is_primary)
			c->primary = &c->members[i];
	for (i = 0; i < c->members_n; i++)
		c->members[i].is_streaming =
			!c->members[i].is_primary && is_streaming(c, c->members[i].name);
}

/* Servers keep the version that they were made with. */
static void version_read(struct cluster *c)
{
	const char *asked = jv_str_or(c->database, "spec.version", "15");

	c->version = c->primary ? jv_str_or(c->primary->spec, "version", asked) : asked;
	c->major = parameter_major(c->version);
}

void cluster_init(
	struct cluster *c, const struct cluster_in *in, struct arena *a, struct outcome *out)
{
	bool is_flexible = !strcmp(jv_str_or(in->database, "spec.tier", "single"), "flexible");

	*c = (struct cluster){
		.arena = a,
		.out = out,
		.now_us = in->now_us,
		.zone_file = in->zone_file,
		.before = in->database,
		.database = json_deep_copy(in->database),
		.hosts = in->hosts,
		.hosts_n = in->hosts_n,
		.gateways = in->gateways,
		.name = jv_str_or(in->database, "metadata.name", ""),
		.namespace = jv_str_or(in->database, "metadata.namespace", ""),
		.epoch = jv_int(in->database, "status.epoch", 0),
		.is_strict = is_flexible &&
			!strcmp(jv_str_or(in->database, "spec.durability", ""), "strict"),
	};
	if (is_flexible)
		c->standbys_wanted = (size_t)jv_int(in->database, "spec.standbys", 1);
	c->was_settled_once = jv_int(in->database, "status.settledGeneration", 0) > 0;
	members_read(c, in->members);
	version_read(c);
}

void cluster_done(struct cluster *c)
{
	json_decref(c->database);
	for (size_t i = 0; i < c->members_n; i++) {
		json_decref(c->members[i].spec);
		json_decref(c->members[i].entry);
	}
}

struct cluster_member *
cluster_member_new(struct cluster *c, const char *role, const struct place_host *host)
{
	int64_t serial = jv_int(c->database, "status.memberSerial", 0) + 1;
	struct cluster_member *m = &c->members[c->members_n];

	if (c->members_n == CLUSTER_MEMBERS_MAX)
		return NULL;
	c->members_n++;
	if (!MUTANT(MUTANT_REUSE_NUMBER))
		jv_set(c->database, "status.memberSerial", json_integer(serial));
	m->spec = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:i}", "database", c->name, "host", host->name,
		"zone", host->zone, "version", c->version, "role", role, "epoch",
		(json_int_t)MAX(c->epoch, 1), "running", 1, "restart", 0);
	member_fill(c, m, arena_printf(c->arena, "%s-%lld", c->name, (long long)serial));
	return m;
}

bool cluster_member_is_in_effect(struct cluster *c, const struct cluster_member *m)
{
	if (!m->was || !m->is_running || json_array_size(jv_at(m->status, "pendingRestart")))
		return false;
	return !strcmp(jv_str_or(m->status, "settingsHash", ""),
		       member_settings_hash(c->arena, m->was)) &&
		jv_int(m->status, "restarted", 0) == jv_int(m->was, "restart", 0);
}

const char *cluster_member_text(struct cluster *c, const struct cluster_member *m)
{
	return arena_printf(c->arena, "%s in %s", m->name, m->zone);
}

void cluster_note(
	struct cluster *c, struct cluster_note *note, const char *reason, const char *fmt, ...)
{
	va_list ap;

	if (note->text)
		return;
	va_start(ap, fmt);
	*note = (struct cluster_note){reason, arena_vprintf(c->arena, fmt, ap)};
	va_end(ap);
}

void cluster_event(struct cluster *c, bool is_warning, const char *reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	outcome_event(c->out, c->before, is_warning, reason, arena_vprintf(c->arena, fmt, ap));
	va_end(ap);
}

json_t *cluster_owned(const struct cluster *c, const char *kind, const char *name)
{
	bool is_ours = !strcmp(kind, "Member");

	return json_pack(
		"{s:s, s:s, s:{s:s, s:s, s:{s:s}, s:[{s:s, s:s, s:s, s:s, s:b, s:b}]}}",
		"apiVersion", is_ours ? "slipway.dev/v1" : "v1", "kind", kind, "metadata", "name",
		name, "namespace", c->namespace, "labels", "slipway.dev/database", c->name,
		"ownerReferences", "apiVersion", "slipway.dev/v1", "kind", "Database", "name",
		c->name, "uid", jv_str_or(c->before, "metadata.uid", ""), "controller", 1,
		"blockOwnerDeletion", 1);
}

bool cluster_is_owned_by(const json_t *object, const char *uid)
{
	json_t *owners = jv_at(object, "metadata.ownerReferences"), *one;
	size_t i;

	json_array_foreach (owners, i, one)
		if (!strcmp(jv_str_or(one, "uid", ""), uid))
			return true;
	return false;
}

bool cluster_is_deleting(const json_t *object)
{
	return jv_str(object, "metadata.deletionTimestamp") != NULL;
}

json_t *cluster_without_finalizer(const json_t *object, const char *finalizer)
{
	json_t *copy = json_deep_copy(object), *all = jv_at(copy, "metadata.finalizers"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(json_string_value(one), finalizer)) {
			json_array_remove(all, i);
			break;
		}
	return copy;
}

static void emit_member(struct cluster *c, struct cluster_member *m)
{
	json_t *o;

	if (!m->object) {
		o = cluster_owned(c, "Member", m->name);
		json_object_set_new(
			jv_at(o, "metadata.labels"), "slipway.dev/host",
			json_string(jv_str_or(m->spec, "host", "")));
		jv_set(o, "metadata.finalizers", json_pack("[s]", CLUSTER_FINALIZER_MEMBER));
		json_object_set(o, "spec", m->spec);
		outcome_create(c->out, o);
		return;
	}
	if (m->is_deleting || json_equal(m->spec, m->was))
		return;
	o = json_deep_copy(m->object);
	json_object_set(o, "spec", m->spec);
	outcome_write(c->out, STORE_UPDATE, o);
}

static void emit_database(struct cluster *c)
{
	bool is_meta_equal =
		json_equal(jv_at(c->database, "metadata"), jv_at(c->before, "metadata"));

	if (!is_meta_equal)
		outcome_write(c->out, STORE_BOTH, json_incref(c->database));
	else if (!json_equal(jv_at(c->database, "status"), jv_at(c->before, "status")))
		outcome_write(c->out, STORE_STATUS, json_incref(c->database));
}

/* Nothing is decided on a Database or a primary that have changed meanwhile: what the primary
 * reported, and what was wished of it, is why the set may change. */
static void emit_guards(struct cluster *c)
{
	if (!c->out->writes_n || MUTANT(MUTANT_UNGUARDED))
		return;
	outcome_guard(c->out, c->before);
	if (c->primary && c->primary->object)
		outcome_guard(c->out, c->primary->object);
}

/* Secrets stand in the outcome already: whoever reads a Member in order of revisions finds the
 * verifiers that its roles speak of. */
void cluster_emit(struct cluster *c)
{
	for (size_t i = 0; i < c->members_n; i++)
		emit_member(c, &c->members[i]);
	emit_database(c);
	emit_guards(c);
}
