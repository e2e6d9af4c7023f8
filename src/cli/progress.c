#include "cli/progress.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "kinds/cond.h"

enum { RECHECK_MS = 500 };

/* ---- what has changed ---- */

static const json_t *member_find(const json_t *object, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach (jv_at(object, "status.members"), i, one)
		if (strcmp(jv_str_or(one, "name", ""), name) == 0)
			return one;
	return NULL;
}

/* "Running", "Running, in sync" */
static const char *member_words(struct arena *a, const json_t *m)
{
	char *state = arena_strdup(a, jv_str_or(m, "state", "Pending"));

	state[0] = (char)tolower((unsigned char)state[0]);
	if (jv_bool(m, "sync", false))
		return arena_printf(a, "%s, holds every acknowledged write", state);
	return state;
}

static void line(json_t *lines, const char *text)
{
	json_array_append_new(lines, json_string(text));
}

static void members_lines(struct arena *a, const json_t *before, const json_t *now, json_t *lines)
{
	const json_t *m;
	size_t i;

	json_array_foreach (jv_at(now, "status.members"), i, m) {
		const char *name = jv_str_or(m, "name", "?");
		const json_t *was = member_find(before, name);

		if (was && strcmp(member_words(a, was), member_words(a, m)) == 0)
			continue;
		line(lines,
		     arena_printf(
			     a, "%s (%s in %s): %s", name, jv_str_or(m, "role", "member"),
			     jv_str_or(m, "zone", "?"), member_words(a, m)));
	}
	json_array_foreach (jv_at(before, "status.members"), i, m)
		if (!member_find(now, jv_str_or(m, "name", "?")))
			line(lines, arena_printf(a, "%s: gone", jv_str_or(m, "name", "?")));
}

const char *progress_sentence(const json_t *object)
{
	return jv_str_or(cond_get(object, "Ready"), "message", "");
}

/* What its conditions say that they did not say before, the same sentence once. */
static void conds_lines(const json_t *before, const json_t *now, json_t *lines)
{
	const char *said = "";
	const json_t *c;
	size_t i;

	json_array_foreach (jv_at(now, "status.conditions"), i, c) {
		const char *type = jv_str_or(c, "type", ""), *text = jv_str_or(c, "message", "");
		const json_t *was = cond_get(before, type);
		bool is_news = strcmp(type, "Ready") == 0 || strcmp(type, "Progressing") == 0 ||
			strcmp(type, "RestartPending") == 0;

		if (!is_news || !text[0] || strcmp(text, said) == 0 ||
		    (was && strcmp(jv_str_or(was, "message", ""), text) == 0))
			continue;
		if (strcmp(type, "Ready") != 0 && strcmp(jv_str_or(c, "status", ""), "True") != 0)
			continue; /* "nothing pending" is no news */
		line(lines, text);
		said = text;
	}
}

void progress_lines(const json_t *before, const json_t *now, json_t *ret_lines)
{
	CLEANUP(arena_done) struct arena a = {0};

	members_lines(&a, before, now, ret_lines);
	conds_lines(before, now, ret_lines);
}

/* Reasons of Ready=False where waiting alone does not help. */
static bool is_stuck(const char *reason)
{
	static const char *const reasons[] = {
		"NoHost", "SecretTaken", "PrimaryLost", "PrimaryRemoved", "VersionChange",
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i], reason) == 0)
			return true;
	return false;
}

enum progress_end progress_end(const json_t *object)
{
	const json_t *ready = cond_get(object, "Ready");
	int64_t generation = jv_int(object, "metadata.generation", 0);

	if (!ready ||
	    jv_int(ready, "observedGeneration", jv_int(object, "status.observedGeneration", -1)) !=
		    generation)
		return PROGRESS_GOES_ON;
	if (strcmp(jv_str_or(ready, "status", ""), "True") == 0)
		return PROGRESS_READY;
	return is_stuck(jv_str_or(ready, "reason", "")) ? PROGRESS_FAILED : PROGRESS_GOES_ON;
}

/* ---- following ---- */

struct follow {
	json_t *last; /* as it was when its lines were printed */
	int64_t from_ms;
	bool is_tty;
	enum progress_end end;
	bool is_deleted;
};

/* On a terminal the sentence of the moment stays below, and is written over. */
static void print_lines(const struct follow *f, const json_t *lines, const char *sentence)
{
	double s = (double)(clock_mono_ms() - f->from_ms) / 1000.0;
	const json_t *text;
	size_t i;

	if (f->is_tty)
		fputs("\r\033[K", stderr);
	json_array_foreach (lines, i, text)
		fprintf(stderr, "%6.1f s  %s\n", s, json_string_value(text));
	if (f->is_tty && f->end == PROGRESS_GOES_ON && sentence[0])
		fprintf(stderr, "%6.1f s  ... %.100s", s, sentence);
	fflush(stderr);
}

static bool look(struct follow *f, json_t *object)
{
	CLEANUP(jv_drop) json_t *lines = json_array();

	f->end = progress_end(object);
	progress_lines(f->last, object, lines);
	if (json_array_size(lines) || f->end != PROGRESS_GOES_ON)
		print_lines(f, lines, progress_sentence(object));
	json_decref(f->last);
	f->last = json_deep_copy(object);
	return f->end == PROGRESS_GOES_ON;
}

static bool on_event(void *arg, const char *type, json_t *object)
{
	struct follow *f = arg;

	f->is_deleted = strcmp(type, "DELETED") == 0;
	return !f->is_deleted && look(f, object);
}

static enum err_code follow_end(
	struct follow *f, enum err_code code, const char *title, int64_t timeout_s, struct err *e)
{
	if (f->is_tty)
		fputs("\r\033[K", stderr);
	if (f->is_deleted)
		return err_set(e, ERR_GONE, "%s was deleted meanwhile", title);
	if (f->end == PROGRESS_FAILED)
		return err_set(e, ERR_INVALID, "%s: %s", title, progress_sentence(f->last));
	if (code == ERR_TIMEOUT)
		return err_set(
			e, ERR_TIMEOUT, "%s is not ready after %lld s: %s", title,
			(long long)timeout_s,
			f->last && progress_sentence(f->last)[0] ? progress_sentence(f->last)
								 : "it has not been looked at");
	return code;
}

enum err_code progress_follow(
	struct session *s, const struct kind *k, const char *ns, const char *name,
	int64_t timeout_s, struct err *e)
{
	const char *path = session_path(s, k, ns, NULL);
	const char *title = arena_printf(&s->arena, "%s %s", k->singular, name);
	const char *const pairs[] = {
		"fieldSelector", arena_printf(&s->arena, "metadata.name=%s", name), NULL};
	struct follow f = {
		.from_ms = clock_mono_ms(),
		.is_tty = isatty(STDERR_FILENO),
	};
	CLEANUP(jv_drop) json_t *now = NULL;
	enum err_code code;

	code = session_get(s, session_path(s, k, ns, name), &now, e);
	if (!code && look(&f, now))
		code = session_watch(
			s, path, pairs, jv_str_or(now, "metadata.resourceVersion", "0"), false,
			(int)MIN(timeout_s * 1000, (int64_t)INT32_MAX), on_event, &f, e);
	code = follow_end(&f, code, title, timeout_s, e);
	json_decref(f.last);
	return code;
}
