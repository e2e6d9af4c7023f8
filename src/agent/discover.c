#include "agent/discover.h"

#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/child.h"
#include "base/log.h"

enum { DISCOVER_MAX = 32, ASK_MS = 5000 };

struct program {
	char *bin;
	int major, minor;
	bool is_there; /* in the look that is going on */
};

struct discover {
	char *path;
	struct program v[DISCOVER_MAX];
	size_t n;
};

struct discover *discover_new(const char *path)
{
	struct discover *d = mem_alloc(sizeof(*d));

	d->path = mem_strdup(path ? path : DISCOVER_PATH);
	discover_look(d);
	return d;
}

void discover_free(struct discover *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].bin);
	free(d->path);
	free(d);
}

/* "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" */
static bool version_parse(struct str text, int *ret_major, int *ret_minor)
{
	struct str rest, word, major;
	uint64_t a, b;

	if (!str_cut_prefix(&text, "postgres (PostgreSQL) "))
		return false;
	rest = str_trim(text);
	str_split(&rest, ' ', &word);
	str_split(&word, '.', &major);
	if (!str_to_u64(major, &a) || !str_to_u64(word, &b) || a > 99 || b > 999)
		return false;
	*ret_major = (int)a;
	*ret_minor = (int)b;
	return true;
}

static bool ask(const char *bin, int *ret_major, int *ret_minor)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *const argv[] = {arena_printf(&a, "%s/postgres", bin), "--version", NULL};
	const struct child_conf conf = {.argv = argv};
	struct str out;
	struct err e;

	if (access(arena_printf(&a, "%s/initdb", bin), X_OK) < 0 || access(argv[0], X_OK) < 0)
		return false;
	if (child_run(&a, &conf, ASK_MS, 1024, &out, &e)) {
		log_warn("a postgres does not run", "path=%s why=%s", bin, log_q(e.text));
		return false;
	}
	return version_parse(out, ret_major, ret_minor);
}

static struct program *find(struct discover *d, const char *bin)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->v[i].bin, bin) == 0)
			return &d->v[i];
	return NULL;
}

/* Says whether it is new. */
static bool look_at(struct discover *d, const char *bin)
{
	struct program *p = find(d, bin);
	int major, minor;

	if (p) {
		p->is_there = access(bin, X_OK) == 0;
		return false;
	}
	if (d->n == DISCOVER_MAX || !ask(bin, &major, &minor))
		return false;
	d->v[d->n++] = (struct program){
		.bin = mem_strdup(bin), .major = major, .minor = minor, .is_there = true};
	return true;
}

static bool forget_gone(struct discover *d)
{
	size_t kept = 0, n = d->n;

	for (size_t i = 0; i < n; i++) {
		if (d->v[i].is_there)
			d->v[kept++] = d->v[i];
		else
			free(d->v[i].bin);
	}
	d->n = kept;
	return kept != n;
}

bool discover_look(struct discover *d)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str rest = str_of(d->path), one;
	bool has_changed = false;

	for (size_t i = 0; i < d->n; i++)
		d->v[i].is_there = false;
	while (str_split(&rest, ':', &one)) {
		glob_t g;

		if (!one.n || glob(arena_strndup(&a, one.p, one.n), GLOB_ONLYDIR, NULL, &g) != 0)
			continue;
		for (size_t i = 0; i < g.gl_pathc; i++)
			has_changed |= look_at(d, g.gl_pathv[i]);
		globfree(&g);
	}
	return forget_gone(d) || has_changed;
}

static const struct program *best(const struct discover *d, int major)
{
	const struct program *p = NULL;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].major == major && (!p || d->v[i].minor > p->minor))
			p = &d->v[i];
	return p;
}

const char *discover_bin(const struct discover *d, int major)
{
	const struct program *p = best(d, major);

	return p ? p->bin : NULL;
}

json_t *discover_report(const struct discover *d)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t *list = json_array();

	for (int major = 1; major < 100; major++) {
		const struct program *p = best(d, major);

		if (p)
			json_array_append_new(
				list,
				json_pack(
					"{ss ss ss}", "major", arena_printf(&a, "%d", p->major),
					"version", arena_printf(&a, "%d.%d", p->major, p->minor),
					"path", p->bin));
	}
	return list;
}
