#include "agent/identity.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "codec/jv.h"

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

static bool is_pair(const char *cert_pem, const char *key_pem)
{
	BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1), *key_bio = BIO_new_mem_buf(key_pem, -1);
	X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
	bool ret = cert && key && X509_check_private_key(cert, key) == 1;

	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	return ret;
}

static enum err_code
rename_durably(struct arena *a, const char *data, const char *from, const char *to, struct err *e)
{
	if (fault_hit("identity.rename") || rename(inside(a, data, from), inside(a, data, to)) < 0)
		return err_os(e, "give '%s' in '%s' its name", from, data);
	return file_sync(data, e);
}

/* Both new files are whole: now they are the pair. */
static enum err_code pair_switch(struct arena *a, const char *data, struct err *e)
{
	enum err_code code = ERR_OK;

	if (file_exists(inside(a, data, "agent.crt.new")))
		code = rename_durably(a, data, "agent.crt.new", "agent.crt", e);
	return code ? code : rename_durably(a, data, "agent.key.new", "agent.key", e);
}

/* Goes on where a switch was cut short. The key's new file is written first and renamed last, so it
 * alone is either the beginning or the end of one: of the end, it fits the certificate in place. */
static enum err_code pair_repair(struct arena *a, const char *data, struct err *e)
{
	const char *cert, *key;

	if (!file_exists(inside(a, data, "agent.key.new")))
		return ERR_OK;
	if (file_exists(inside(a, data, "agent.crt.new")))
		return pair_switch(a, data, e);
	if (!text_read(a, data, "agent.crt", &cert, NULL) &&
	    !text_read(a, data, "agent.key.new", &key, NULL) && is_pair(cert, key))
		return pair_switch(a, data, e);
	return file_remove(inside(a, data, "agent.key.new"), e);
}

enum err_code
identity_replace(const char *data, const char *cert_pem, const char *key_pem, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code;

	if (!is_pair(cert_pem, key_pem))
		return err_set(e, ERR_INVALID, "the new certificate is not for the key we made");
	code = text_write(&a, data, "agent.key.new", key_pem, e);
	if (!code)
		code = text_write(&a, data, "agent.crt.new", cert_pem, e);
	return code ? code : pair_switch(&a, data, e);
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

enum err_code identity_load(struct arena *a, const char *data, struct identity *ret, struct err *e)
{
	struct identity id = {0};
	enum err_code code = facts_read(a, data, &id, e);

	if (!code)
		code = pair_repair(a, data, e);
	if (!code)
		code = text_read(a, data, "ca.crt", &id.ca_pem, e);
	if (!code)
		code = text_read(a, data, "agent.crt", &id.cert_pem, e);
	if (!code)
		code = text_read(a, data, "agent.key", &id.key_pem, e);
	if (!code && !is_pair(id.cert_pem, id.key_pem))
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
