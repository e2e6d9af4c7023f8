#include "control/plan_access.h"

#include "base/clock.h"
#include "codec/scram.h"
#include "control/credentials.h"
#include "control/mutant.h"
#include "control/plan_gateway.h"
#include "kinds/credential.h"
#include "kinds/member.h"

static const char number_key[] = "slipway.dev/credential";
static const char next_key[] = "slipway.dev/next-credential"; /* of a verifier: which its next is */
static const char rotated_for_key[] = "slipway.dev/rotated-for";
static const char rotated_at_key[] = "slipway.dev/rotated-at";

/* One role's Secrets, on their way. */
struct grant {
	struct cluster *c;
	const struct plan_access_conf *conf;
	const char *role;
	const json_t *credentials_was, *verifier_was; /* NULL: not there */
	json_t *credentials, *verifier; /* as they shall be */
	int64_t number; /* of the password that the servers take */
};

static const char *note_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(jv_at(object, "metadata.annotations"), key));
}

static void note_put(json_t *object, const char *key, const char *value)
{
	json_t *notes = jv_object_at(object, "metadata.annotations");

	if (value)
		json_object_set_new(notes, key, json_string(value));
	else
		json_object_del(notes, key);
}

static int64_t number_of(const json_t *object)
{
	const char *text = note_of(object, number_key);
	int64_t n;

	return text && str_to_i64(str_of(text), &n) ? n : 0;
}

static void number_put(json_t *object, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	note_put(object, number_key, text);
}

static const json_t *find(const json_t *secrets, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach (secrets, i, one)
		if (!strcmp(jv_str_or(one, "metadata.name", ""), name))
			return one;
	return NULL;
}

static bool is_login(const json_t *role)
{
	return jv_bool(role, "login", true);
}

/* Somebody else's Secret of that name is left alone. */
static bool is_foreign(struct cluster *c, const json_t *secret, const char *type, const char *role)
{
	const json_t *labels = jv_at(secret, "metadata.labels");
	const char *of = json_string_value(json_object_get(labels, CREDENTIAL_LABEL_ROLE));

	if (!secret)
		return false;
	if (cluster_is_owned_by(secret, jv_str_or(c->before, "metadata.uid", "")) &&
	    !strcmp(jv_str_or(secret, "type", ""), type) && of && !strcmp(of, role))
		return false;
	cluster_note(
		c, &c->blocked, "SecretTaken",
		"Secret %s is there already and is not this database's: delete it, or name the "
		"role %s otherwise",
		jv_str_or(secret, "metadata.name", ""), role);
	return true;
}

static json_t *secret_new(struct grant *g, const char *name, const char *type)
{
	json_t *o = cluster_owned(g->c, "Secret", name);

	json_object_set_new(
		jv_at(o, "metadata.labels"), CREDENTIAL_LABEL_ROLE, json_string(g->role));
	json_object_set_new(o, "type", json_string(type));
	json_object_set_new(o, "data", json_object());
	return o;
}

static const char *dbname_of(const struct grant *g)
{
	json_t *all = jv_at(g->c->database, "spec.databases"), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (!strcmp(jv_str_or(one, "owner", ""), g->role))
			return jv_str_or(one, "name", "");
	return jv_str_or(g->c->database, "spec.databases.0.name", g->c->name);
}

static void endpoint_add(struct credentials_where *w, const struct cluster_member *m)
{
	const char *address = jv_str(m->status, "address");
	int64_t port = jv_int(m->status, "port", 0);

	if (address && port && w->endpoints_n < CREDENTIALS_ENDPOINTS_MAX)
		w->endpoints[w->endpoints_n++] = (struct credentials_endpoint){address, (int)port};
}

static struct credentials_where where_of(const struct grant *g)
{
	struct cluster *c = g->c;
	struct credentials_where w = {
		.user = g->role, .dbname = dbname_of(g), .ca_pem = g->conf->ca_pem};

	if (plan_gateway_where(c, w.dbname, &w))
		return w;
	if (c->primary)
		endpoint_add(&w, c->primary);
	for (size_t i = 0; w.endpoints_n && i < c->members_n; i++)
		if (!c->members[i].is_primary && cluster_member_stays(&c->members[i]))
			endpoint_add(&w, &c->members[i]);
	return w;
}

static void password_new(struct grant *g, struct secret *ret)
{
	void (*random)(struct secret *, size_t) = g->conf->random ? g->conf->random : secret_random;

	random(ret, CREDENTIALS_PASSWORD_LENGTH);
	number_put(g->credentials, MAX(number_of(g->credentials), g->number) + 1);
}

static bool is_pending(const struct grant *g)
{
	return !strcmp(note_of(g->credentials, CREDENTIAL_ROTATION) ?: "", "pending");
}

/* A new value of the Database's annotation asks for a new password. One that somebody has fetched
 * must have reached the servers first. */
