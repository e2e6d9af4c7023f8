#include "control/plan_gateway.h"

#include "base/clock.h"
#include "kinds/cond.h"
#include "kinds/database.h"
#include "kinds/gateway.h"
#include "kinds/gateway_route.h"
#include "kinds/hold.h"

enum { ADMITTED_MAX = 64, NAMED_MAX = 3 };

/* Admission. */

static json_t *admitted(const struct cluster *c)
{
	json_t *ret = json_array(), *gateway, *source;
	size_t i, j;

	json_array_foreach ((json_t *)(uintptr_t)c->gateways, i, gateway)
		json_array_foreach (jv_at(gateway, "sources"), j, source)
			if (json_array_size(ret) < ADMITTED_MAX)
				json_array_append_new(
					ret,
					json_pack(
						"{s:O, s:O}", "name",
						json_object_get(gateway, "name"), "address",
						source));
	return ret;
}

void plan_gateway_admit(struct cluster *c)
{
	CLEANUP(jv_drop) json_t *all = admitted(c);

	for (size_t i = 0; i < c->members_n; i++) {
		if (json_array_size(all))
			json_object_set(c->members[i].spec, "gateways", all);
		else
			json_object_del(c->members[i].spec, "gateways");
	}
}

/* Where. */

static void endpoint_add(struct cluster *c, const json_t *gateway, struct credentials_where *w)
{
	char host[GATEWAY_HOST_MAX];
	int port;

	if (!gateway_address(jv_str(gateway, "address"), host, &port) ||
	    w->endpoints_n == CREDENTIALS_ENDPOINTS_MAX)
		return;
	w->endpoints[w->endpoints_n++] =
		(struct credentials_endpoint){arena_strdup(c->arena, host), port};
}

bool plan_gateway_where(struct cluster *c, const char *dbname, struct credentials_where *ret)
{
	const char *route = gateway_route_name(c->arena, c->namespace, c->name);
	const char *first = jv_str_or(c->database, "spec.databases.0.name", c->name);
	const char *inside = "";
	json_t *gateway;
	size_t i;

	for (int ready = 1; ready >= 0 && !ret->endpoints_n; ready--)
		json_array_foreach ((json_t *)(uintptr_t)c->gateways, i, gateway)
			if (jv_bool(gateway, ready ? "isReady" : "isKnown", false))
				endpoint_add(c, gateway, ret);
	if (!ret->endpoints_n)
		return false;
	if (strcmp(dbname, first) != 0)
		inside = arena_printf(c->arena, "/%s", dbname);
	ret->is_gateway = true;
	ret->dbname = arena_printf(c->arena, "%s%s", route, inside);
	if (c->standbys_wanted)
		ret->ro_dbname =
			arena_printf(c->arena, "%s%s%s", route, DATABASE_READ_ONLY, inside);
	return true;
}

/* Holding. */

static void hold_begin(struct cluster *c, const char *asked, const struct hold *h)
{
	int64_t serial = jv_int(c->database, "status.holdSerial", 0) + 1;
	char now[CLOCK_TEXT], id[24];

	snprintf(id, sizeof(id), "%lld", (long long)serial);
	jv_set(c->database, "status.holdSerial", json_integer(serial));
	jv_set(c->database, "status.hold",
	       json_pack(
		       "{s:s, s:I, s:s, s:s, s:s}", "id", id, "drainMs", (json_int_t)h->drain_ms,
		       "onDrain", h->on_drain, "asked", asked, "since",
		       clock_text(c->now_us, now)));
	cluster_event(
		c, false, "HoldAsked", "Holding its sessions: those at work may go on for %lld ms",
		(long long)h->drain_ms);
}

/* What the gateways say of it, added up. */
struct tally {
	size_t alive, held, refused;
	int64_t parked, active, stuck;
	struct buf named, silent; /* in a sentence; owned */
	size_t named_n;
	const char *refuser;
};

static void name_stuck(struct tally *t, const json_t *hold)
{
	json_t *one;
	size_t i;

	json_array_foreach (jv_at(hold, "stuck"), i, one) {
		const char *application = jv_str_or(one, "application", "");

		if (t->named_n++ >= NAMED_MAX)
			return;
		buf_printf(
			&t->named, "%s%s%s%s%s: %s", t->named.n ? "; " : "",
			jv_str_or(one, "user", "?"), *application ? " (" : "", application,
			*application ? ")" : "", jv_str_or(one, "reason", "it cannot be moved"));
	}
}

