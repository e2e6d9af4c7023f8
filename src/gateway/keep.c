#include "gateway/keep.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/secret.h"

enum { SOON_MS = 100, AGAIN_MS = 5000, FILE_MAX = 256 << 20 };

struct kept {
	char *text; /* its JSON, the password sealed */
	bool is_told; /* since keep_begin */
};

struct keep {
	uv_loop_t *loop;
	char *path;
	struct secret_key *key;
	struct map databases; /* struct kept by name */
	char *admins; /* JSON; NULL: never told */
	uv_timer_t timer;
	uv_work_t work;
	struct buf text; /* what is being written */
	struct err error; /* of that write */
	bool is_dirty, is_writing, is_ending;
};

static void on_timer(uv_timer_t *timer);

static void soon(struct keep *k, int ms)
{
	k->is_dirty = true;
	if (!k->is_writing && !uv_is_active((uv_handle_t *)&k->timer) && !k->is_ending)
		uv_timer_start(&k->timer, on_timer, (uint64_t)ms, 0);
}

/* --- writing */

static void print(struct keep *k)
{
	bool is_first = true;

	buf_puts(&k->text, "{\"admins\":");
	buf_puts(&k->text, k->admins ? k->admins : "[]");
	buf_puts(&k->text, ",\"databases\":[");
	map_for_each (slot, &k->databases) {
		buf_puts(&k->text, is_first ? "\n" : ",\n");
		buf_puts(&k->text, ((struct kept *)slot->value)->text);
		is_first = false;
	}
	buf_puts(&k->text, "]}\n");
}

static void on_work(uv_work_t *work)
{
	struct keep *k = work->data;

	(void)file_write(k->path, 0600, buf_view(&k->text), &k->error);
}

static void keep_drop(struct keep *k)
{
	map_for_each (slot, &k->databases) {
		struct kept *one = slot->value;

		free(one->text);
		free(one);
	}
	map_done(&k->databases);
	secret_key_free(k->key);
	buf_done(&k->text);
	free(k->admins);
	free(k->path);
	free(k);
}

static void on_closed(uv_handle_t *handle)
{
	keep_drop(handle->data);
}

static void on_written(uv_work_t *work, int status)
{
	struct keep *k = work->data;
	bool has_failed = k->error.code != ERR_OK;

	if (has_failed)
		log_error("the routes are not kept", "why=%s", log_q(k->error.text));
	buf_done(&k->text);
	k->error = (struct err){0};
	k->is_writing = false;
	if (k->is_ending)
		keep_free(k);
	else if (has_failed || k->is_dirty)
		soon(k, has_failed ? AGAIN_MS : SOON_MS);
}

static void write_now(struct keep *k)
{
	k->is_dirty = false;
	k->is_writing = true;
	print(k);
	k->work.data = k;
	(void)uv_queue_work(k->loop, &k->work, on_work, on_written);
}

static void on_timer(uv_timer_t *timer)
{
	write_now(timer->data);
}

void keep_free(struct keep *k)
{
	bool was_ending = k ? k->is_ending : false;

	if (!k)
		return;
	k->is_ending = true;
	if (k->is_writing)
		return;
	if (k->is_dirty && !was_ending)
		write_now(k); /* and then comes again */
	else
		uv_close((uv_handle_t *)&k->timer, on_closed);
}

/* --- what is told */

/* As JSON, of which an external server's password is sealed for this database. */
static char *sealed(struct keep *k, const json_t *database, const char *name)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *copy = NULL;
	const char *password = jv_str(database, "server.password");

	if (!password)
		return mem_strdup(jv_text(&a, database).p);
	copy = json_deep_copy(database);
	jv_set_str(copy, "server.sealed", secret_seal(&a, k->key, name, str_of(password)));
	jv_remove(copy, "server.password");
	return mem_strdup(jv_text(&a, copy).p);
}

void keep_begin(struct keep *k)
{
	map_for_each (slot, &k->databases)
		((struct kept *)slot->value)->is_told = false;
}

