#include "agent/member.h"

#include <ctype.h>
#include <stdio.h>

#include "kinds/member.h"

static bool has_process(const struct seen *s)
{
	return s->process != UNIT_DOWN;
}

static bool is_ending(const struct seen *s)
{
	return s->process >= UNIT_STOPPING;
}

static bool has_slot(const struct seen *s, const char *slot)
{
	for (size_t i = 0; i < s->server.slots_n; i++)
		if (strcmp(s->server.slots[i], slot) == 0)
			return true;
	return false;
}

static bool is_slot_of(const char *slot, const char *member)
{
	for (; *slot && *member; slot++, member++)
		if (*slot != *member && !(*slot == '_' && *member == '-'))
			return false;
	return !*slot && !*member;
}

/* A slot that we made has the name of a member: the database's, and a number. */
bool member_owns_slot(const struct want *w, const char *slot)
{
	size_t n = strlen(w->database);
	const char *digit = slot + n + 1;
	char prefix[SEEN_NAME + 1];

	if (strlen(slot) < n + 2 || slot[n] != '_')
		return false;
	snprintf(prefix, sizeof(prefix), "%.*s", (int)n, slot);
	while (isdigit((unsigned char)*digit))
		digit++;
	return !*digit && is_slot_of(prefix, w->database);
}

bool member_wants_slot(const struct want *w, const char *slot)
{
	for (size_t i = 0; i < w->standbys_n; i++)
		if (is_slot_of(slot, w->standbys[i]))
			return true;
	return false;
}

static bool are_slots_right(const struct want *w, const struct seen *s)
{
	CLEANUP(arena_done) struct arena a = {0};

	for (size_t i = 0; i < w->standbys_n; i++)
		if (!has_slot(s, member_slot(&a, w->standbys[i])))
			return false;
	for (size_t i = 0; i < s->server.slots_n; i++)
		if (member_owns_slot(w, s->server.slots[i]) &&
		    !member_wants_slot(w, s->server.slots[i]))
			return false;
	return true;
}

bool member_is_synced(const struct seen *s, const char *slot)
{
	if (!s->is_proven || !s->proven_names[0])
		return false;
	for (size_t i = 0; i < s->server.replicas_n; i++) {
		const struct seen_replica *r = &s->server.replicas[i];

		if (strcmp(r->slot, slot) == 0)
			return r->is_sync && r->flush_lsn >= s->proven_lsn;
	}
	return false;
}

/* The rules' conditions, in the order of the table. */

static bool deleted_but_runs(const struct want *w, const struct seen *s)
{
	return w->is_deleting && has_process(s) && s->process < UNIT_QUITTING;
}

static bool deleted_but_ends(const struct want *w, const struct seen *s)
{
	return w->is_deleting && has_process(s);
}

static bool deleted_but_there(const struct want *w, const struct seen *s)
{
	return w->is_deleting && s->has_folder;
}

static bool deleted(const struct want *w, const struct seen *s)
{
	return w->is_deleting;
}

static bool ends(const struct want *w, const struct seen *s)
{
	return is_ending(s);
}

static bool must_not_run(const struct want *w, const struct seen *s)
{
	return !w->is_running && has_process(s);
}

static bool is_unsaved(const struct want *w, const struct seen *s)
{
	return strcmp(w->hash, s->saved) != 0;
}

static bool rests_unsaved(const struct want *w, const struct seen *s)
{
	return !w->is_running && is_unsaved(w, s);
}

static bool rests(const struct want *w, const struct seen *s)
{
	return !w->is_running;
}

static bool lacks_major(const struct want *w, const struct seen *s)
{
	return !s->has_major && !has_process(s);
}

static bool has_bad_data(const struct want *w, const struct seen *s)
{
	return s->data == SEEN_BAD && !has_process(s);
}

/* Somebody else is primary now: whatever it is, it must not take a write any more. */
static bool runs_as_deposed(const struct want *w, const struct seen *s)
{
	return !w->is_primary && has_process(s) &&
		(s->data == SEEN_PRIMARY || (s->is_probed && !s->server.is_standby));
}

static bool is_deposed(const struct want *w, const struct seen *s)
{
	return !w->is_primary && s->data == SEEN_PRIMARY;
}

static bool needs_the_word(const struct want *w, const struct seen *s)
{
	return w->is_primary && !has_process(s) && !s->is_heard;
}

/* epoch is that of the role which is in place: without a newer one, a standby it stays. */
static bool lacks_a_verdict(const struct want *w, const struct seen *s)
{
	return w->is_primary && s->data == SEEN_STANDBY && w->epoch <= s->epoch;
}

/* It has lived, with commits that only its data has: a new cluster would hide that loss. */
static bool has_lost_its_cluster(const struct want *w, const struct seen *s)
{
	return w->is_primary && s->data == SEEN_NOTHING && !has_process(s) && w->system_identifier;
}

