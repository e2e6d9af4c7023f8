#include "storetest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

static NORETURN void die(const char *what, const struct err *e)
{
	fprintf(stderr, "storetest: %s: %s\n", what, e->text);
	abort();
}

struct store *storetest_open(const struct pgtest *pg)
{
	static struct secret_key *key; /* one for all: stores borrow it */
	static char path[sizeof(pg->dir) + 16];
	char now[sizeof(path)];
	struct store_conf c = {.conninfo = pg->conninfo};
	struct store *s = NULL;
	struct err e;

	snprintf(now, sizeof(now), "%s/key", pg->dir);
	if (strcmp(now, path) != 0) {
		secret_key_free(key);
		key = NULL;
		memcpy(path, now, sizeof(path));
		if (secret_key_open(path, &key, &e) != ERR_OK)
			die("key", &e);
	}
	c.key = key;
	if (store_open(&c, &s, &e) != ERR_OK)
		die("open", &e);
	return s;
}

void storetest_close(struct store *s)
{
	store_close(s);
}

int64_t storetest_revision(const json_t *o)
{
	int64_t n = 0;

	str_to_i64(str_of(jv_str(o, "metadata.resourceVersion")), &n);
	return n;
}

enum err_code storetest_write(
	struct store *s, enum store_verb verb, const char *name, const char *text,
	int64_t *ret_revision, struct err *e)
{
	CLEANUP(jv_drop) json_t *o = NULL;
	struct store_write w = {.verb = verb, .key = {"Database", "shop", name}};
	struct err own;
	enum err_code code;

	if (text && jv_parse(str_of(text), 1 << 20, &o, &own) != ERR_OK)
		die(text, &own);
	w.object = o;
	code = store_write(s, &w, 1, e ? e : &own);
	if (code == ERR_OK && ret_revision)
		*ret_revision = storetest_revision(w.ret);
	json_decref(w.ret);
	return code;
}