static void put_text(struct keep *k, const char *name, char *text)
{
	struct kept *one = map_get(&k->databases, str_of(name));

	if (!one) {
		one = mem_alloc(sizeof(*one));
		(void)map_put(&k->databases, str_of(name), one);
	}
	free(one->text);
	one->text = text;
	one->is_told = true;
}

void keep_put(struct keep *k, const json_t *database)
{
	const char *name = jv_str(database, "name");
	struct kept *one = name ? map_get(&k->databases, str_of(name)) : NULL;
	char *text;

	if (!name)
		return;
	text = sealed(k, database, name);
	if (!one || strcmp(one->text, text))
		soon(k, SOON_MS);
	put_text(k, name, text);
}

void keep_admins(struct keep *k, const json_t *admins)
{
	CLEANUP(arena_done) struct arena a = {0};

	free(k->admins);
	k->admins = mem_strdup(jv_text(&a, admins).p);
	soon(k, SOON_MS);
}

void keep_gone(struct keep *k, const char *name)
{
	struct kept *one = map_remove(&k->databases, str_of(name));

	if (!one)
		return;
	free(one->text);
	free(one);
	soon(k, SOON_MS);
}

void keep_synced(struct keep *k, void (*gone)(void *arg, const char *name), void *arg)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char **names = arena_array(&a, const char *, k->databases.n + 1);
	size_t n = 0;

	map_for_each (slot, &k->databases)
		if (!((struct kept *)slot->value)->is_told)
			names[n++] = arena_strdup(&a, slot->key);
	for (size_t i = 0; i < n; i++) {
		gone(arg, names[i]);
		keep_gone(k, names[i]);
	}
}

/* --- start */

/* The password comes back, the seal goes. */
static enum err_code unseal(struct keep *k, json_t *database, struct err *e)
{
	const char *text = jv_str(database, "server.sealed");
	struct secret s = {0};

	if (!text)
		return ERR_OK;
	if (secret_open(k->key, jv_str_or(database, "name", ""), text, &s, e))
		return e->code;
	jv_set(database, "server.password", jv_string((struct str){(char *)s.p, s.n}));
	jv_remove(database, "server.sealed");
	secret_done(&s);
	return ERR_OK;
}

/* A route that cannot be opened is left out: the control plane tells it again. */
static void take(struct keep *k, json_t *routes)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t *databases = json_object_get(routes, "databases"), *admins;
	struct err e = {0};

	for (size_t i = 0; i < json_array_size(databases);) {
		json_t *one = json_array_get(databases, i);
		const char *name = jv_str(one, "name");
		char *text = mem_strdup(jv_text(&a, one).p);

		if (!name || unseal(k, one, &e)) {
			log_error("a kept route is lost", "why=%s", log_q(e.text));
			json_array_remove(databases, i);
			free(text);
			continue;
		}
		put_text(k, name, text);
		i++;
	}
	admins = json_object_get(routes, "admins");
	if (admins)
		k->admins = mem_strdup(jv_text(&a, admins).p);
}

static enum err_code load(struct keep *k, json_t **ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t *routes = NULL;
	struct str text;
	enum err_code code = file_read(&a, k->path, FILE_MAX, &text, e);

	if (code == ERR_NOT_FOUND) {
		*ret = NULL;
		return ERR_OK;
	}
	if (!code)
		code = jv_parse(text, FILE_MAX, &routes, e);
	if (code)
		return err_wrap(e, "'%s'", k->path);
	take(k, routes);
	*ret = routes;
	return ERR_OK;
}

enum err_code
keep_open(uv_loop_t *loop, const char *data, struct keep **ret, json_t **ret_routes, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct keep *k = mem_alloc(sizeof(*k));

	k->loop = loop;
	k->path = mem_strdup(arena_printf(&a, "%s/routes.json", data));
	if (secret_key_open(arena_printf(&a, "%s/key", data), &k->key, e) ||
	    load(k, ret_routes, e)) {
		keep_drop(k);
		return e->code;
	}
	uv_timer_init(loop, &k->timer);
	k->timer.data = k;
	*ret = k;
	return ERR_OK;
}
