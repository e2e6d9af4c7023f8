/* The verbs `hold` and `resume`: sessions of a Database wait at the gateways, and go on. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "kinds/cond.h"
#include "kinds/hold.h"

enum { TIMEOUT_S = 60 };

/* "5s", "500ms", "2m"; a number alone is seconds. */
static enum err_code drain_parse(const char *text, int64_t *ret_ms, struct err *e)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"", 1000}};
	struct str s = str_of(text);
	uint64_t n;
	size_t i = 0;

	while (!str_cut_suffix(&s, units[i].unit))
		i++;
	if (!str_to_u64(s, &n) || n > HOLD_DRAIN_MAX_MS ||
	    (int64_t)n * units[i].ms > HOLD_DRAIN_MAX_MS)
		return err_set(
			e, ERR_INVALID,
			"--drain %s: want a time such as 5s, 500ms or 2m, at most an hour", text);
	*ret_ms = (int64_t)n * units[i].ms;
	return ERR_OK;
}

/* What the annotation shall be; NULL: none. */
static enum err_code
annotate(struct session *s, const char *database, const char *value, struct err *e)
{
	const char *path = session_path(s, kind_by_name("Database"), s->ns, database);
	CLEANUP(jv_drop)
	json_t *patch =
		json_pack("{s:{s:{s:s?}}}", "metadata", "annotations", HOLD_ANNOTATION, value);

	if (!s->ns)
		return err_set(e, ERR_INVALID, "which namespace? Say -n NAMESPACE");
	return session_call(s, "PATCH", path, "application/merge-patch+json", patch, NULL, NULL, e);
}

struct waiting {
	const char *asked; /* NULL: for the end of it */
	char said[1000], reason[64];
	bool is_over, is_good, is_deleted;
};

/* Says each new sentence; is it decided? */
static bool look(struct waiting *w, const json_t *database)
{
	const char *has = jv_str(database, "status.hold.asked");
	const json_t *held = cond_get(database, "Held");
	const char *text = jv_str_or(held, "message", "");

	if (!w->asked) {
		w->is_over = w->is_good = !has;
		return w->is_over;
	}
	if (!has || strcmp(has, w->asked) != 0)
		return false;
	snprintf(w->reason, sizeof(w->reason), "%s", jv_str_or(held, "reason", ""));
	if (strcmp(w->said, text) != 0) {
		snprintf(w->said, sizeof(w->said), "%s", text);
		fprintf(stderr, "%s\n", text);
	}
	w->is_good = !strcmp(w->reason, "Held");
	w->is_over = w->is_good || !strcmp(w->reason, "Refused") || !strcmp(w->reason, "NoGateway");
	return w->is_over;
}

static bool on_event(void *arg, const char *type, json_t *object)
{
	struct waiting *w = arg;

	w->is_deleted = strcmp(type, "DELETED") == 0;
	return !w->is_deleted && !look(w, object);
}

/* A controller that judges before the gateways' row has come says NoGateway first; it is looked at
 * as it stands, and changes are waited for. */
static enum err_code
await(struct session *s, const char *database, struct waiting *w, struct err *e)
{
	const struct kind *k = kind_by_name("Database");
	const char *const pairs[] = {
		"fieldSelector", arena_printf(&s->arena, "metadata.name=%s", database), NULL};
	CLEANUP(jv_drop) json_t *now = NULL;
	enum err_code code = session_get(s, session_path(s, k, s->ns, database), &now, e);

	if (code || look(w, now))
		return code;
	code = session_watch(
		s, session_path(s, k, s->ns, NULL), pairs,
		jv_str_or(now, "metadata.resourceVersion", "0"), false,
		(int)(s->values->timeout_s * 1000), on_event, w, e);
	if (w->is_deleted)
		return err_set(e, ERR_GONE, "database %s was deleted meanwhile", database);
	return code;
}

