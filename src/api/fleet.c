#include "api/fleet.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/follow.h"
#include "api/hash.h"
#include "api/verifier.h"
#include "api/want_line.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

struct member {
	struct list on_host;
	struct host *host;
	char *uid;
	struct want_line line;
	uint64_t want; /* hash of what its host must make true */
	uint64_t status, writing, told; /* hashes: of the row, of what is being written, of what
					   its host told last */
	int64_t writing_ms;
	char lsn[24];
	int64_t lag_bytes;
	int64_t heard_ms;
	bool is_seen; /* while a list is read */
};

struct host {
	char *name;
	struct list members;
	int64_t count;
	bool is_there; /* it has a row */
	bool is_seen;
	uint64_t status; /* hash of what its agent last said of it; 0: it must be heard anew */
	uint64_t gist; /* of its last report; 0: the next one must be read */
	struct member **told; /* whom that report named, in its order */
	size_t told_n;
	int64_t revision; /* of the last change that its wants show */
	struct turn turn; /* the newest report */
};

struct fleet {
	struct store *store;
	fleet_on_change *on_change;
	void *arg;
	struct follow *follow_members, *follow_hosts, *follow_secrets;
	pthread_mutex_t lock;
	struct map by_name; /* "namespace/name" to struct member */
	struct map by_uid; /* the same members */
	struct map hosts; /* name to struct host; they are never freed before the fleet is */
	struct map verifiers; /* "namespace/name" to a text of ours */
};

enum { PLACE_MAX = 400 };

static struct str place_of(const char *ns, const char *name, char ret[PLACE_MAX])
{
	int n = snprintf(ret, PLACE_MAX, "%s/%s", ns, name);

	return (struct str){ret, (size_t)MIN(n, PLACE_MAX - 1)};
}

static struct host *host_get(struct fleet *f, const char *name)
{
	struct host *h = map_get(&f->hosts, str_of(name));

	if (h)
		return h;
	h = mem_alloc(sizeof(*h));
	h->name = mem_strdup(name);
	list_init(&h->members);
	map_put(&f->hosts, str_of(name), h);
	return h;
}

static void member_free(struct member *m)
{
	want_line_done(&m->line);
	list_remove(&m->on_host);
	m->host->count--;
	m->host->gist = 0;
	free(m->uid);
	free(m);
}

static struct member *member_make(struct fleet *f, struct str place, const json_t *o)
{
	struct member *m = mem_alloc(sizeof(*m));

	m->uid = mem_strdup(jv_str_or(o, "metadata.uid", ""));
	m->lag_bytes = -1;
	list_init(&m->on_host);
	map_put(&f->by_name, place, m);
	map_put(&f->by_uid, str_of(m->uid), m);
	return m;
}

static void member_drop(struct fleet *f, struct str place, struct member *m)
{
	map_remove(&f->by_name, place);
	map_remove(&f->by_uid, str_of(m->uid));
	member_free(m);
}

static uint64_t want_of(const json_t *o)
{
	return hash_value(json_object_get(o, "spec")) +
		(jv_str(o, "metadata.deletionTimestamp") != NULL);
}

static bool is_same_member(const struct member *m, const json_t *o)
{
	return !strcmp(m->uid, jv_str_or(o, "metadata.uid", "")) &&
		!strcmp(m->host->name, jv_str_or(o, "spec.host", ""));
}

static struct member *member_get(struct fleet *f, struct str place, const json_t *o)
{
	struct member *m = map_get(&f->by_name, place);

	if (m && !is_same_member(m, o)) {
		member_drop(f, place, m); /* another one of that name */
		m = NULL;
	}
	if (m)
		return m;
	m = member_make(f, place, o);
	m->host = host_get(f, jv_str_or(o, "spec.host", ""));
	m->host->count++;
	list_push_back(&m->host->members, &m->on_host);
	return m;
}

/* Under the lock; the host that must hear of it, NULL where nobody must: a change of its status
 * alone is nothing that it does not know. */
static struct host *member_put(struct fleet *f, struct str place, const json_t *o)
{
	struct member *m = member_get(f, place, o);
	uint64_t want = want_of(o);
	int64_t revision = 0;

