#include "agent/want.h"

#include <ctype.h>

#include "kinds/member.h"

enum { NAME_MAX_BYTES = 63, VALUE_MAX_BYTES = 8192 };

static bool is_from(const char *s, size_t max, const char *more)
{
	size_t n = 0;

	for (; s && s[n]; n++)
		if (!isalnum((unsigned char)s[n]) && !strchr(more, s[n]))
			return false;
	return n > 0 && n <= max;
}

/* Objects inside the server may have any name that a quote and a line hold. */
static bool is_sql_name(const char *s)
{
	size_t n = 0;

	for (; s && s[n]; n++)
		if ((unsigned char)s[n] < 0x20 || s[n] == '"')
			return false;
	return n > 0 && n <= NAME_MAX_BYTES;
}

static enum err_code wrong(const struct want *w, const char *what, struct err *e)
{
	return err_set(
		e, ERR_INVALID, "what is wanted of member '%s' has a wrong %s",
		w->name ? w->name : "", what);
}

static enum err_code
named_check(const struct want *w, const json_t *list, const char *what, struct err *e)
{
	size_t i;
	json_t *at;

	json_array_foreach (list, i, at)
		if (!is_sql_name(jv_str(at, "name")))
			return wrong(w, what, e);
	return ERR_OK;
}

static enum err_code settings_check(const struct want *w, struct err *e)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)w->settings, name, value)
		if (!is_from(name, NAME_MAX_BYTES * 2, "_.") || !json_is_string(value) ||
		    json_string_length(value) > VALUE_MAX_BYTES)
			return wrong(w, "setting", e);
	return ERR_OK;
}

static enum err_code names_parse(struct want *w, struct err *e)
{
	w->uid = jv_str(w->json, "uid");
	w->namespace = jv_str(w->json, "namespace");
	w->name = jv_str(w->json, "name");
	w->database = jv_str(w->json, "spec.database");
	if (!is_from(w->name, NAME_MAX_BYTES, "-"))
		return wrong(w, "name", e);
	if (!is_from(w->uid, 64, "-") || strlen(w->uid) < 12)
		return wrong(w, "uid", e);
	if (!is_from(w->namespace, NAME_MAX_BYTES, "-"))
		return wrong(w, "namespace", e);
	if (!is_from(w->database, NAME_MAX_BYTES, "-"))
		return wrong(w, "spec.database", e);
	w->slot = member_slot(&w->arena, w->name);
	return ERR_OK;
}

static enum err_code role_parse(struct want *w, struct err *e)
{
	const char *role = jv_str_or(w->json, "spec.role", "");
	const char *version = jv_str_or(w->json, "spec.version", "");
	uint64_t major;

	w->is_deleting = jv_bool(w->json, "deleting", false);
	w->is_running = jv_bool(w->json, "spec.running", true);
	w->is_primary = strcmp(role, "primary") == 0;
	w->epoch = jv_int(w->json, "spec.epoch", 0);
	w->restart = jv_int(w->json, "spec.restart", 0);
	w->system_identifier = jv_str(w->json, "spec.systemIdentifier");
	if (!w->is_primary && strcmp(role, "standby") != 0)
		return wrong(w, "spec.role", e);
	if (!str_to_u64(str_of(version), &major) || major < WANT_MAJOR_MIN || major > 99)
		return wrong(w, "spec.version", e);
	w->major = (int)major;
	return ERR_OK;
}

static enum err_code standbys_parse(struct want *w, struct err *e)
{
	json_t *list = jv_at(w->json, "spec.standbys"), *at;
	size_t i;

	if (json_array_size(list) > WANT_STANDBYS_MAX)
		return wrong(w, "number of spec.standbys", e);
	json_array_foreach (list, i, at) {
		if (!is_from(json_string_value(at), NAME_MAX_BYTES, "-"))
			return wrong(w, "name in spec.standbys", e);
		w->standbys[w->standbys_n++] = json_string_value(at);
	}
	return ERR_OK;
}