static bool needs_a_cluster(const struct want *w, const struct seen *s)
{
	return w->is_primary && s->data == SEEN_NOTHING && !has_process(s);
}

static bool needs_an_upstream(const struct want *w, const struct seen *s)
{
	return !w->is_primary && s->data == SEEN_NOTHING && !has_process(s) && !w->upstream_member;
}

static bool needs_a_copy(const struct want *w, const struct seen *s)
{
	return !w->is_primary && s->data == SEEN_NOTHING && !has_process(s);
}

static bool is_down(const struct want *w, const struct seen *s)
{
	return !has_process(s);
}

static bool is_starting(const struct want *w, const struct seen *s)
{
	return s->process == UNIT_STARTING;
}

static bool is_unknown(const struct want *w, const struct seen *s)
{
	return !s->is_probed;
}

static bool must_restart(const struct want *w, const struct seen *s)
{
	return w->restart > s->restarted;
}

static bool must_promote(const struct want *w, const struct seen *s)
{
	return w->is_primary && s->server.is_standby;
}

static bool has_old_conf(const struct want *w, const struct seen *s)
{
	return !s->is_conf_current;
}

static bool has_other_slots(const struct want *w, const struct seen *s)
{
	return w->is_primary && !are_slots_right(w, s);
}

static bool has_other_roles(const struct want *w, const struct seen *s)
{
	return w->is_primary && strcmp(w->access_hash, s->access) != 0;
}

static bool is_unproven(const struct want *w, const struct seen *s)
{
	return w->is_primary && (!s->is_proven || strcmp(w->sync_names, s->proven_names) != 0);
}

static bool has_old_save(const struct want *w, const struct seen *s)
{
	return w->epoch > s->epoch || !s->is_noted || is_unsaved(w, s);
}

static bool lacks_a_stream(const struct want *w, const struct seen *s)
{
	return !w->is_primary && !s->server.is_receiving;
}

static bool lacks_a_replica(const struct want *w, const struct seen *s)
{
	for (size_t i = 0; w->is_primary && w->sync_names[0] && i < s->server.replicas_n; i++)
		if (!member_is_synced(s, s->server.replicas[i].slot))
			return true;
	return w->is_primary && s->server.replicas_n < w->standbys_n;
}

static bool always(const struct want *w, const struct seen *s)
{
	return true;
}

enum rule_flag {
	RULE_URGENT = 1, /* something is about to change */
	RULE_SERVES = 2, /* the server is up whatever comes of the step */
};

/* In a message, {upstream}, {major}, {data}, {cluster} and {epoch} are filled in. */
struct rule {
	bool (*holds)(const struct want *w, const struct seen *s);
	enum step step;
	const char *state;
	unsigned flags;
	const char *message;
};

static const struct rule rules[] = {
	{deleted_but_runs, STEP_QUIT, "Removing", RULE_URGENT, "stops its server"},
	{deleted_but_ends, STEP_NONE, "Removing", RULE_URGENT, "stops its server"},
	{deleted_but_there, STEP_REMOVE, "Removing", RULE_URGENT, "removes its folder"},
	{deleted, STEP_NONE, "Removed", 0, ""},
	{ends, STEP_NONE, "Stopping", RULE_URGENT, "stops its server"},
	{must_not_run, STEP_STOP, "Stopping", RULE_URGENT, "stops its server"},
	{rests_unsaved, STEP_SAVE, "Stopped", 0, "is stopped, as wanted"},
	{rests, STEP_NONE, "Stopped", 0, "is stopped, as wanted"},
	{lacks_major, STEP_NONE, "Failed", 0,
	 "PostgreSQL {major} is not installed on this host: install it, or choose another version"},
	{has_bad_data, STEP_NONE, "Failed", 0, "{data}"},
	{runs_as_deposed, STEP_STOP, "Stopping", RULE_URGENT,
	 "stops its server: another member is the primary of epoch {epoch}"},
	{is_deposed, STEP_NONE, "Failed", 0,
	 "its data is that of an old primary, and another member is the primary of epoch {epoch}: "
	 "it stays stopped"},
	{needs_the_word, STEP_NONE, "Stopped", 0,
	 "waits for the control plane's word before it starts as a primary"},
	{lacks_a_verdict, STEP_NONE, "Failed", 0,
	 "it is a standby, and becomes a primary only by an epoch newer than {epoch}"},
	{has_lost_its_cluster, STEP_NONE, "Failed", 0,
	 "its data has gone from this host: put the folder of cluster {cluster} back; a new one is "
	 "not made in its place"},
	{needs_a_cluster, STEP_INIT, "Initialising", RULE_URGENT, "makes a new cluster"},
	{needs_an_upstream, STEP_NONE, "Pending", RULE_URGENT, "waits for its primary to be made"},
	{needs_a_copy, STEP_COPY, "Copying", RULE_URGENT, "copies the data of {upstream}"},
	{is_down, STEP_START, "Starting", RULE_URGENT, "starts its server"},
	{is_starting, STEP_NONE, "Starting", RULE_URGENT,
	 "waits for its server to take connections"},
	{is_unknown, STEP_NONE, "Starting", RULE_URGENT, "waits for its server to answer"},
	{must_restart, STEP_STOP, "Stopping", RULE_URGENT,
	 "restarts its server for settings that need it"},
	{must_promote, STEP_PROMOTE, "Running", RULE_URGENT | RULE_SERVES,
	 "becomes the primary of epoch {epoch}"},
	{has_old_conf, STEP_CONFIGURE, "Running", RULE_URGENT | RULE_SERVES, "loads its settings"},
	{has_other_slots, STEP_REPLICATION, "Running", RULE_URGENT | RULE_SERVES,
	 "prepares for its standbys"},
	{has_other_roles, STEP_ROLES, "Running", RULE_URGENT | RULE_SERVES,
	 "makes databases and roles"},
	{is_unproven, STEP_SYNC, "Running", RULE_URGENT | RULE_SERVES,
	 "makes sure that synchronous replication is in force"},
	{has_old_save, STEP_SAVE, "Running", RULE_SERVES, ""},
	{lacks_a_stream, STEP_NONE, "Running", RULE_URGENT, "receives nothing from {upstream}"},
	{lacks_a_replica, STEP_NONE, "Running", RULE_URGENT, ""},
	{always, STEP_NONE, "Running", 0, ""},
};