	m->is_seen = true;
	m->status = hash_value(json_object_get(o, "status"));
	m->writing = 0;
	if (m->line.head && m->want == want)
		return NULL;
	m->want = want;
	want_line_done(&m->line);
	want_line_init(&m->line, o);
	str_to_i64(str_of(jv_str_or(o, "metadata.resourceVersion", "0")), &revision);
	m->host->revision = MAX(m->host->revision, revision);
	return m->host;
}

static void tell(struct fleet *f, const char *host)
{
	if (host)
		f->on_change(f->arg, host);
}

/* Drops the members that a list did not name; their hosts hear of it. */
static void members_sweep(struct fleet *f)
{
	struct map gone = {0};

	pthread_mutex_lock(&f->lock);
	map_for_each (slot, &f->by_name)
		if (!((struct member *)slot->value)->is_seen)
			map_put(&gone, (struct str){slot->key, slot->key_n}, slot->value);
	map_for_each (slot, &gone) {
		struct member *m = slot->value;
		struct host *h = m->host;

		member_drop(f, (struct str){slot->key, slot->key_n}, m);
		slot->value = h->name;
	}
	pthread_mutex_unlock(&f->lock);
	map_for_each (slot, &gone)
		tell(f, slot->value);
	map_done(&gone);
}

static void
on_member(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct fleet *f = arg;
	CLEANUP(jv_drop) json_t *o = NULL;
	char place[PLACE_MAX];
	struct str key = place_of(ns, name, place);
	struct host *h = NULL;
	struct member *m;

	if (what == FOLLOW_END) {
		members_sweep(f);
		return;
	}
	if (what == FOLLOW_PUT && jv_parse(text, SIZE_MAX, &o, NULL))
		return;
	pthread_mutex_lock(&f->lock);
	if (what == FOLLOW_BEGIN)
		map_for_each (slot, &f->by_name)
			((struct member *)slot->value)->is_seen = false;
	m = what == FOLLOW_DROP ? map_get(&f->by_name, key) : NULL;
	if (m) {
		h = m->host;
		member_drop(f, key, m);
	} else if (o) {
		h = member_put(f, key, o);
	}
	pthread_mutex_unlock(&f->lock);
	tell(f, h ? h->name : NULL);
}

static void
on_host(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct fleet *f = arg;

	(void)ns;
	(void)text;
	pthread_mutex_lock(&f->lock);
	if (what == FOLLOW_PUT) {
		struct host *h = host_get(f, name);

		h->is_there = h->is_seen = true;
	} else if (what == FOLLOW_DROP) {
		struct host *h = host_get(f, name);

		h->is_there = false;
		h->status = h->gist = 0;
	} else {
		map_for_each (slot, &f->hosts) {
			struct host *h = slot->value;

			if (what == FOLLOW_BEGIN)
				h->is_seen = false;
			else
				h->is_there = h->is_seen;
		}
	}
	pthread_mutex_unlock(&f->lock);
}

/* Verifiers. */

/* Which hosts have a member with a role that this Secret is of? Under the lock. */
static void hosts_of_verifier(struct fleet *f, struct str place, struct map *ret)
{
	map_for_each (slot, &f->by_name) {
		struct member *m = slot->value;

		if (want_line_names(&m->line, place))
			map_put(ret, str_of(m->host->name), m->host->name);
	}
}

static void
on_secret(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct fleet *f = arg;
	char place[PLACE_MAX];
	struct str key = place_of(ns, name, place);
	struct map told = {0};
	struct verifier v = {0};
	char *before = NULL;

	if (what != FOLLOW_PUT && what != FOLLOW_DROP)
		return; /* a verifier that has gone does no harm: no role names it */
	if (what == FOLLOW_PUT)
		verifier_read(text, &v);
	pthread_mutex_lock(&f->lock);
	if (v.current)
		before = map_put(&f->verifiers, key, mem_strdup(v.current));
	else if (what == FOLLOW_DROP)
		before = map_remove(&f->verifiers, key);
	if (v.current && (!before || strcmp(before, v.current) != 0))
		hosts_of_verifier(f, key, &told);
	map_for_each (slot, &told)
		host_get(f, slot->value)->revision = v.revision;
	pthread_mutex_unlock(&f->lock);
	map_for_each (slot, &told)
		tell(f, slot->value);
	map_done(&told);
	free(before);
	verifier_done(&v);
}

