/*
 * The Host controller: Ready, by the age of its agent's last report.
 */
#include "base/clock.h"
#include "control/cluster.h"
#include "control/context.h"
#include "kinds/cond.h"

bool host_is_heard(struct context *x, const char *name, bool *ret_is_known)
{
	int64_t age_ms = INT64_MAX, watched_ms = clock_mono_ms() - x->since_ms;
	enum err_code code = store_pulse_get(x->store, name, NULL, &age_ms, NULL);
	bool is_heard = !code && age_ms < x->host_silent_ms;

	/* Just after a start nobody had the time to be heard. */
	*ret_is_known =
		is_heard || ((!code || code == ERR_NOT_FOUND) && watched_ms > x->host_silent_ms);
	return is_heard;
}

static void say(json_t *host, bool is_heard, struct outcome *o)
{
	const char *name = jv_str_or(host, "metadata.name", "");
	const char *zone = jv_str_or(host, "spec.zone", "?");
	const char *was = cond_status(host, "Ready");
	bool was_ready = was && !strcmp(was, "True");

	cond_set(
		host, "Ready", is_heard ? "True" : "False", is_heard ? "AgentReports" : "Silent",
		is_heard ? "Its agent reports" : "Its agent has not reported for a while");
	if (is_heard && !was_ready)
		outcome_event(
			o, host, false, "HostReady",
			arena_printf(o->arena, "Host %s in %s is heard", name, zone));
	if (!is_heard && was_ready)
		outcome_event(
			o, host, true, "HostSilent",
			arena_printf(
				o->arena, "Host %s in %s is silent: its agent does not report",
				name, zone));
}

/* Writes what is said only where it is news. */
static void judge(const json_t *host, bool is_heard, struct outcome *o)
{
	json_t *next = json_deep_copy(host);

	say(next, is_heard, o);
	if (json_equal(next, host))
		json_decref(next);
	else
		outcome_write(o, STORE_STATUS, next);
}

enum err_code
host_reconcile(struct context *x, const char *ns, const char *name, struct arena *a, struct err *e)
{
	CLEANUP(jv_drop) json_t *host = NULL;
	struct outcome *o = arena_new(a, struct outcome);
	bool is_heard, is_known;
	enum err_code code = context_get(x, "Host", ns, name, &host, e);

	if (code || !host)
		return code;
	is_heard = host_is_heard(x, name, &is_known);
	if (!is_known)
		return ERR_OK; /* the loop asks again each second */
	o->arena = a;
	judge(host, is_heard, o);
	code = context_apply(x, arena_printf(a, "Host//%s", name), o, e);
	outcome_done(o);
	return code;
}