static void tally_add(struct tally *t, const json_t *gateway, const char *id)
{
	const json_t *hold = jv_at(gateway, "hold");
	const char *name = jv_str_or(gateway, "name", "");
	const char *state;

	if (!jv_bool(gateway, "isReady", false)) {
		buf_printf(&t->silent, "%s%s", t->silent.n ? ", " : "", name);
		return;
	}
	t->alive++;
	if (!hold || strcmp(jv_str_or(hold, "id", ""), id) != 0)
		return; /* it has not heard of it yet */
	state = jv_str_or(hold, "state", "");
	t->parked += jv_int(hold, "parked", 0);
	t->active += jv_int(hold, "active", 0);
	t->stuck += jv_int(hold, "stuckCount", 0);
	t->held += !strcmp(state, "held");
	if (!strcmp(state, "refused")) {
		t->refused++;
		t->refuser = name;
	}
	name_stuck(t, hold);
}

static const char *stuck_text(struct cluster *c, const struct tally *t)
{
	if (!t->stuck)
		return "";
	return arena_printf(
		c->arena, "; %lld cannot be moved: %.*s%s", (long long)t->stuck, (int)t->named.n,
		t->named.p ? t->named.p : "", t->stuck > NAMED_MAX ? "; ..." : "");
}

/* Nobody knows what a silent one does: it may still serve. */
static const char *silent_text(struct cluster *c, const struct tally *t)
{
	if (!t->silent.n)
		return "";
	return arena_printf(
		c->arena, "; nothing is known of gateway %.*s, which is silent", (int)t->silent.n,
		t->silent.p);
}

struct verdict {
	const char *status, *reason, *text;
};

static struct verdict judge(struct cluster *c, const struct tally *t)
{
	const char *more = arena_printf(c->arena, "%s%s", stuck_text(c, t), silent_text(c, t));

	if (!t->alive)
		return (struct verdict){
			"False", "NoGateway", "No gateway is heard that could hold its sessions"};
	if (t->refused)
		return (struct verdict){
			"False", "Refused",
			arena_printf(
				c->arena,
				"Gateway %s gave up after the drain limit, and its sessions go "
				"on%s",
				t->refuser, more)};
	if (t->held == t->alive)
		return (struct verdict){
			"True", "Held",
			arena_printf(
				c->arena, "All its sessions wait: %lld on %zu gateway%s%s",
				(long long)t->parked, t->alive, t->alive == 1 ? "" : "s", more)};
	return (struct verdict){
		"False", "Holding",
		arena_printf(
			c->arena,
			"%lld of its sessions wait, %lld are at work; %zu of %zu "
			"gateways hold it%s",
			(long long)t->parked, (long long)t->active, t->held, t->alive, more)};
}

static void say(struct cluster *c, const struct verdict *v, bool is_warning)
{
	const json_t *was = cond_get(c->database, "Held");
	bool is_news = !was || strcmp(jv_str_or(was, "reason", ""), v->reason) != 0;

	cond_set(c->database, "Held", v->status, v->reason, v->text);
	if (is_news && strcmp(v->reason, "Holding") != 0)
		cluster_event(c, is_warning, v->reason, "%s", v->text);
}

static void hold_judge(struct cluster *c)
{
	const char *id = jv_str_or(c->database, "status.hold.id", "");
	struct tally t = {0};
	struct verdict v;
	json_t *gateway;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)c->gateways, i, gateway)
		tally_add(&t, gateway, id);
	v = judge(c, &t);
	say(c, &v, !t.alive || t.refused);
	buf_done(&t.named);
	buf_done(&t.silent);
}

void plan_gateway_hold(struct cluster *c)
{
	static const struct verdict open = {"False", "Resumed", "Its sessions go on"};
	const char *asked = hold_asked(c->database),
		   *has = jv_str(c->database, "status.hold.asked");
	struct hold h;

	if (asked && hold_parse(asked, &h, NULL))
		asked = NULL; /* it was written past the API, which refuses it */
	if (!asked && has) {
		jv_remove(c->database, "status.hold");
		say(c, &open, false);
	}
	if (asked && (!has || strcmp(asked, has) != 0))
		hold_begin(c, asked, &h);
	if (asked)
		hold_judge(c);
}
