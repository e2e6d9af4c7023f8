#include "agent/report.h"

#include <stdio.h>

#include "base/clock.h"
#include "codec/lsn.h"
#include "kinds/member.h"

static json_t *names_array(const char *with_commas)
{
	json_t *list = json_array();
	struct str rest = str_of(with_commas), name;

	while (str_split(&rest, ',', &name))
		if (name.n)
			json_array_append_new(list, json_stringn(name.p, name.n));
	return list;
}

static const struct seen_replica *replica_find(const struct seen *s, const char *slot)
{
	for (size_t i = 0; i < s->server.replicas_n; i++)
		if (strcmp(s->server.replicas[i].slot, slot) == 0)
			return &s->server.replicas[i];
	return NULL;
}

static void primary_add(json_t *status, const struct want *w, const struct seen *s)
{
	CLEANUP(arena_done) struct arena a = {0};
	json_t *replicas = json_array(), *members = json_array();

	for (size_t i = 0; i < w->standbys_n; i++) {
		const char *slot = member_slot(&a, w->standbys[i]);
		const struct seen_replica *r = replica_find(s, slot);

		if (r)
			json_array_append_new(
				replicas,
				json_pack("{ss ss}", "member", w->standbys[i], "state", r->state));
		if (member_is_synced(s, slot))
			json_array_append_new(members, json_string(w->standbys[i]));
	}
	json_object_set_new(status, "replicas", replicas);
	if (s->is_proven)
		json_object_set_new(
			status, "synchronous",
			json_pack("{ss so}", "names", s->proven_names, "members", members));
	else
		json_decref(members);
}

static void server_add(json_t *status, const struct want *w, const struct seen *s)
{
	const struct seen_server *v = &s->server;
	char time[CLOCK_TEXT];

	if (!s->is_probed)
		return;
	jv_set_str(status, "role", v->is_standby ? "standby" : "primary");
	jv_set_str(status, "serverVersion", v->version);
	jv_set_str(status, "systemIdentifier", v->system_identifier);
	jv_set(status, "timeline", json_integer(v->timeline));
	jv_set(status, "pendingRestart", names_array(v->pending_restart));
	jv_set_str(status, "startedAt", clock_text(v->started_us, time));
	if (w->is_primary && !v->is_standby)
		primary_add(status, w, s);
}

static json_t *status_make(
	const struct want *w, const struct seen *s, const struct member_next *n,
	const char *address)
{
	json_t *status = json_object();
	char endpoint[300];

	jv_set_str(status, "state", n->state);
	jv_set_str(status, "message", n->message);
	jv_set(status, "epoch", json_integer(s->epoch));
	if (s->port) {
		snprintf(endpoint, sizeof(endpoint), "%s:%d", address, s->port);
		jv_set_str(status, "address", address);
		jv_set(status, "port", json_integer(s->port));
		jv_set_str(status, "endpoint", endpoint);
	}
	jv_set(status, "restarted", json_integer(s->restarted));
	if (s->restart_ms)
		jv_set(status, "restartMs", json_integer(s->restart_ms));
	if (s->settings[0])
		jv_set_str(status, "settingsHash", s->settings);
	if (s->roles[0])
		jv_set_str(status, "rolesHash", s->roles);
	server_add(status, w, s);
	return status;
}

static json_t *live_make(const struct seen *s)
{
	json_t *live = json_object();
	char lsn[LSN_TEXT];

	if (s->is_probed) {
		jv_set_str(live, "lsn", lsn_text(s->server.lsn, lsn));
		jv_set(live, "lagBytes", json_integer((json_int_t)s->server.lag_bytes));
	}
	if (s->busy == STEP_COPY && s->total_bytes) {
		jv_set(live, "copiedBytes", json_integer((json_int_t)s->done_bytes));
		jv_set(live, "totalBytes", json_integer((json_int_t)s->total_bytes));
	}
	return live;
}

json_t *report_member(
	const struct want *w, const struct seen *s, const struct member_next *n,
	const char *address)
{
	json_t *all = json_object();

	jv_set_str(all, "uid", w->uid);
	jv_set_str(all, "namespace", w->namespace);
	jv_set_str(all, "name", w->name);
	jv_set(all, "status", status_make(w, s, n, address));
	jv_set(all, "live", live_make(s));
	return all;
}
