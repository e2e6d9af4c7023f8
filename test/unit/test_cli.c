/* What cli's pure parts promise: kubeconfigs, manifests, tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/manifest.h"
#include "cli/table.h"
#include "kinds/kinds.h"

static struct arena a;
static char dir[] = "/tmp/slipway-test-cli-XXXXXX";
static struct err e;

static const char *file(const char *name, const char *text)
{
	const char *path = arena_printf(&a, "%s/%s", dir, name);

	assert_int_equal(file_write(path, 0600, str_of(text), &e), ERR_OK);
	return path;
}

/* ---- kubeconfig ---- */

static void a_kubeconfig_that_was_written_is_read(void **state)
{
	const struct kubeconfig k = {
		.server = "https://127.0.0.1:6443", .ca_pem = "CA\n", .token = "secret"};
	const char *path = arena_printf(&a, "%s/k", dir);
	struct kubeconfig got;
	struct stat st;

	assert_int_equal(kubeconfig_write(path, &k, &e), ERR_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(kubeconfig_read(&a, path, &got, &e), ERR_OK);
	assert_string_equal(got.server, k.server);
	assert_string_equal(got.ca_pem, k.ca_pem);
	assert_string_equal(got.token, k.token);
	assert_true(got.is_ours);
	assert_null(got.ns);
}

static void kubectls_own_forms_are_read(void **state)
{
	struct kubeconfig got;
	const char *path;

	file("ca.pem", "PEM");
	file("tok", "abc\n");
	path =
		file("k2",
		     "current-context: b\n"
		     "contexts:\n"
		     "- {name: a, context: {cluster: x, user: x}}\n"
		     "- {name: b, context: {cluster: c, user: u, namespace: dev}}\n"
		     "clusters:\n"
		     "- {name: c, cluster: {server: https://h, certificate-authority: ca.pem}}\n"
		     "users:\n"
		     "- {name: u, user: {tokenFile: tok}}\n");
	assert_int_equal(kubeconfig_read(&a, path, &got, &e), ERR_OK);
	assert_string_equal(got.ca_pem, "PEM");
	assert_string_equal(got.token, "abc");
	assert_string_equal(got.ns, "dev");
	assert_false(got.is_ours);
}

static void what_a_kubeconfig_lacks_is_named(void **state)
{
	static const char *const texts[][2] = {
		{"{}", "has no current context"},
		{"{current-context: a, contexts: [{name: a, context: {cluster: c}}]}",
		 "context 'a' has no server"},
		{"{current-context: a, contexts: [{name: a, context: {cluster: c}}], clusters: "
		 "[{name: c, cluster: {server: https://h}}]}",
		 "has no certificate authority"},
		{"{current-context: a, contexts: [{name: a, context: {cluster: c}}], clusters: "
		 "[{name: c, cluster: {server: https://h, certificate-authority-data: '%'}}]}",
		 "certificate-authority: "},
		{"[", "line 2"},
	};
	struct kubeconfig got;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(
			kubeconfig_read(&a, file("k3", texts[i][0]), &got, &e), ERR_INVALID);
		if (!strstr(e.text, texts[i][1]))
			fail_msg("'%s' lacks '%s'", e.text, texts[i][1]);
	}
}

static void the_named_file_comes_before_the_environment(void **state)
{
	struct kubeconfig got;

	setenv("SLIPWAY_KUBECONFIG", arena_printf(&a, "%s/none", dir), 1);
	assert_int_equal(kubeconfig_find(&a, NULL, &got, &e), ERR_NOT_FOUND);
	assert_int_equal(kubeconfig_find(&a, arena_printf(&a, "%s/k", dir), &got, &e), ERR_OK);
	setenv("SLIPWAY_KUBECONFIG", arena_printf(&a, "%s/k", dir), 1);
	assert_int_equal(kubeconfig_find(&a, NULL, &got, &e), ERR_OK);
	unsetenv("SLIPWAY_KUBECONFIG");
	setenv("KUBECONFIG", arena_printf(&a, "%s/k:/nonexistent", dir), 1);
	assert_int_equal(kubeconfig_find(&a, NULL, &got, &e), ERR_OK);
	unsetenv("KUBECONFIG");
}

/* ---- manifests ---- */

static enum err_code read_one(const char *path, struct manifests *m)
{
	const struct opt_strs files = {.v = {path}, .n = 1};

	*m = (struct manifests){0};
	return manifests_read(&files, "dev", m, &e);
}

