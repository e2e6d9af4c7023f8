/*
 * The controllers of Hosts and Gateways: Ready, by the age of the last report.
 */
#include "base/clock.h"
#include "control/cluster.h"
#include "control/context.h"
#include "kinds/cond.h"
#include "kinds/gateway.h"

/* Who reports, and what is said of it. */
struct reporter {
	const char *kind;
	const char *heard_reason, *heard, *silent; /* of its condition */
	const char *ready_event, *silent_event;
	bool (*is_heard)(struct context *x, const char *name, bool *ret_is_known);
};

static const struct reporter host_reporter = {
	.kind = "Host",
	.heard_reason = "AgentReports",
	.heard = "Its agent reports",
	.silent = "Its agent has not reported for a while",
	.ready_event = "HostReady",
	.silent_event = "HostSilent",
	.is_heard = host_is_heard,
};

static const struct reporter gateway_reporter = {
	.kind = "Gateway",
	.heard_reason = "Reports",
	.heard = "It reports",
	.silent = "It has not reported for a while",
	.ready_event = "GatewayReady",
	.silent_event = "GatewaySilent",
	.is_heard = gateway_is_heard,
};

static bool is_pulse_young(struct context *x, const char *pulse, bool *ret_is_known)
{
	int64_t age_ms = INT64_MAX, watched_ms = clock_mono_ms() - x->since_ms;
	enum err_code code = store_pulse_get(x->store, pulse, NULL, &age_ms, NULL);
	bool is_heard = !code && age_ms < x->host_silent_ms;

	/* Just after a start nobody had the time to be heard. */
	*ret_is_known =
		is_heard || ((!code || code == ERR_NOT_FOUND) && watched_ms > x->host_silent_ms);
	return is_heard;
}

bool host_is_heard(struct context *x, const char *name, bool *ret_is_known)
{
	return is_pulse_young(x, name, ret_is_known);
}

bool gateway_is_heard(struct context *x, const char *name, bool *ret_is_known)
{
	CLEANUP(arena_done) struct arena a = {0};

	return is_pulse_young(x, gateway_pulse_name(&a, name), ret_is_known);
}

static const char *text_of(const json_t *o, bool is_heard, struct arena *a)
{
	const char *name = jv_str_or(o, "metadata.name", "");
	const char *zone = jv_str(o, "spec.zone");

	if (zone)
		return is_heard ? arena_printf(a, "Host %s in %s is heard", name, zone)
				: arena_printf(
					  a, "Host %s in %s is silent: its agent does not report",
					  name, zone);
	return is_heard
		? arena_printf(a, "Gateway %s is heard", name)
		: arena_printf(
			  a, "Gateway %s is silent: nobody knows whether it serves clients", name);
}

static void say(const struct reporter *r, json_t *object, bool is_heard, struct outcome *o)
{
	const char *was = cond_status(object, "Ready");
	bool was_ready = was && !strcmp(was, "True");

	cond_set(
		object, "Ready", is_heard ? "True" : "False", is_heard ? r->heard_reason : "Silent",
		is_heard ? r->heard : r->silent);
	if (is_heard != was_ready)
		outcome_event(
			o, object, !is_heard, is_heard ? r->ready_event : r->silent_event,
			text_of(object, is_heard, o->arena));
}

/* Writes what is said only where it is news. */
static void judge(const struct reporter *r, const json_t *object, bool is_heard, struct outcome *o)
{
	json_t *next = json_deep_copy(object);

	say(r, next, is_heard, o);
	if (json_equal(next, object))
		json_decref(next);
	else
		outcome_write(o, STORE_STATUS, next);
}

static enum err_code reconcile(
	struct context *x, const struct reporter *r, const char *name, struct arena *a,
	struct err *e)
{
	CLEANUP(jv_drop) json_t *object = NULL;
	struct outcome *o = arena_new(a, struct outcome);
	bool is_heard, is_known;
	enum err_code code = context_get(x, r->kind, "", name, &object, e);

	if (code || !object)
		return code;
	is_heard = r->is_heard(x, name, &is_known);
	if (!is_known)
		return ERR_OK; /* the loop asks again each second */
	o->arena = a;
	judge(r, object, is_heard, o);
	code = context_apply(x, arena_printf(a, "%s//%s", r->kind, name), o, e);
	outcome_done(o);
	return code;
}

enum err_code
host_reconcile(struct context *x, const char *ns, const char *name, struct arena *a, struct err *e)
{
	(void)ns;
	return reconcile(x, &host_reporter, name, a, e);
}

enum err_code gateway_reconcile(
	struct context *x, const char *ns, const char *name, struct arena *a, struct err *e)
{
	(void)ns;
	return reconcile(x, &gateway_reporter, name, a, e);
}
