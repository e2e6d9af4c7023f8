#include "agent/home.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/pgdata.h"
#include "base/fault.h"
#include "base/file.h"

const char *home_path(struct arena *a, const char *data, const char *uid)
{
	char hex[HOME_UID_DIGITS + 1] = "";
	size_t n = 0;

	/* a uid has dashes after its eighth digit */
	for (; *uid && n < HOME_UID_DIGITS; uid++)
		if (*uid != '-')
			hex[n++] = *uid;
	return arena_printf(a, "%s/m/%s", data, hex);
}

static const char *inside(struct arena *a, const char *home, const char *name)
{
	return arena_printf(a, "%s/%s", home, name);
}

enum err_code home_make(const char *home, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code = dir_make(inside(&a, home, "run"), 0700, e);

	return code ? code : dir_make(inside(&a, home, "log"), 0700, e);
}

enum err_code home_write_want(const char *home, const struct want *w, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};

	return file_write(inside(&a, home, "want.json"), 0600, jv_text(&a, w->json), e);
}

enum err_code home_read_want(const char *home, struct want **ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *json = NULL;
	struct str text;
	enum err_code code = file_read(&a, inside(&a, home, "want.json"), HOME_WANT_MAX, &text, e);

	if (!code)
		code = jv_parse(text, HOME_WANT_MAX, &json, e);
	return code ? code : want_parse(json, ret, e);
}

static void text_read(const json_t *json, const char *path, char *ret, size_t size)
{
	snprintf(ret, size, "%s", jv_str_or(json, path, ""));
}

#define TEXT_READ(json, path, field) text_read(json, path, field, sizeof(field))

void home_read_state(const char *home, struct home_state *ret)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *json = NULL;
	struct str text;

	*ret = (struct home_state){0};
	if (file_read(&a, inside(&a, home, "state.json"), 65536, &text, NULL) ||
	    jv_parse(text, 65536, &json, NULL))
		return;
	ret->port = (int)jv_int(json, "port", 0);
	ret->epoch = jv_int(json, "epoch", 0);
	ret->restarted = jv_int(json, "restarted", 0);
	ret->restart_ms = jv_int(json, "restartMs", 0);
	ret->is_initialised = jv_bool(json, "initialised", false);
	TEXT_READ(json, "access", ret->access);
	TEXT_READ(json, "roles", ret->roles);
	TEXT_READ(json, "server.process", ret->server);
	TEXT_READ(json, "server.loaded", ret->loaded);
	TEXT_READ(json, "server.settings", ret->settings);
	ret->is_proven = jv_bool(json, "server.isProven", false);
	TEXT_READ(json, "server.provenNames", ret->proven_names);
	ret->proven_lsn = (uint64_t)jv_int(json, "server.provenLsn", 0);
	if (ret->port < 0 || ret->port > 65535)
		ret->port = 0;
}

enum err_code home_write_state(const char *home, const struct home_state *s, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *json = json_object();

	jv_set(json, "port", json_integer(s->port));
	jv_set(json, "epoch", json_integer(s->epoch));
	jv_set(json, "restarted", json_integer(s->restarted));
	jv_set(json, "restartMs", json_integer(s->restart_ms));
	jv_set(json, "initialised", json_boolean(s->is_initialised));
	jv_set_str(json, "access", s->access);
	jv_set_str(json, "roles", s->roles);
	jv_set_str(json, "server.process", s->server);
	jv_set_str(json, "server.loaded", s->loaded);
	jv_set_str(json, "server.settings", s->settings);
	jv_set(json, "server.isProven", json_boolean(s->is_proven));
	jv_set_str(json, "server.provenNames", s->proven_names);
	jv_set(json, "server.provenLsn", json_integer((json_int_t)s->proven_lsn));
	return file_write(inside(&a, home, "state.json"), 0600, jv_text(&a, json), e);
}

enum err_code home_remove(const char *home, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code = pgdata_remove(home, e);

	if (code)
		return code;
	if (fault_hit("home.remove"))
		return err_os(e, "remove '%s'", home);
	code = dir_remove(inside(&a, home, "run"), e);
	if (!code)
		code = dir_remove(inside(&a, home, "log"), e);
	if (!code)
		code = file_remove(inside(&a, home, "state.json"), e);
	if (!code)
		code = file_remove(inside(&a, home, "want.json"), e);
	return code ? code : dir_remove(home, e);
}