static bool is_rotation_due(const struct grant *g)
{
	const char *asked = note_of(g->c->database, CREDENTIAL_ROTATE);
	const char *done = note_of(g->credentials, rotated_for_key);
	const char *state = note_of(g->credentials, CREDENTIAL_ROTATION);

	return asked && (!done || strcmp(asked, done) != 0) && (!state || is_pending(g));
}

static void rotate(struct grant *g, struct secret *password)
{
	char now[CLOCK_TEXT];

	password_new(g, password);
	note_put(g->credentials, CREDENTIAL_ROTATION, "pending");
	note_put(g->credentials, rotated_for_key, note_of(g->c->database, CREDENTIAL_ROTATE));
	note_put(g->credentials, rotated_at_key, clock_text(g->c->now_us, now));
	cluster_event(
		g->c, false, "CredentialsRotated",
		"Made a new password for role %s; the old one works until the new one is fetched, "
		"at most an hour",
		g->role);
}

/* After an hour the old password ends, fetched or not. */
static void end_pending(struct grant *g)
{
	const char *text = note_of(g->credentials, rotated_at_key);
	int64_t at, end;

	if (!is_pending(g))
		return;
	if (!text || clock_parse(str_of(text), &at, NULL))
		at = 0;
	end = at + PLAN_ACCESS_PENDING_S * INT64_C(1000000);
	if (g->c->now_us >= end || MUTANT(MUTANT_VERIFIER_EARLY))
		note_put(g->credentials, CREDENTIAL_ROTATION, "fetched");
	else
		outcome_wake(g->c->out, end);
}

/* Is the verifier that waits that of the password that waits? */
static bool is_next_current(const struct grant *g)
{
	const char *number = note_of(g->verifier, next_key);

	return number && !strcmp(number, note_of(g->credentials, number_key) ?: "");
}

static const char *verifier_text(struct arena *a, const struct grant *g, const char *key)
{
	const char *text = json_string_value(json_object_get(jv_at(g->verifier, "data"), key));
	struct str clear;

	return text && !secret_unbase64(a, str_of(text), &clear, NULL)
		? arena_strndup(a, clear.p, clear.n)
		: NULL;
}

/* like NULL: with a new salt. */
static void
put_verifier(struct grant *g, const char *key, const struct secret *password, const char *like)
{
	struct arena a = {0};
	int iterations = g->conf->scram_iterations ? g->conf->scram_iterations : SCRAM_ITERATIONS;
	const char *text =
		like ? credentials_verifier_like(&a, password, verifier_text(&a, g, like)) : NULL;

	if (!text)
		text = credentials_verifier(&a, password, iterations);
	json_object_set_new(
		jv_object_at(g->verifier, "data"), key,
		json_string(secret_base64(&a, str_of(text))));
	arena_done(&a);
}

/* The servers shall take the password of the credentials. */
static void take_verifier(struct grant *g, const struct secret *password)
{
	json_t *data = jv_object_at(g->verifier, "data");
	json_t *next = json_object_get(data, CREDENTIAL_VERIFIER_NEXT);

	if (next && is_next_current(g))
		json_object_set(data, CREDENTIAL_VERIFIER, next);
	else
		put_verifier(g, CREDENTIAL_VERIFIER, password, NULL);
	json_object_del(data, CREDENTIAL_VERIFIER_NEXT);
	note_put(g->verifier, next_key, NULL);
	g->number = number_of(g->credentials);
	number_put(g->verifier, g->number);
}

/* What the gateways may meet as soon as somebody fetches the password that waits: they hear of it
 * before. */
static void prepare_verifier(struct grant *g, const struct secret *password)
{
	if (is_next_current(g))
		return;
	put_verifier(g, CREDENTIAL_VERIFIER_NEXT, password, CREDENTIAL_VERIFIER);
	note_put(g->verifier, next_key, note_of(g->credentials, number_key));
}

/* Number of the credential that the primary has proven to take; 0: none yet. */
static int64_t number_in_effect(const struct grant *g)
{
	const struct cluster_member *p = g->c->primary;
	json_t *roles = p ? jv_at(p->was, "roles") : NULL, *one;
	size_t i;

	if (!roles ||
	    strcmp(jv_str_or(p->status, "rolesHash", ""), member_roles_hash(g->c->arena, p->was)) !=
		    0)
		return 0;
	json_array_foreach (roles, i, one)
		if (!strcmp(jv_str_or(one, "name", ""), g->role))
			return jv_int(one, "credential", 0);
	return 0;
}

/* The servers take what was fetched: whoever waits for that may go on. */
static void end_rotation(struct grant *g)
{
	if (note_of(g->credentials, CREDENTIAL_ROTATION) && !is_pending(g) &&
	    number_in_effect(g) == number_of(g->credentials))
		note_put(g->credentials, CREDENTIAL_ROTATION, NULL);
}