static enum err_code upstream_parse(struct want *w, struct err *e)
{
	int64_t port = jv_int(w->json, "spec.upstream.port", 0);

	w->sync_names = jv_str_or(w->json, "spec.synchronousStandbyNames", "");
	if (strlen(w->sync_names) > VALUE_MAX_BYTES)
		return wrong(w, "spec.synchronousStandbyNames", e);
	if (!jv_str(w->json, "spec.upstream.host") || port == 0)
		return ERR_OK;
	w->upstream_member = jv_str_or(w->json, "spec.upstream.member", "its primary");
	w->upstream_host = jv_str(w->json, "spec.upstream.host");
	w->upstream_port = (int)port;
	if (!is_from(w->upstream_host, 255, ".:-") || port < 1 || port > 65535)
		return wrong(w, "spec.upstream", e);
	return ERR_OK;
}

static enum err_code gateways_parse(struct want *w, struct err *e)
{
	json_t *list = jv_at(w->json, "spec.gateways"), *at;
	size_t i;

	if ((list && !json_is_array(list)) || json_array_size(list) > WANT_GATEWAYS_MAX)
		return wrong(w, "list spec.gateways", e);
	json_array_foreach (list, i, at)
		if (!is_from(jv_str(at, "name"), NAME_MAX_BYTES, "-") ||
		    !is_from(jv_str(at, "address"), NAME_MAX_BYTES, ".:"))
			return wrong(w, "name or address in spec.gateways", e);
	w->gateways = list;
	return ERR_OK;
}

static enum err_code content_parse(struct want *w, struct err *e)
{
	json_t *settings = jv_at(w->json, "spec.settings");
	json_t *databases = jv_at(w->json, "spec.databases");
	json_t *roles = jv_at(w->json, "spec.roles");
	enum err_code code;

	if ((settings && !json_is_object(settings)) || (databases && !json_is_array(databases)) ||
	    (roles && !json_is_array(roles)))
		return wrong(w, "shape: settings are an object, databases and roles arrays", e);
	w->settings = settings;
	w->databases = databases;
	w->roles = roles;
	code = settings_check(w, e);
	if (!code)
		code = named_check(w, databases, "name in spec.databases", e);
	return code ? code : named_check(w, roles, "name in spec.roles", e);
}

static void hashes_make(struct want *w)
{
	json_t *spec = jv_at(w->json, "spec");
	CLEANUP(jv_drop) json_t *access = json_object();

	if (w->roles)
		json_object_set(access, "roles", (json_t *)w->roles);
	if (w->databases)
		json_object_set(access, "databases", (json_t *)w->databases);
	w->hash = jv_hash(&w->arena, w->json);
	w->settings_hash = member_settings_hash(&w->arena, spec);
	w->roles_hash = member_roles_hash(&w->arena, spec);
	w->access_hash = jv_hash(&w->arena, access);
}

enum err_code want_parse(const json_t *json, struct want **ret, struct err *e)
{
	struct want *w = mem_alloc(sizeof(*w));
	enum err_code code;

	w->count = 1;
	w->json = json_deep_copy(json);
	code = names_parse(w, e);
	if (!code)
		code = role_parse(w, e);
	if (!code)
		code = standbys_parse(w, e);
	if (!code)
		code = upstream_parse(w, e);
	if (!code)
		code = gateways_parse(w, e);
	if (!code)
		code = content_parse(w, e);
	if (code) {
		want_drop(&w);
		return code;
	}
	hashes_make(w);
	*ret = w;
	return ERR_OK;
}

struct want *want_keep(struct want *w)
{
	if (w)
		w->count++;
	return w;
}

void want_drop(struct want **w)
{
	struct want *gone = *w;

	*w = NULL;
	if (!gone || --gone->count > 0)
		return;
	json_decref(gone->json);
	arena_done(&gone->arena);
	free(gone);
}