enum err_code
fleet_new(struct store *s, fleet_on_change *on_change, void *arg, struct fleet **ret, struct err *e)
{
	struct fleet *f = mem_alloc(sizeof(*f));
	enum err_code code;

	*f = (struct fleet){.store = s, .on_change = on_change, .arg = arg};
	pthread_mutex_init(&f->lock, NULL);
	code = follow_start(s, "Secret", on_secret, f, &f->follow_secrets, e);
	if (!code)
		code = follow_start(s, "Member", on_member, f, &f->follow_members, e);
	if (!code)
		code = follow_start(s, "Host", on_host, f, &f->follow_hosts, e);
	if (code) {
		fleet_free(f);
		return code;
	}
	*ret = f;
	return ERR_OK;
}

void fleet_unfollow(struct fleet *f)
{
	if (!f)
		return;
	follow_stop(f->follow_hosts);
	follow_stop(f->follow_members);
	follow_stop(f->follow_secrets);
	f->follow_hosts = f->follow_members = f->follow_secrets = NULL;
}

void fleet_free(struct fleet *f)
{
	if (!f)
		return;
	fleet_unfollow(f);
	map_for_each (slot, &f->by_name)
		member_free(slot->value);
	map_for_each (slot, &f->hosts) {
		struct host *h = slot->value;

		free(h->name);
		free(h->told);
		free(h);
	}
	map_for_each (slot, &f->verifiers)
		free(slot->value);
	map_done(&f->by_name);
	map_done(&f->by_uid);
	map_done(&f->hosts);
	map_done(&f->verifiers);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

bool fleet_has_host(struct fleet *f, const char *host)
{
	struct host *h;
	bool ret;

	pthread_mutex_lock(&f->lock);
	h = map_get(&f->hosts, str_of(host));
	ret = h && h->is_there;
	pthread_mutex_unlock(&f->lock);
	return ret;
}

int64_t fleet_member_count(struct fleet *f, const char *host)
{
	struct host *h;
	int64_t ret;

	pthread_mutex_lock(&f->lock);
	h = map_get(&f->hosts, str_of(host));
	ret = h ? h->count : 0;
	pthread_mutex_unlock(&f->lock);
	return ret;
}

void fleet_wants(struct fleet *f, const char *host, struct buf *out)
{
	bool is_first = true;
	struct host *h;

	pthread_mutex_lock(&f->lock);
	h = host_get(f, host);
	buf_printf(
		out, "{\"type\":\"wants\",\"revision\":\"%lld\",\"members\":[",
		(long long)h->revision);
	list_for_each (at, &h->members) {
		if (!is_first)
			buf_putc(out, ',');
		is_first = false;
		want_line_print(&list_entry(at, struct member, on_host)->line, &f->verifiers, out);
	}
	pthread_mutex_unlock(&f->lock);
	buf_puts(out, "]}\n");
}

bool fleet_take_turn(struct fleet *f, const char *host, struct turn turn, struct turn *ret_last)
{
	struct host *h;
	bool is_newer;

	pthread_mutex_lock(&f->lock);
	h = host_get(f, host);
	is_newer = turn_take(&h->turn, turn);
	*ret_last = h->turn;
	pthread_mutex_unlock(&f->lock);
	return is_newer;
}

static void
member_hear(struct member *m, const char *lsn, int64_t lag_bytes, uint64_t status, int64_t now)
{
	m->heard_ms = now;
	m->lag_bytes = lag_bytes;
	m->told = status;
	snprintf(m->lsn, sizeof(m->lsn), "%s", lsn ? lsn : "");
}

/* Does the row say what its host told, or is that being written? */
static bool is_written(const struct member *m, int64_t now)
{
	return m->status == m->told ||
		(m->writing == m->told && now - m->writing_ms < FLEET_WRITING_MS);
}

static enum fleet_verdict
tell_locked(struct fleet *f, const char *host, const struct fleet_report *r)
{
	struct member *m = map_get(&f->by_uid, str_of(r->uid));
	int64_t now = clock_mono_ms();

	if (!m)
		return FLEET_UNKNOWN;
	if (strcmp(m->host->name, host) != 0)
		return FLEET_FOREIGN;
	member_hear(m, r->lsn, r->lag_bytes, r->status, now);
	if (is_written(m, now))
		return FLEET_SAME;
	m->writing = r->status;
	m->writing_ms = now;
	return FLEET_CHANGED;
}

enum fleet_verdict fleet_tell(struct fleet *f, const char *host, const struct fleet_report *r)
{
	enum fleet_verdict verdict;

	pthread_mutex_lock(&f->lock);
	verdict = tell_locked(f, host, r);
	pthread_mutex_unlock(&f->lock);
	return verdict;
}

bool fleet_tell_host(struct fleet *f, const char *host, uint64_t status)
{
	struct host *h;
	bool is_changed;

	pthread_mutex_lock(&f->lock);
	h = host_get(f, host);
	is_changed = h->status != status;
	h->status = status;
	pthread_mutex_unlock(&f->lock);
	return is_changed;
}

void fleet_remember(
	struct fleet *f, const char *host, uint64_t gist, const char *const *uids, size_t n)
{
	struct host *h;

	pthread_mutex_lock(&f->lock);
	h = host_get(f, host);
	free(h->told);
	h->told = mem_alloc(n * sizeof(struct member *) + 1);
	h->told_n = n;
	h->gist = gist;
	for (size_t i = 0; i < n; i++) {
		h->told[i] = map_get(&f->by_uid, str_of(uids[i]));
		if (!h->told[i] || h->told[i]->host != h)
			h->gist = 0;
	}
	pthread_mutex_unlock(&f->lock);
}

/* Under the lock. */
static bool is_again(const struct host *h, const struct gist *g, int64_t now)
{
	bool is = h && h->is_there && h->gist == g->hash && h->told_n == g->n;

	for (size_t i = 0; is && i < g->n; i++)
		is = is_written(h->told[i], now);
	return is;
}

static void hear_again(struct host *h, const struct gist *g, int64_t now, struct buf *ret_live)
{
	buf_putc(ret_live, '{');
	for (size_t i = 0; i < g->n; i++) {
		const struct gist_live *l = &g->live[i];
		struct member *m = h->told[i];

		member_hear(m, l->lsn, l->lag_bytes, m->told, now);
		buf_printf(
			ret_live, "%s\"%s\":{\"lsn\":\"%s\",\"lagBytes\":%lld}", i ? "," : "",
			m->uid, l->lsn, (long long)l->lag_bytes);
	}
	buf_putc(ret_live, '}');
}

bool fleet_tell_again(struct fleet *f, const char *host, const struct gist *g, struct buf *ret_live)
{
	int64_t now = clock_mono_ms();
	struct host *h;
	bool is;

	pthread_mutex_lock(&f->lock);
	h = map_get(&f->hosts, str_of(host));
	is = is_again(h, g, now);
	if (is)
		hear_again(h, g, now, ret_live);
	pthread_mutex_unlock(&f->lock);
	return is;
}

struct fleet_live fleet_live(struct fleet *f, const char *ns, const char *name)
{
	struct fleet_live ret = {.lag_bytes = -1};
	char place[PLACE_MAX];
	struct member *m;

	pthread_mutex_lock(&f->lock);
	m = map_get(&f->by_name, place_of(ns, name, place));
	if (m)
		snprintf(ret.host, sizeof(ret.host), "%s", m->host->name);
	if (m && m->heard_ms && clock_mono_ms() - m->heard_ms < FLEET_LIVE_MS) {
		memcpy(ret.lsn, m->lsn, sizeof(ret.lsn));
		ret.lag_bytes = m->lag_bytes;
	}
	pthread_mutex_unlock(&f->lock);
	return ret;
}