static void grant_emit(struct grant *g, const json_t *was, json_t *now)
{
	if (!was)
		outcome_create(g->c->out, json_incref(now));
	else if (!json_equal(was, now))
		outcome_write(g->c->out, STORE_UPDATE, json_incref(now));
}

static void grant_plan(struct grant *g)
{
	CLEANUP(secret_done) struct secret password = {0};
	struct credentials_where where = where_of(g);
	bool has_password = credentials_password(g->credentials, &password);

	if (!g->credentials_was)
		note_put(
			g->credentials, rotated_for_key,
			note_of(g->c->database, CREDENTIAL_ROTATE));
	if (!has_password)
		password_new(g, &password);
	else if (is_rotation_due(g))
		rotate(g, &password);
	end_pending(g);
	credentials_fill(jv_object_at(g->credentials, "data"), &where, &password);
	if (!g->verifier_was ||
	    (number_of(g->credentials) != g->number && (!is_pending(g) || !has_password)))
		take_verifier(g, &password);
	else if (is_pending(g))
		prepare_verifier(g, &password);
	end_rotation(g);
	grant_emit(g, g->verifier_was, g->verifier);
	grant_emit(g, g->credentials_was, g->credentials);
}

/* Number of the role's password that the servers shall take; 0: it has none. */
static int64_t grant(struct cluster *c, const struct plan_access_conf *conf, const char *role)
{
	struct grant g = {.c = c, .conf = conf, .role = role};
	const char *name = credential_name(c->arena, c->name, role);
	const char *verifier = credential_verifier_name(c->arena, c->name, role);

	g.credentials_was = find(conf->secrets, name);
	g.verifier_was = find(conf->secrets, verifier);
	if (is_foreign(c, g.credentials_was, CREDENTIAL_TYPE, role) ||
	    is_foreign(c, g.verifier_was, CREDENTIAL_TYPE_VERIFIER, role))
		return 0;
	g.number = number_of(g.verifier_was);
	g.credentials = g.credentials_was ? json_deep_copy(g.credentials_was)
					  : secret_new(&g, name, CREDENTIAL_TYPE);
	g.verifier = g.verifier_was ? json_deep_copy(g.verifier_was)
				    : secret_new(&g, verifier, CREDENTIAL_TYPE_VERIFIER);
	grant_plan(&g);
	json_decref(g.credentials);
	json_decref(g.verifier);
	return g.number;
}

static json_t *roles_grant(struct cluster *c, const struct plan_access_conf *conf)
{
	json_t *roles = json_deep_copy(jv_at(c->database, "spec.roles")), *role;
	size_t i;

	json_array_foreach (roles, i, role) {
		int64_t n = is_login(role) ? grant(c, conf, jv_str_or(role, "name", "")) : 0;

		if (n)
			json_object_set_new(role, "credential", json_integer(n));
	}
	return roles ? roles : json_array();
}

/* Secrets of roles that are no more. */
static void revoke_old(struct cluster *c, const struct plan_access_conf *conf)
{
	CLEANUP(jv_drop) json_t *names = plan_access_names(c->arena, c->database);
	json_t *one, *name;
	size_t i, j;

	json_array_foreach (conf->secrets, i, one) {
		bool is_kept = !cluster_is_owned_by(one, jv_str_or(c->before, "metadata.uid", ""));

		json_array_foreach (names, j, name)
			is_kept |= !strcmp(
				json_string_value(name), jv_str_or(one, "metadata.name", ""));
		if (!is_kept)
			outcome_delete(c->out, one);
	}
}

void plan_access(struct cluster *c, const struct plan_access_conf *conf)
{
	CLEANUP(jv_drop) json_t *roles = NULL;

	if (!c->primary)
		return; /* nobody can log in yet, and there may never be a host */
	roles = roles_grant(c, conf);
	revoke_old(c, conf);
	for (size_t i = 0; i < c->members_n; i++) {
		json_object_set(c->members[i].spec, "roles", roles);
		json_object_set_new(
			c->members[i].spec, "databases",
			json_deep_copy(jv_at(c->database, "spec.databases")));
	}
	if (c->primary->is_running &&
	    strcmp(jv_str_or(c->primary->status, "rolesHash", ""),
		   member_roles_hash(c->arena, c->primary->spec)) != 0)
		cluster_note(
			c, &c->outstanding, "Roles", "%s databases and roles on %s",
			c->was_settled_once ? "Changing" : "Making",
			cluster_member_text(c, c->primary));
}

json_t *plan_access_names(struct arena *a, const json_t *database)
{
	json_t *roles = jv_at(database, "spec.roles"), *names = json_array(), *role;
	const char *name = jv_str_or(database, "metadata.name", "");
	size_t i;

	json_array_foreach (roles, i, role) {
		const char *r = jv_str_or(role, "name", "");

		if (!is_login(role))
			continue;
		json_array_append_new(names, json_string(credential_name(a, name, r)));
		json_array_append_new(names, json_string(credential_verifier_name(a, name, r)));
	}
	return names;
}
