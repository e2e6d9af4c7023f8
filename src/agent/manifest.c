#include "agent/manifest.h"

#include "base/secret.h"
#include "codec/jv.h"

struct manifest_file {
	uint64_t bytes;
	uint32_t crc;
	bool is_listed;
};

enum { TEXT_MAX = 1 << 30, CRC_HEX = 8 };

void manifest_done(struct manifest *m)
{
	map_done(&m->files);
	arena_done(&m->arena);
}

enum err_code
manifest_add(struct manifest *m, const char *path, uint64_t bytes, uint32_t crc, struct err *e)
{
	struct manifest_file *f = arena_new(&m->arena, struct manifest_file);

	*f = (struct manifest_file){.bytes = bytes, .crc = crc};
	if (map_put(&m->files, str_of(path), f))
		return err_set(e, ERR_EXISTS, "base backup: '%s' came twice", path);
	return ERR_OK;
}

/* The last line holds the SHA-256 over all lines before it. */
static bool is_whole(struct arena *a, struct str text, const char *checksum)
{
	const char *nl;

	text = str_trim(text);
	nl = text.n ? memrchr(text.p, '\n', text.n) : NULL;
	return nl && checksum &&
		strcmp(secret_hash(a, (struct str){text.p, (size_t)(nl + 1 - text.p)}), checksum) ==
		0;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The bytes of the number as they lie in the server's memory: the lowest first. */
static bool crc_parse(const char *hex, uint32_t *ret)
{
	uint32_t v = 0;

	if (!hex || strlen(hex) != CRC_HEX)
		return false;
	for (int i = 0; i < CRC_HEX; i += 2) {
		int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);

		if (high < 0 || low < 0)
			return false;
		v |= (uint32_t)(high << 4 | low) << (i * 4);
	}
	*ret = v;
	return true;
}

/* A path that is not UTF-8 is written in hex. */
static const char *path_of(struct arena *a, const json_t *entry)
{
	const char *hex = jv_str(entry, "Encoded-Path");
	char *path;
	size_t n;

	if (!hex)
		return jv_str(entry, "Path");
	n = strlen(hex) / 2;
	path = arena_alloc(a, n + 1);
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return NULL;
		path[i] = (char)(high << 4 | low);
	}
	return path;
}

static enum err_code entry_check(struct manifest *m, const json_t *entry, struct err *e)
{
	const char *path = path_of(&m->arena, entry);
	const char *algorithm = jv_str_or(entry, "Checksum-Algorithm", "");
	struct manifest_file *f = path ? map_get(&m->files, str_of(path)) : NULL;
	uint32_t crc;

	if (!path)
		return err_set(e, ERR_INVALID, "backup manifest: a file without a path");
	if (!f)
		return err_set(e, ERR_INVALID, "base backup: '%s' is missing", path);
	if (strcmp(algorithm, "CRC32C") != 0 || !crc_parse(jv_str(entry, "Checksum"), &crc))
		return err_set(e, ERR_INVALID, "backup manifest: '%s' has no CRC32C", path);
	if (jv_int(entry, "Size", -1) != (int64_t)f->bytes || crc != f->crc)
		return err_set(
			e, ERR_INVALID,
			"base backup: '%s' is not what the server sent: its size or checksum "
			"differs from the manifest",
			path);
	f->is_listed = true;
	return ERR_OK;
}

/* WAL is never listed; there is none in a backup that streams it. */
static enum err_code all_listed(const struct manifest *m, struct err *e)
{
	map_for_each (slot, &m->files) {
		const struct manifest_file *f = slot->value;
		struct str path = {slot->key, slot->key_n};

		if (!f->is_listed && !str_starts(path, "pg_wal/"))
			return err_set(
				e, ERR_INVALID, "base backup: '%s' is not in the manifest",
				slot->key);
	}
	return ERR_OK;
}

enum err_code manifest_check(struct manifest *m, struct str text, struct err *e)
{
	CLEANUP(jv_drop) json_t *json = NULL;
	enum err_code code = jv_parse(text, TEXT_MAX, &json, e);
	json_t *entry;
	size_t i;

	if (code)
		return err_wrap(e, "backup manifest");
	if (!is_whole(&m->arena, text, jv_str(json, "Manifest-Checksum")))
		return err_set(e, ERR_INVALID, "backup manifest: it has a wrong checksum");
	json_array_foreach (jv_at(json, "Files"), i, entry) {
		code = entry_check(m, entry, e);
		if (code)
			return code;
	}
	return all_listed(m, e);
}
