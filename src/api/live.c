#include "api/live.h"

#include "api/wants.h"
#include "base/clock.h"
#include "kinds/gateway.h"

/* What another replica of ours may have heard of a member. */
static void ask_pulse(struct api *a, const char *host, const char *uid, struct fleet_live *l)
{
	CLEANUP(jv_drop) json_t *body = NULL;
	const json_t *live;
	int64_t age_ms;

	if (!*host || store_pulse_get(a->store, host, &body, &age_ms, NULL) ||
	    age_ms > FLEET_LIVE_MS)
		return;
	live = json_object_get(body, uid);
	snprintf(l->lsn, sizeof(l->lsn), "%s", jv_str_or(live, "lsn", ""));
	l->lag_bytes = jv_int(live, "lagBytes", -1);
}

static void lay_values(json_t *status, const struct fleet_live *l)
{
	if (!*l->lsn)
		return;
	json_object_set_new(status, "lsn", json_string(l->lsn));
	if (l->lag_bytes >= 0)
		json_object_set_new(status, "lagBytes", json_integer(l->lag_bytes));
}

static void lay_member(struct api *a, json_t *o)
{
	struct fleet_live l = fleet_live(
		wants_fleet(a->wants), jv_str_or(o, "metadata.namespace", ""),
		jv_str_or(o, "metadata.name", ""));

	if (!*l.lsn)
		ask_pulse(a, l.host, jv_str_or(o, "metadata.uid", ""), &l);
	if (*l.lsn)
		lay_values(jv_object_at(o, "status"), &l);
}

static void lay_database(struct api *a, json_t *o)
{
	const char *ns = jv_str_or(o, "metadata.namespace", "");
	json_t *members = jv_at(o, "status.members"), *m;
	size_t i;

	json_array_foreach (members, i, m) {
		struct fleet_live l =
			fleet_live(wants_fleet(a->wants), ns, jv_str_or(m, "name", ""));

		if (!*l.lsn)
			ask_pulse(a, l.host, jv_str_or(m, "uid", ""), &l);
		lay_values(m, &l);
	}
}

static void lay_host(struct api *a, json_t *o)
{
	const char *name = jv_str_or(o, "metadata.name", "");
	json_t *status = jv_object_at(o, "status");
	char text[CLOCK_TEXT];
	int64_t age_ms;

	json_object_set_new(
		status, "memberCount",
		json_integer(fleet_member_count(wants_fleet(a->wants), name)));
	if (!store_pulse_get(a->store, name, NULL, &age_ms, NULL))
		json_object_set_new(
			status, "lastHeard",
			json_string(clock_text(clock_wall_us() - age_ms * 1000, text)));
}

static void lay_gateway(struct api *a, json_t *o)
{
	CLEANUP(arena_done) struct arena arena = {0};
	CLEANUP(jv_drop) json_t *said = NULL;
	json_t *status = jv_object_at(o, "status");
	char text[CLOCK_TEXT];
	int64_t age_ms;

	if (store_pulse_get(
		    a->store, gateway_pulse_name(&arena, jv_str_or(o, "metadata.name", "")), &said,
		    &age_ms, NULL))
		return;
	json_object_set_new(
		status, "lastHeard",
		json_string(clock_text(clock_wall_us() - age_ms * 1000, text)));
	if (age_ms < FLEET_LIVE_MS)
		json_object_update(status, said);
}

static const struct {
	const char *kind;
	void (*lay)(struct api *a, json_t *object);
	const char
		*mark; /* its text has this when there may be something to lay over; "": always */
} layers[] = {
	{"Member", lay_member, "\"status\":{"},
	{"Database", lay_database, "\"members\":[{"},
	{"Host", lay_host, ""},
	{"Gateway", lay_gateway, ""},
};

void live_lay(struct api *a, const struct kind *k, json_t *object)
{
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		if (!strcmp(layers[i].kind, k->name))
			layers[i].lay(a, object);
}

bool live_may_lay(const struct kind *k, struct str text)
{
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		if (!strcmp(layers[i].kind, k->name))
			return memmem(text.p, text.n, layers[i].mark, strlen(layers[i].mark));
	return false;
}
