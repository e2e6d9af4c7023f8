/* A want that is taken holds only names that may stand in SQL, paths and files of configuration. */
#include <ctype.h>

#include "agent/pgconf.h"
#include "fuzz.h"

static void files_check(const struct want *w)
{
	const struct pgconf c = {
		.home = "/h", .certs = "/c", .address = "127.0.0.1", .port = 5432, .os_user = "u"};
	CLEANUP(arena_done) struct arena a = {0};
	struct pgconf_file files[PGCONF_FILES];
	const char *hash;
	struct str rest, line;

	pgconf_files(&a, w, &c, files, &hash);
	/* each line of slipway.conf is one setting, whatever its value holds */
	for (rest = files[0].text; str_split(&rest, '\n', &line);)
		assert(!line.n || line.p[0] == '#' || isalnum((unsigned char)line.p[0]) ||
		       line.p[0] == '_' || line.p[0] == '.');
	/* and pg_hba.conf admits nobody without a certificate or a password, but for the agent */
	for (rest = files[1].text; str_split(&rest, '\n', &line);)
		assert(!line.n || line.p[0] == '#' || str_starts(line, "hostssl ") ||
		       str_is(line, "local all \"postgres\" peer map=slipway_agent"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	json_t *json;
	struct want *w;
	struct err e;

	if (jv_parse((struct str){(const char *)data, n}, 1 << 16, &json, &e))
		return 0;
	if (want_parse(json, &w, &e)) {
		assert(e.text[0]);
	} else {
		assert(!strchr(w->uid, '/') && !strchr(w->name, '/') && !strchr(w->slot, '"'));
		files_check(w);
		want_drop(&w);
	}
	json_decref(json);
	return 0;
}