static void fill_in(struct buf *out, const struct want *w, const struct seen *s, struct str token)
{
	if (str_is(token, "upstream") && w->upstream_member)
		buf_printf(
			out, "%s at %s:%d", w->upstream_member, w->upstream_host, w->upstream_port);
	else if (str_is(token, "upstream"))
		buf_puts(out, "its primary");
	else if (str_is(token, "major"))
		buf_printf(out, "%d", w->major);
	else if (str_is(token, "data"))
		buf_puts(out, s->data_why);
	else if (str_is(token, "cluster"))
		buf_puts(out, w->system_identifier);
	else if (str_is(token, "epoch"))
		buf_printf(out, "%lld", (long long)w->epoch);
}

static void
message_make(const char *text, const struct want *w, const struct seen *s, char ret[SEEN_WHY])
{
	CLEANUP(buf_done) struct buf out = {0};
	struct str rest = str_of(text), part, token;

	/* what stands before a brace, and what stands in it, by turns */
	while (str_split(&rest, '{', &part)) {
		buf_str(&out, part);
		if (rest.p && str_split(&rest, '}', &token))
			fill_in(&out, w, s, token);
	}
	snprintf(ret, SEEN_WHY, "%s", out.p ? out.p : "");
}

void member_decide(const struct want *w, const struct seen *s, struct member_next *ret)
{
	const struct rule *r = rules;

	while (!r->holds(w, s))
		r++;
	*ret = (struct member_next){
		.step = r->step,
		.state = r->state,
		.is_urgent = r->flags & RULE_URGENT,
	};
	message_make(r->message, w, s, ret->message);
	if (r->step == STEP_NONE || r->step != s->failed || r->step == s->busy)
		return;
	snprintf(ret->message, sizeof(ret->message), "%s", s->why);
	if (!(r->flags & RULE_SERVES))
		ret->state = "Failed";
	if (s->now_ms < s->retry_ms) {
		ret->step = STEP_NONE;
		ret->is_urgent = false;
	}
}

bool member_preempts(enum step busy, enum step next)
{
	if (next == STEP_QUIT || next == STEP_STOP || next == STEP_REMOVE)
		return busy != STEP_REMOVE && busy != STEP_SAVE;
	return next == STEP_NONE && (busy == STEP_COPY || busy == STEP_SYNC);
}

static const char *const step_names[STEPS] = {
	[STEP_NONE] = "none",
	[STEP_SAVE] = "save",
	[STEP_REMOVE] = "remove",
	[STEP_QUIT] = "quit",
	[STEP_STOP] = "stop",
	[STEP_INIT] = "init",
	[STEP_COPY] = "copy",
	[STEP_START] = "start",
	[STEP_PROMOTE] = "promote",
	[STEP_CONFIGURE] = "configure",
	[STEP_REPLICATION] = "replication",
	[STEP_ROLES] = "roles",
	[STEP_SYNC] = "sync",
};

const char *step_name(enum step step)
{
	return step_names[step];
}
