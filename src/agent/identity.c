#include "agent/identity.h"

#include "base/file.h"
#include "codec/jv.h"
#include "net/pair.h"

enum { FILE_BYTES_MAX = 64 << 10 };

static const char *inside(struct arena *a, const char *data, const char *name)
{
	return arena_printf(a, "%s/%s", data, name);
}

static enum err_code
text_read(struct arena *a, const char *data, const char *name, const char **ret, struct err *e)
{
	struct str text;
	enum err_code code = file_read(a, inside(a, data, name), FILE_BYTES_MAX, &text, e);

	if (!code)
		*ret = text.p;
	return code;
}

static enum err_code
text_write(struct arena *a, const char *data, const char *name, const char *text, struct err *e)
{
	return file_write(inside(a, data, name), 0600, str_of(text), e);
}

static enum err_code
facts_read(struct arena *a, const char *data, struct identity *ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *json = NULL;
	const char *text;
	enum err_code code = text_read(a, data, "agent.json", &text, e);

	if (!code)
		code = jv_parse(str_of(text), FILE_BYTES_MAX, &json, e);
	if (code)
		return code;
	if (!jv_str(json, "name") || !jv_str(json, "zone") || !jv_str(json, "address") ||
	    !jv_str(json, "url"))
		return err_set(e, ERR_INVALID, "'%s/agent.json' is not whole: join again", data);
	ret->name = arena_strdup(a, jv_str(json, "name"));
	ret->zone = arena_strdup(a, jv_str(json, "zone"));
	ret->address = arena_strdup(a, jv_str(json, "address"));
	ret->url = arena_strdup(a, jv_str(json, "url"));
	return ERR_OK;
}

enum err_code
identity_replace(const char *data, const char *cert_pem, const char *key_pem, struct err *e)
{
	return pair_replace(data, "agent", cert_pem, key_pem, e);
}

enum err_code identity_load(struct arena *a, const char *data, struct identity *ret, struct err *e)
{
	struct identity id = {0};
	enum err_code code = facts_read(a, data, &id, e);

	if (!code)
		code = pair_repair(data, "agent", e);
	if (!code)
		code = text_read(a, data, "ca.crt", &id.ca_pem, e);
	if (!code)
		code = text_read(a, data, "agent.crt", &id.cert_pem, e);
	if (!code)
		code = text_read(a, data, "agent.key", &id.key_pem, e);
	if (!code && !pair_fits(id.cert_pem, id.key_pem))
		code = err_set(
			e, ERR_INVALID,
			"'%s/agent.crt' and agent.key do not belong together: join again", data);
	if (!code)
		*ret = id;
	return code;
}

enum err_code identity_save(const char *data, const struct identity *id, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *json = json_object();
	enum err_code code = text_write(&a, data, "agent.key", id->key_pem, e);

	jv_set_str(json, "name", id->name);
	jv_set_str(json, "zone", id->zone);
	jv_set_str(json, "address", id->address);
	jv_set_str(json, "url", id->url);
	if (!code)
		code = text_write(&a, data, "agent.crt", id->cert_pem, e);
	if (!code)
		code = text_write(&a, data, "ca.crt", id->ca_pem, e);
	return code ? code : text_write(&a, data, "agent.json", jv_text(&a, json).p, e);
}