static enum err_code hold(struct session *s, const char *database, struct err *e)
{
	const struct cli_values *v = s->values;
	char now[CLOCK_TEXT];
	struct waiting w = {0};
	int64_t drain_ms = 0;
	enum err_code code = drain_parse(v->drain, &drain_ms, e);
	CLEANUP(jv_drop)
	json_t *value = json_pack(
		"{s:s, s:I, s:s}", "asked", clock_text(clock_wall_us(), now), "drainMs",
		(json_int_t)drain_ms, "onDrain", v->on_drain);

	if (code)
		return code;
	w.asked = jv_text(&s->arena, value).p;
	code = annotate(s, database, w.asked, e);
	if (!code)
		code = await(s, database, &w, e);
	if (code == ERR_TIMEOUT)
		return err_set(
			e, ERR_TIMEOUT,
			"database %s is not held after %lld s, and still asked to be; 'slipway "
			"resume %s' ends that",
			database, (long long)v->timeout_s, database);
	if (!code && !w.is_good)
		return err_set(
			e, ERR_UNAVAILABLE,
			"database %s is not held, and still asked to be; 'slipway resume %s' ends "
			"that",
			database, database);
	return code;
}

static enum err_code resume(struct session *s, const char *database, struct err *e)
{
	struct waiting w = {0};
	enum err_code code = annotate(s, database, NULL, e);

	if (!code)
		code = await(s, database, &w, e);
	if (!code)
		fprintf(stderr, "the sessions of %s/%s go on\n", s->ns, database);
	return code;
}

static int
run(const void *values, const char *database,
    enum err_code (*act)(struct session *s, const char *database, struct err *e))
{
	struct session s;
	enum err_code code;
	struct err e;

	if (session_open(values, &s, &e))
		return cli_fail(&e);
	code = act(&s, database, &e);
	session_done(&s);
	return code ? cli_fail(&e) : 0;
}

static int hold_run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	return run(values, args[0], hold);
}

static int resume_run(const struct opt_verb *verb, const void *values, char **args, size_t n)
{
	return run(values, args[0], resume);
}

static void defaults(void *values)
{
	struct cli_values *v = values;

	v->drain = "5s";
	v->on_drain = "wait";
	v->timeout_s = TIMEOUT_S;
}

static const struct opt hold_opts[] = {
	CLI_NAMESPACE,
	{"drain", 0, OPT_STR, CLI_AT(drain), "TIME",
	 "How long sessions that are at work may go on (5s)."},
	{"on-drain", 0, OPT_STR, CLI_AT(on_drain), "wait|refuse|end",
	 "Then: wait on for them (the default), give the hold up, or end them."},
	CLI_TIMEOUT("How long to wait until all are held (60)."),
	CLI_KUBECONFIG,
	{NULL},
};

static const struct opt resume_opts[] = {
	CLI_NAMESPACE,
	CLI_TIMEOUT("How long to wait (60)."),
	CLI_KUBECONFIG,
	{NULL},
};

const struct opt_verb hold_verb = {
	.name = "hold",
	.args = "DATABASE",
	.help = "Let the sessions of a Database wait at the gateways, each at the end of its "
		"transaction.",
	.examples = "slipway hold orders -n payments-dev --drain 2s --on-drain refuse\n"
		    "slipway resume orders -n payments-dev",
	.exits = "0  every session waits\n1  not (yet): the hold is still asked for, until "
		 "'slipway resume'",
	.opts = hold_opts,
	.args_min = 1,
	.args_max = 1,
	.run = hold_run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};

const struct opt_verb resume_verb = {
	.name = "resume",
	.args = "DATABASE",
	.help = "Let the sessions of a Database that are held go on.",
	.examples = "slipway resume orders -n payments-dev",
	.opts = resume_opts,
	.args_min = 1,
	.args_max = 1,
	.run = resume_run,
	.values_bytes = sizeof(struct cli_values),
	.defaults = defaults,
};