static void a_folder_is_read_in_order_with_namespaces_first(void **state)
{
	const char *below = arena_printf(&a, "%s/f", dir);
	struct manifests m;

	assert_int_equal(dir_make(below, 0700, &e), ERR_OK);
	file("f/1.yaml",
	     "{apiVersion: slipway.dev/v1, kind: Database, metadata: {name: x}}\n"
	     "---\n"
	     "{apiVersion: v1, kind: Namespace, metadata: {name: dev}}\n");
	file("f/2.json",
	     "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": "
	     "[{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": "
	     "\"s\", \"namespace\": \"other\"}}]}");
	file("f/README.md", "not: [a manifest");
	assert_int_equal(read_one(below, &m), ERR_OK);
	assert_int_equal(m.n, 3);
	assert_string_equal(manifest_title(&a, &m.v[0]), "namespace dev");
	assert_string_equal(manifest_title(&a, &m.v[1]), "database dev/x");
	assert_string_equal(jv_str(m.v[1].object, "metadata.namespace"), "dev");
	assert_string_equal(manifest_title(&a, &m.v[2]), "secret other/s");
	manifests_done(&m);
}

static void a_bad_manifest_is_named_with_its_place(void **state)
{
	static const char *const texts[][2] = {
		{"a: [", "m.yaml: "},
		{"- x", "want an object"},
		{"kind: Database", "without apiVersion"},
		{"apiVersion: v1", "without kind"},
		{"{apiVersion: v1, kind: Databse}", "there is no kind Databse in v1"},
		{"{apiVersion: v1, kind: Database}", "there is no kind Database in v1"},
		{"{apiVersion: v1, kind: Secret}", "without metadata.name"},
		{"# nothing", "hold no object"},
	};
	struct manifests m;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(read_one(file("m.yaml", texts[i][0]), &m), ERR_INVALID);
		if (!strstr(e.text, texts[i][1]))
			fail_msg("'%s' lacks '%s'", e.text, texts[i][1]);
		manifests_done(&m);
	}
	assert_int_equal(read_one("/nonexistent.yaml", &m), ERR_NOT_FOUND);
	manifests_done(&m);
}

/* ---- tables ---- */

static json_t *json(const char *text)
{
	json_t *v;

	if (jv_parse(str_of(text), 65536, &v, &e))
		fail_msg("%s", e.text);
	return v;
}

#define TABLE                                                                                      \
	"{\"columnDefinitions\": [{\"name\": \"Name\"}, {\"name\": \"LSN\", \"priority\": 1}, "    \
	"{\"name\": \"Age\"}], \"rows\": ["                                                        \
	"{\"cells\": [\"gr\\u00fcn\", \"0/1\", null], \"object\": {\"metadata\": {\"namespace\": " \
	"\"dev\"}}}, {\"cells\": [\"longer\\u001b[1m\", 3, true]}]}"

static void a_table_is_aligned_as_kubectl_does_it(void **state)
{
	CLEANUP(jv_drop) json_t *doc = json(TABLE);
	CLEANUP(buf_done) struct buf out = {0};
	struct table t = {0};

	table_print(&out, &t, doc, false, false);
	assert_string_equal(
		out.p, "NAME         AGE\ngr\xc3\xbcn         <none>\nlonger?[1m   true\n");
	buf_clear(&out);
	table_print(&out, &t, doc, false, false); /* a watch: no second header */
	assert_string_equal(out.p, "gr\xc3\xbcn         <none>\nlonger?[1m   true\n");
}

static void wide_shows_all_and_everywhere_the_namespace(void **state)
{
	CLEANUP(jv_drop) json_t *doc = json(TABLE);
	CLEANUP(buf_done) struct buf out = {0};
	struct table t = {0};

	table_print(&out, &t, doc, true, true);
	assert_non_null(strstr(out.p, "NAMESPACE   NAME         LSN   AGE\n"));
	assert_non_null(strstr(out.p, "dev         gr\xc3\xbcn         0/1   <none>\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kubeconfig_that_was_written_is_read),
		cmocka_unit_test(kubectls_own_forms_are_read),
		cmocka_unit_test(what_a_kubeconfig_lacks_is_named),
		cmocka_unit_test(the_named_file_comes_before_the_environment),
		cmocka_unit_test(a_folder_is_read_in_order_with_namespaces_first),
		cmocka_unit_test(a_bad_manifest_is_named_with_its_place),
		cmocka_unit_test(a_table_is_aligned_as_kubectl_does_it),
		cmocka_unit_test(wide_shows_all_and_everywhere_the_namespace),
	};
	int failed;

	unsetenv("KUBECONFIG");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(kinds_init(&e), ERR_OK);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_remove(dir, NULL);
	arena_done(&a);
	return failed;
}
