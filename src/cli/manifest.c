#include "cli/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/yaml.h"

enum { FILES_MAX = 1000 };

const char *manifest_title(struct arena *a, const struct manifest *m)
{
	if (m->ns)
		return arena_printf(a, "%s %s/%s", m->kind->singular, m->ns, m->name);
	return arena_printf(a, "%s %s", m->kind->singular, m->name);
}

void manifests_done(struct manifests *m)
{
	json_decref(m->docs);
	arena_done(&m->arena);
}

/* ---- one object ---- */

static enum err_code
kind_of(const json_t *o, const char *at, const struct kind **ret, struct err *e)
{
	const char *version = jv_str(o, "apiVersion"), *name = jv_str(o, "kind");
	const struct kind *k = name ? kind_by_name(name) : NULL;

	if (!json_is_object(o))
		return err_set(e, ERR_INVALID, "%s: want an object, as apiVersion: ...", at);
	if (!version || !name)
		return err_set(
			e, ERR_INVALID, "%s: an object without %s", at,
			version ? "kind" : "apiVersion");
	if (!k || strcmp(k->api_version, version) != 0)
		return err_set(e, ERR_INVALID, "%s: there is no kind %s in %s", at, name, version);
	*ret = k;
	return ERR_OK;
}

static enum err_code
object_add(struct manifests *m, const char *default_ns, const char *at, json_t *o, struct err *e)
{
	struct manifest one = {.object = o, .origin = at};
	enum err_code code = kind_of(o, at, &one.kind, e);

	if (code)
		return code;
	if (m->n == MANIFEST_MAX)
		return err_set(e, ERR_LIMIT, "at most %d objects at a time", MANIFEST_MAX);
	one.name = jv_str(o, "metadata.name");
	if (!one.name)
		return err_set(
			e, ERR_INVALID, "%s: a %s without metadata.name", at, one.kind->name);
	if (one.kind->is_namespaced)
		one.ns = jv_str_or(o, "metadata.namespace", default_ns);
	if (one.kind->is_namespaced && !jv_str(o, "metadata.namespace"))
		jv_set_str(o, "metadata.namespace", one.ns);
	json_array_append(m->docs, o);
	m->v[m->n++] = one;
	return ERR_OK;
}

static enum err_code
docs_add(struct manifests *m, const char *ns, const char *at, const json_t *docs, struct err *e)
{
	enum err_code code = ERR_OK;
	json_t *doc;
	size_t i;

	json_array_foreach (docs, i, doc) {
		const json_t *items = json_object_get(doc, "items");

		if (code)
			break;
		if (json_is_array(items) && str_ends(str_of(jv_str_or(doc, "kind", "")), "List"))
			code = docs_add(m, ns, at, items, e);
		else
			code = object_add(m, ns, at, doc, e);
	}
	return code;
}

/* ---- files ---- */

static enum err_code
text_add(struct manifests *m, const char *ns, const char *at, struct str text, struct err *e)
{
	CLEANUP(jv_drop) json_t *docs = NULL;
	enum err_code code = yaml_parse(text, MANIFEST_FILE_MAX, &docs, e);

	if (code)
		return err_wrap(e, "%s", at);
	return docs_add(m, ns, at, docs, e);
}

static enum err_code stdin_read(struct buf *ret, struct err *e)
{
	ssize_t n;

	for (;;) {
		buf_reserve(ret, 65536);
		n = read(STDIN_FILENO, ret->p + ret->n, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_os(e, "read standard input");
		if (n == 0)
			return ERR_OK;
		ret->n += (size_t)n;
		if (ret->n > MANIFEST_FILE_MAX)
			return err_set(
				e, ERR_LIMIT, "standard input: at most %d MiB",
				MANIFEST_FILE_MAX >> 20);
	}
}

static enum err_code stdin_add(struct manifests *m, const char *ns, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {0};
	enum err_code code = stdin_read(&text, e);

	return code ? code : text_add(m, ns, "standard input", buf_view(&text), e);
}

static enum err_code file_add(struct manifests *m, const char *ns, const char *path, struct err *e)
{
	enum err_code code;
	struct str text;

	code = file_read(&m->arena, path, MANIFEST_FILE_MAX, &text, e);
	return code ? code : text_add(m, ns, path, text, e);
}

static int is_manifest(const struct dirent *d)
{
	struct str name = str_of(d->d_name);

	return d->d_name[0] != '.' &&
		(str_ends(name, ".yaml") || str_ends(name, ".yml") || str_ends(name, ".json"));
}

static enum err_code dir_add(struct manifests *m, const char *ns, const char *path, struct err *e)
{
	enum err_code code = ERR_OK;
	struct dirent **found;
	int n = scandir(path, &found, is_manifest, alphasort);

	if (n < 0)
		return err_os(e, "read folder '%s'", path);
	if (n == 0)
		code = err_set(e, ERR_NOT_FOUND, "'%s' holds no .yaml, .yml or .json file", path);
	for (int i = 0; i < n; i++) {
		const char *file = arena_printf(&m->arena, "%s/%s", path, found[i]->d_name);

		if (!code)
			code = file_add(m, ns, file, e);
		free(found[i]);
	}
	free(found);
	return code;
}

static enum err_code path_add(struct manifests *m, const char *ns, const char *path, struct err *e)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		return stdin_add(m, ns, e);
	if (stat(path, &st) < 0)
		return err_os(e, "read '%s'", path);
	return S_ISDIR(st.st_mode) ? dir_add(m, ns, path, e) : file_add(m, ns, path, e);
}

/* What lives in a namespace comes behind it; else the order stays. */
static void sort(struct manifests *m)
{
	struct manifest *sorted = arena_array(&m->arena, struct manifest, m->n + 1);
	size_t n = 0;

	for (int is_namespaced = 0; is_namespaced <= 1; is_namespaced++)
		for (size_t i = 0; i < m->n; i++)
			if (m->v[i].kind->is_namespaced == is_namespaced)
				sorted[n++] = m->v[i];
	m->v = sorted;
}

enum err_code
manifests_read(const struct opt_strs *files, const char *ns, struct manifests *ret, struct err *e)
{
	enum err_code code = ERR_OK;

	if (files->n == 0)
		return err_set(e, ERR_INVALID, "which manifests? Say -f FILE, -f DIR or -f -");
	ret->docs = json_array();
	ret->v = arena_array(&ret->arena, struct manifest, MANIFEST_MAX);
	for (size_t i = 0; !code && i < files->n; i++)
		code = path_add(ret, ns, files->v[i], e);
	if (!code && ret->n == 0)
		code = err_set(e, ERR_INVALID, "the manifests hold no object");
	if (!code)
		sort(ret);
	return code;
}
