#include "store/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define METADATA "\"metadata\":{"

enum { BODY_MAX = 64 << 20 };

const char *object_key_text(struct store_key key, char ret[OBJECT_KEY_TEXT])
{
	snprintf(
		ret, OBJECT_KEY_TEXT, "%s \"%s%s%s\"", key.kind, key.ns, key.ns[0] ? "/" : "",
		key.name);
	return ret;
}

void object_uid_new(char ret[OBJECT_UID])
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		abort(); /* cannot happen for 16 bytes once the kernel has started */
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(
		ret, OBJECT_UID,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

static bool has_sealed_data(struct store_key key)
{
	return strcmp(key.kind, "Secret") == 0;
}

static const char *context_of(struct arena *a, struct store_key key, const char *field)
{
	return arena_printf(a, "%s/%s/%s/%s", key.kind, key.ns, key.name, field);
}

/* A copy of the values of data, each sealed for its place. */
static json_t *seal(const json_t *data, struct store_key key, const struct secret_key *sealer)
{
	json_t *out = json_object();
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)data, field, value) {
		struct arena a = {0};
		const char *sealed = secret_seal(
			&a, sealer, context_of(&a, key, field),
			(struct str){json_string_value(value), json_string_length(value)});

		json_object_set_new(out, field, json_string(sealed));
		arena_done(&a);
	}
	return out;
}

static enum err_code open_one(
	json_t *data, const char *field, json_t *value, struct store_key key,
	const struct secret_key *sealer, struct err *e)
{
	CLEANUP(secret_done) struct secret clear = {0};
	struct arena a = {0};
	enum err_code code = secret_open(
		sealer, context_of(&a, key, field), json_string_value(value), &clear, e);

	if (code == ERR_OK)
		json_object_set_new(data, field, json_stringn((const char *)clear.p, clear.n));
	else
		err_set(e, ERR_INTERNAL, "%s", e ? e->text : "");
	arena_done(&a);
	return code == ERR_OK ? ERR_OK : ERR_INTERNAL;
}

/* In place. */
static enum err_code
unseal(json_t *data, struct store_key key, const struct secret_key *sealer, struct err *e)
{
	CLEANUP(jv_drop) json_t *sealed = json_copy(data);
	enum err_code code = ERR_OK;
	const char *field;
	json_t *value;

	if (json_object_size(data) && !sealer)
		return err_set(e, ERR_INTERNAL, "there is no key to open secrets with");
	json_object_foreach (sealed, field, value) {
		if (code == ERR_OK)
			code = open_one(data, field, value, key, sealer, e);
	}
	return code;
}

/* apiVersion, kind and metadata first, where the text's reader finds them; status last. Values are
 * shared with o. */
static json_t *in_order(const json_t *o)
{
	static const char *const first[] = {"apiVersion", "kind", "metadata"};
	json_t *all = (json_t *)(uintptr_t)o;
	json_t *status = json_object_get(o, "status");
	json_t *out = json_object();
	const char *field;
	json_t *value;

	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		if (json_object_get(o, first[i]))
			json_object_set(out, first[i], json_object_get(o, first[i]));
	json_object_foreach (all, field, value) {
		if (value != status)
			json_object_set(out, field, value);
	}
	if (status)
		json_object_set(out, "status", status);
	return out;
}

/* metadata without its resourceVersion. */
static json_t *metadata_of(const json_t *o)
{
	json_t *m = json_copy(json_object_get(o, "metadata"));

	json_object_del(m, "resourceVersion");
	return m;
}

enum err_code object_body(
	struct buf *out, const json_t *o, struct store_key key, const struct secret_key *sealer,
	struct err *e)
{
	CLEANUP(jv_drop) json_t *v = in_order(o);
	json_t *data = json_object_get(v, "data");

	json_object_set_new(v, "metadata", metadata_of(o));
	if (data && has_sealed_data(key)) {
		if (!sealer)
			return err_set(e, ERR_INVALID, "there is no key to seal secrets with");
		json_object_set_new(v, "data", seal(data, key, sealer));
	}
	jv_print(out, v, false);
	return ERR_OK;
}

/* No string in front of metadata can hold these bytes: its quotes would be escaped. */
static enum err_code splice(struct buf *out, struct str body, int64_t revision, struct err *e)
{
	const char *at = memmem(body.p, body.n, METADATA, strlen(METADATA));
	size_t head;

	if (!at)
		return err_set(e, ERR_INTERNAL, "a row of slipway.object has no metadata");
	head = (size_t)(at - body.p) + strlen(METADATA);
	buf_reserve(out, body.n + 64);
	buf_add(out, body.p, head);
	buf_printf(out, "\"resourceVersion\":\"%" PRId64 "\"", revision);
	if (body.p[head] != '}')
		buf_putc(out, ',');
	buf_add(out, body.p + head, body.n - head);
	return ERR_OK;
}

void object_set_revision(json_t *o, int64_t revision)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, revision);
	json_object_set_new(json_object_get(o, "metadata"), "resourceVersion", json_string(text));
}

enum err_code object_parse(
	struct str body, int64_t revision, struct store_key key, const struct secret_key *sealer,
	json_t **ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *v = NULL;
	enum err_code code = ERR_OK;

	if (jv_parse(body, BODY_MAX, &v, e) != ERR_OK ||
	    !json_is_object(json_object_get(v, "metadata")))
		return err_set(e, ERR_INTERNAL, "a row of slipway.object holds no object");
	if (has_sealed_data(key) && json_object_get(v, "data"))
		code = unseal(json_object_get(v, "data"), key, sealer, e);
	if (code != ERR_OK)
		return code;
	object_set_revision(v, revision);
	*ret = json_incref(v);
	return ERR_OK;
}

enum err_code object_text(
	struct buf *out, struct str body, int64_t revision, struct store_key key,
	const struct secret_key *sealer, struct err *e)
{
	CLEANUP(jv_drop) json_t *v = NULL;
	enum err_code code;

	if (!has_sealed_data(key))
		return splice(out, body, revision, e);
	code = object_parse(body, revision, key, sealer, &v, e);
	if (code == ERR_OK)
		jv_print(out, v, false);
	return code;
}
