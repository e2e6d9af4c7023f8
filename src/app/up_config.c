#include "app/up_config.h"

#include "base/file.h"
#include "codec/jv.h"
#include "kinds/kinds.h"

#define API_DEFAULT "127.0.0.1:6443"
#define ZONES_DEFAULT "zone-a@127.0.1.1,zone-b@127.0.2.1,zone-c@127.0.3.1"
#define FILE_NAME "config.json"

enum { FILE_MAX = 64 * 1024 };

static const struct up_zone *zone_find(const struct up_config *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->zones[i].name, name) == 0)
			return &c->zones[i];
	return NULL;
}

static enum err_code zone_add(struct up_config *c, struct up_zone z, struct err *e)
{
	if (!kind_name_is_ok(z.name))
		return err_set(
			e, ERR_INVALID,
			"zone '%s': a name is of small letters, digits and dashes, at most %d of "
			"them",
			z.name, KIND_NAME_MAX);
	if (!address_is_ip(z.address))
		return err_set(e, ERR_INVALID, "zone %s: '%s' is no IP address", z.name, z.address);
	if (zone_find(c, z.name))
		return err_set(e, ERR_INVALID, "zone %s is there twice", z.name);
	if (c->n == UP_ZONES_MAX)
		return err_set(e, ERR_LIMIT, "at most %d zones", UP_ZONES_MAX);
	c->zones[c->n++] = z;
	return ERR_OK;
}

enum err_code
up_zones_parse(struct arena *a, const char *text, struct up_config *ret, struct err *e)
{
	struct str rest = str_of(text), one, name;
	struct up_config c = {.n = 0};

	while (str_split(&rest, ',', &one)) {
		struct up_zone z = {
			.address = arena_printf(a, "127.0.%zu.1", c.n + 1),
		};
		enum err_code code;

		str_split(&one, '@', &name);
		z.name = arena_strndup(a, name.p, name.n);
		if (one.p)
			z.address = arena_strndup(a, one.p, one.n);
		code = zone_add(&c, z, e);
		if (code)
			return code;
	}
	memcpy(ret->zones, c.zones, sizeof(c.zones));
	ret->n = c.n;
	return ERR_OK;
}

/* ERR_NOT_FOUND: the folder is new. */
static enum err_code
remembered(struct arena *a, const struct folder *f, struct up_config *ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *doc = NULL;
	const char *path = folder_file(a, f, FILE_NAME);
	struct up_config c = {.n = 0};
	const json_t *zone;
	enum err_code code;
	struct str text;
	size_t i;

	code = file_read(a, path, FILE_MAX, &text, e);
	if (code)
		return code;
	code = jv_parse(text, FILE_MAX, &doc, e);
	if (!code)
		code = address_parse(a, jv_str_or(doc, "api", ""), &c.api, e);
	json_array_foreach (json_object_get(doc, "zones"), i, zone) {
		const struct up_zone z = {
			arena_strdup(a, jv_str_or(zone, "name", "")),
			arena_strdup(a, jv_str_or(zone, "address", "")),
		};

		if (!code)
			code = zone_add(&c, z, e);
	}
	if (code)
		return err_wrap(e, "'%s'", path);
	*ret = c;
	return ERR_OK;
}

/* Hosts that are there may hold databases: none may be left out, or be somewhere else. */
static enum err_code
check_zones(const struct up_config *old, const struct up_config *new, struct err *e)
{
	for (size_t i = 0; i < old->n; i++) {
		const struct up_zone *was = &old->zones[i], *is = zone_find(new, was->name);

		if (!is || strcmp(is->address, was->address) != 0)
			return err_set(
				e, ERR_CONFLICT,
				"this platform has %s@%s, which may hold databases: --zones must "
				"name it too",
				was->name, was->address);
	}
	return ERR_OK;
}

static enum err_code check_api(const struct up_config *old, struct up_config *new, struct err *e)
{
	bool is_same_host = old->api.host && strcmp(old->api.host, new->api.host) == 0;

	if (new->api.port == 0 && is_same_host)
		new->api.port = old->api.port;
	if (old->api.host && (!is_same_host || old->api.port != new->api.port))
		return err_set(
			e, ERR_CONFLICT,
			"the agents of this platform look for its API at %s port %u: --api must "
			"say "
			"the same",
			old->api.host, old->api.port);
	return ERR_OK;
}

enum err_code up_config_load(
	struct arena *a, const struct folder *f, const char *api, const char *zones,
	struct up_config *ret, struct err *e)
{
	struct up_config old = {.n = 0}, c;
	enum err_code code;

	code = remembered(a, f, &old, e);
	if (code && code != ERR_NOT_FOUND)
		return code;
	c = old;
	code = ERR_OK;
	if (api || !old.api.host)
		code = address_parse(a, api ? api : API_DEFAULT, &c.api, e);
	if (!code && (zones || !old.n))
		code = up_zones_parse(a, zones ? zones : ZONES_DEFAULT, &c, e);
	if (!code)
		code = check_zones(&old, &c, e);
	if (!code)
		code = check_api(&old, &c, e);
	if (!code)
		*ret = c;
	return code;
}

enum err_code up_config_save(const struct folder *f, const struct up_config *c, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *doc = json_object();
	json_t *zones = json_array();
	const char *api = arena_printf(
		&a, strchr(c->api.host, ':') ? "[%s]:%u" : "%s:%u", c->api.host, c->api.port);

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(
			zones,
			json_pack(
				"{s:s, s:s}", "name", c->zones[i].name, "address",
				c->zones[i].address));
	json_object_set_new(doc, "api", json_string(api));
	json_object_set_new(doc, "zones", zones);
	return file_write(folder_file(&a, f, FILE_NAME), 0600, jv_text(&a, doc), e);
}
