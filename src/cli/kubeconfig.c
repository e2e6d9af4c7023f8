#include "cli/kubeconfig.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "codec/yaml.h"

enum { FILE_MAX = 1 << 20 };

/* The entry of this name in a list of {name, <key>: {...}}: what stands under key. */
static const json_t *entry(const json_t *doc, const char *list, const char *key, const char *name)
{
	const json_t *all = json_object_get(doc, list), *one;
	size_t i;

	json_array_foreach (all, i, one)
		if (strcmp(jv_str_or(one, "name", ""), name) == 0)
			return json_object_get(one, key);
	return NULL;
}

/* A relative name in a kubeconfig is relative to its folder. */
static const char *beside(struct arena *a, const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	if (name[0] == '/' || !slash)
		return name;
	return arena_printf(a, "%.*s/%s", (int)(slash - path), path, name);
}

/* "<key>-data" in base64, or the file that "<key>" names; NULL when neither is there. */
static enum err_code
pem_get(struct arena *a, const char *path, const json_t *from, const char *key, const char **ret,
	struct err *e)
{
	const char *data =
		json_string_value(json_object_get(from, arena_printf(a, "%s-data", key)));
	const char *name = json_string_value(json_object_get(from, key));
	enum err_code code = ERR_OK;
	struct str text = {NULL, 0};

	if (data)
		code = secret_unbase64(a, str_of(data), &text, e);
	else if (name)
		code = file_read(a, beside(a, path, name), FILE_MAX, &text, e);
	if (code)
		return err_wrap(e, "kubeconfig '%s': %s", path, key);
	*ret = text.p ? arena_strndup(a, text.p, text.n) : NULL;
	return ERR_OK;
}

static enum err_code
token_get(struct arena *a, const char *path, const json_t *user, const char **ret, struct err *e)
{
	const char *token = json_string_value(json_object_get(user, "token"));
	const char *name = json_string_value(json_object_get(user, "tokenFile"));
	enum err_code code;
	struct str text;

	*ret = token ? arena_strdup(a, token) : NULL;
	if (token || !name)
		return ERR_OK;
	code = file_read(a, beside(a, path, name), FILE_MAX, &text, e);
	if (code)
		return err_wrap(e, "kubeconfig '%s'", path);
	text = str_trim(text);
	*ret = arena_strndup(a, text.p, text.n);
	return ERR_OK;
}

static enum err_code context_read(
	struct arena *a, const char *path, const json_t *doc, struct kubeconfig *ret, struct err *e)
{
	const char *current = jv_str(doc, "current-context");
	const json_t *context = current ? entry(doc, "contexts", "context", current) : NULL;
	const char *cluster_name = jv_str_or(context, "cluster", "");
	const json_t *cluster = entry(doc, "clusters", "cluster", cluster_name);
	const json_t *user = entry(doc, "users", "user", jv_str_or(context, "user", ""));
	struct kubeconfig k = {0};
	enum err_code code;

	if (!context)
		return err_set(e, ERR_INVALID, "kubeconfig '%s' has no current context", path);
	if (!jv_str(cluster, "server"))
		return err_set(
			e, ERR_INVALID, "kubeconfig '%s': context '%s' has no server", path,
			current);
	k.server = arena_strdup(a, jv_str(cluster, "server"));
	k.ns = jv_str(context, "namespace") ? arena_strdup(a, jv_str(context, "namespace")) : NULL;
	k.is_ours = strcmp(cluster_name, "slipway") == 0;
	code = pem_get(a, path, cluster, "certificate-authority", &k.ca_pem, e);
	if (!code)
		code = pem_get(a, path, user, "client-certificate", &k.cert_pem, e);
	if (!code)
		code = pem_get(a, path, user, "client-key", &k.key_pem, e);
	if (!code)
		code = token_get(a, path, user, &k.token, e);
	if (!code && !k.ca_pem)
		code = err_set(
			e, ERR_INVALID, "kubeconfig '%s' has no certificate authority", path);
	if (!code)
		*ret = k;
	return code;
}

enum err_code
kubeconfig_read(struct arena *a, const char *path, struct kubeconfig *ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *docs = NULL;
	enum err_code code;
	struct str text;

	code = file_read(a, path, FILE_MAX, &text, e);
	if (code)
		return code;
	code = yaml_parse(text, FILE_MAX, &docs, e);
	if (code)
		return err_wrap(e, "kubeconfig '%s'", path);
	return context_read(a, path, json_array_get(docs, 0), ret, e);
}

/* The first file of a list with ':' between, as kubectl's variable may be. */
static const char *first_of(struct arena *a, const char *list)
{
	struct str rest = str_of(list), path;

	while (str_split(&rest, ':', &path))
		if (path.n)
			return arena_strndup(a, path.p, path.n);
	return NULL;
}

static const char *home(struct arena *a)
{
	const char *env = getenv("HOME");
	const struct passwd *pw = env && env[0] == '/' ? NULL : getpwuid(geteuid());

	return arena_strdup(a, pw ? pw->pw_dir : env ? env : "/");
}

const char *kubeconfig_home(struct arena *a)
{
	if (geteuid() == 0)
		return "/var/lib/slipway";
	return arena_printf(a, "%s/.local/share/slipway", home(a));
}

enum err_code
kubeconfig_find(struct arena *a, const char *path, struct kubeconfig *ret, struct err *e)
{
	const char *own = arena_printf(a, "%s/kubeconfig", kubeconfig_home(a));
	const char *kubectls = arena_printf(a, "%s/.kube/config", home(a));
	struct kubeconfig k;

	if (!path)
		path = getenv("SLIPWAY_KUBECONFIG");
	if (!path)
		path = first_of(a, getenv("KUBECONFIG"));
	if (path)
		return kubeconfig_read(a, path, ret, e);
	if (kubeconfig_read(a, kubectls, &k, NULL) == ERR_OK && k.is_ours) {
		*ret = k;
		return ERR_OK;
	}
	if (file_exists(own))
		return kubeconfig_read(a, own, ret, e);
	return err_set(
		e, ERR_NOT_FOUND,
		"no kubeconfig tells where the platform is: say --kubeconfig FILE, or set "
		"KUBECONFIG ('slipway up' writes one into its data folder)");
}

/* {"name": name, key: value}, in a list of its own. */
static json_t *list_of(const char *key, const char *name, json_t *value)
{
	return json_pack("[{s:s, s:o}]", "name", name, key, value);
}

enum err_code kubeconfig_write(const char *path, const struct kubeconfig *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(buf_done) struct buf out = {0};
	const char *ca = secret_base64(&a, str_of(k->ca_pem));
	CLEANUP(jv_drop)
	json_t *doc = json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:s}", "apiVersion", "v1", "kind", "Config", "clusters",
		list_of("cluster", "slipway",
			json_pack(
				"{s:s, s:s}", "server", k->server, "certificate-authority-data",
				ca)),
		"users", list_of("user", "admin", json_pack("{s:s}", "token", k->token)),
		"contexts",
		list_of("context", "slipway",
			json_pack("{s:s, s:s}", "cluster", "slipway", "user", "admin")),
		"current-context", "slipway");

	assert(doc);
	yaml_print(&out, doc);
	return file_write(path, 0600, buf_view(&out), e);
}
