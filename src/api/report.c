#include "api/report.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/hash.h"
#include "api/reply.h"
#include "api/status.h"
#include "api/wants.h"
#include "base/list.h"
#include "base/log.h"

enum { REPORT_MAX = 1 << 20, REPORT_BATCH = 64, REPORT_QUEUE_MAX = 20000, REPORT_TRIES = 5 };

/* A status that waits to be written. */
struct news {
	struct list at;
	const char *kind; /* "Member", "Host", "Gateway" */
	char *ns, *name, *uid; /* uid NULL: any, and its conditions are not ours */
	json_t *status;
};

struct reports {
	struct store *store;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_mutex_t turn; /* reports of a host are taken one after the other */
	struct list queue;
	size_t n;
	bool is_stopping;
};

static void news_free(struct news *n)
{
	json_decref(n->status);
	free(n->ns);
	free(n->name);
	free(n->uid);
	free(n);
}

/* Takes the status over. A queue that is full drops it: it comes again. */
static void reports_put(
	struct reports *r, const char *kind, const char *ns, const char *name, const char *uid,
	json_t *status)
{
	struct news *n = mem_alloc(sizeof(*n));

	*n = (struct news){
		.kind = kind,
		.ns = mem_strdup(ns),
		.name = mem_strdup(name),
		.uid = uid ? mem_strdup(uid) : NULL,
		.status = status,
	};
	list_init(&n->at);
	pthread_mutex_lock(&r->lock);
	if (r->n < REPORT_QUEUE_MAX) {
		list_push_back(&r->queue, &n->at);
		r->n++;
		n = NULL;
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	if (n)
		news_free(n);
}

/* A Host's or Gateway's conditions are its controller's: they stay as they are in the row. */
static enum err_code
keep_conditions(struct reports *r, const struct news *n, int64_t *ret_revision, struct err *e)
{
	CLEANUP(jv_drop) json_t *live = NULL;
	json_t *conditions;
	enum err_code code =
		store_get(r->store, (struct store_key){n->kind, "", n->name}, &live, e);

	if (code)
		return code;
	conditions = jv_at(live, "status.conditions");
	if (conditions)
		json_object_set(n->status, "conditions", conditions);
	str_to_i64(str_of(jv_str_or(live, "metadata.resourceVersion", "0")), ret_revision);
	return ERR_OK;
}

static void write_done(struct store_write *w)
{
	json_decref(w->object);
	json_decref(w->ret);
}

static void create_prepare(const struct news *n, struct store_write *ret)
{
	*ret = (struct store_write){
		.verb = STORE_CREATE,
		.key = {n->kind, n->ns, n->name},
		.object = json_pack(
			"{s:s, s:s, s:{s:s}, s:O}", "apiVersion",
			kind_by_name(n->kind)->api_version, "kind", n->kind, "metadata", "name",
			n->name, "status", n->status),
	};
}

static enum err_code
write_prepare(struct reports *r, const struct news *n, struct store_write *ret, struct err *e)
{
	int64_t revision = 0;
	enum err_code code = ERR_OK;

	if (!n->uid)
		code = keep_conditions(r, n, &revision, e);
	if (code == ERR_NOT_FOUND && !strcmp(n->kind, "Gateway")) {
		create_prepare(n, ret);
		return ERR_OK;
	}
	if (code)
		return code;
	*ret = (struct store_write){
		.verb = STORE_STATUS,
		.key = {n->kind, n->ns, n->name},
		.object = json_pack("{s:O}", "status", n->status),
		.if_uid = n->uid,
		.if_revision = revision,
	};
	return ERR_OK;
}

/* What fails is dropped: the object has gone, or the next report tells it again. */
static void news_write(struct reports *r, struct news *n)
{
	struct store_write w = {0};
	struct err e = {0};
	enum err_code code = ERR_CONFLICT;

	/* its controller may be quicker, with the conditions that we keep */
	for (int i = 0; code == ERR_CONFLICT && i < REPORT_TRIES; i++) {
		write_done(&w);
		w = (struct store_write){0};
		code = write_prepare(r, n, &w, &e);
		if (!code)
			code = store_write(r->store, &w, 1, &e);
	}
	if (code && code != ERR_NOT_FOUND && code != ERR_CONFLICT)
		log_warn(
			"report not written", "kind=%s name=%s why=%s", n->kind, n->name,
			log_q(e.text));
	write_done(&w);
}

/* All in one transaction; one by one where that fails, so that one cannot keep the others out. */
static void batch_write(struct reports *r, struct news **news, size_t n)
{
	struct store_write w[REPORT_BATCH] = {0};
	struct err e = {0};
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < n && !code; i++)
		code = write_prepare(r, news[i], &w[i], &e);
	if (!code)
		code = store_write(r->store, w, n, &e);
	for (size_t i = 0; i < n; i++)
		write_done(&w[i]);
	for (size_t i = 0; i < n && code; i++)
		news_write(r, news[i]);
}

/* Is there news of the same object among those already taken? No object may be in a batch twice. */
static bool is_taken(struct news **taken, size_t n, const struct news *one)
{
	for (size_t i = 0; i < n; i++)
		if (taken[i]->kind == one->kind && !strcmp(taken[i]->name, one->name) &&
		    !strcmp(taken[i]->ns, one->ns))
			return true;
	return false;
}

static size_t batch_take(struct reports *r, struct news **ret)
{
	size_t n = 0;

	while (n < REPORT_BATCH && !list_is_empty(&r->queue)) {
		struct news *one = list_entry(r->queue.next, struct news, at);

		if (is_taken(ret, n, one))
			break;
		list_remove(&one->at);
		r->n--;
		ret[n++] = one;
	}
	return n;
}

static void *reports_run(void *arg)
{
	struct reports *r = arg;
	bool is_running = true;

	while (is_running) {
		struct news *news[REPORT_BATCH];
		size_t n;

		pthread_mutex_lock(&r->lock);
		while (list_is_empty(&r->queue) && !r->is_stopping)
			pthread_cond_wait(&r->wake, &r->lock);
		is_running = !r->is_stopping;
		n = batch_take(r, news);
		pthread_mutex_unlock(&r->lock);
		if (n && is_running)
			batch_write(r, news, n);
		for (size_t i = 0; i < n; i++)
			news_free(news[i]);
	}
	return NULL;
}

enum err_code reports_new(struct store *s, struct reports **ret, struct err *e)
{
	struct reports *r = mem_alloc(sizeof(*r));

	r->store = s;
	list_init(&r->queue);
	pthread_mutex_init(&r->lock, NULL);
	pthread_mutex_init(&r->turn, NULL);
	pthread_cond_init(&r->wake, NULL);
	r->has_thread = !pthread_create(&r->thread, NULL, reports_run, r);
	if (!r->has_thread) {
		reports_free(r);
		return err_set(e, ERR_LIMIT, "no thread for writing reports");
	}
	*ret = r;
	return ERR_OK;
}

void reports_free(struct reports *r)
{
	struct list *at;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->is_stopping = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	while ((at = list_pop_front(&r->queue)))
		news_free(list_entry(at, struct news, at));
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	pthread_mutex_destroy(&r->turn);
	free(r);
}

void report_write(struct reports *r, const char *kind, const char *name, json_t *status)
{
	reports_put(r, kind, "", name, NULL, status);
}

static json_t *majors_of(const json_t *report)
{
	json_t *list = json_object_get(report, "postgres"), *one, *ret;
	struct buf text = {0};
	size_t i;

	json_array_foreach (list, i, one)
		buf_printf(&text, "%s%s", i ? ", " : "", jv_str_or(one, "major", "?"));
	ret = json_string(text.p ? text.p : "");
	buf_done(&text);
	return ret;
}

/* Free space changes with every breath: only its whole GiB are worth a row. */
static json_t *capacity_of(const json_t *report)
{
	json_t *c = json_deep_copy(json_object_get(report, "capacity"));
	int64_t free_bytes = jv_int(c, "diskFreeBytes", -1);

	if (free_bytes >= 0)
		json_object_set_new(c, "diskFreeBytes", json_integer(free_bytes >> 30 << 30));
	return c;
}

json_t *report_host_status(const json_t *report)
{
	json_t *orphans = json_object_get(report, "orphans");
	json_t *s = json_pack(
		"{s:s, s:s, s:o, s:O?}", "address", jv_str_or(report, "address", ""),
		"agentVersion", jv_str_or(report, "version", ""), "majors", majors_of(report),
		"postgres", json_object_get(report, "postgres"));

	if (json_object_get(report, "capacity"))
		json_object_set_new(s, "capacity", capacity_of(report));
	if (json_array_size(orphans) > 0)
		json_object_set(s, "orphans", orphans);
	return s;
}

static void tell_host(struct call *c, const json_t *report)
{
	json_t *status = report_host_status(report);

	if (fleet_tell_host(wants_fleet(c->api->wants), c->user.name, hash_value(status)))
		reports_put(c->api->reports, "Host", "", c->user.name, NULL, status);
	else
		json_decref(status);
}

/* The live values of all members, small enough to be kept for each host. */
static void pulse_add(json_t *pulse, const json_t *member)
{
	json_t *live = json_object_get(member, "live");

	if (live)
		json_object_set(pulse, jv_str_or(member, "uid", ""), live);
}

static json_t *tell_member(struct call *c, const json_t *m)
{
	json_t *status = json_object_get(m, "status");
	const char *uid = jv_str_or(m, "uid", "");
	struct fleet_report r = {
		.uid = uid,
		.status = hash_value(status),
		.lsn = jv_str(m, "live.lsn"),
		.lag_bytes = jv_int(m, "live.lagBytes", -1),
	};

	switch (fleet_tell(wants_fleet(c->api->wants), c->user.name, &r)) {
	case FLEET_FOREIGN:
		return status_conflict(
			kind_by_name("Member"), jv_str_or(m, "name", ""),
			arena_printf(
				c->arena, "member %s is not placed on host %s", uid, c->user.name));
	case FLEET_CHANGED:
		reports_put(
			c->api->reports, "Member", jv_str_or(m, "namespace", ""),
			jv_str_or(m, "name", ""), uid, json_incref(status));
		return NULL;
	default:
		return NULL;
	}
}

static json_t *tell_members(struct call *c, const json_t *report)
{
	json_t *members = json_object_get(report, "members"), *m, *status = NULL;
	CLEANUP(jv_drop) json_t *live = json_object();
	size_t i;

	json_array_foreach (members, i, m) {
		status = tell_member(c, m);
		if (status)
			break;
		pulse_add(live, m);
	}
	store_pulse_put(c->api->store, c->user.name, jv_text(c->arena, live));
	return status;
}

/* Of two reports a second apart all but the live values is the same, nearly always. */
static void remember(struct call *c, const struct gist *g, const json_t *report)
{
	json_t *members = json_object_get(report, "members"), *m;
	const char **uids = arena_array(c->arena, const char *, g->n);
	size_t i;

	if (!gist_fits(g, report))
		return;
	json_array_foreach (members, i, m)
		uids[i] = jv_str_or(m, "uid", "");
	fleet_remember(wants_fleet(c->api->wants), c->user.name, g->hash, uids, g->n);
}

static json_t *tell_all(struct call *c, const struct gist *g, size_t *ret_members)
{
	CLEANUP(jv_drop) json_t *report = NULL;
	struct err e = {0};
	json_t *status;

	if (jv_parse(c->rq->body, REPORT_MAX, &report, &e))
		return status_bad_request("the report is broken: %s", e.text);
	if (!json_is_object(report) || !json_is_array(json_object_get(report, "members")))
		return status_bad_request("a report is an object with a list of members");
	tell_host(c, report);
	status = tell_members(c, report);
	if (!status && g)
		remember(c, g, report);
	*ret_members = json_array_size(json_object_get(report, "members"));
	return status;
}

/* Nothing is new but the live values? */
static bool tell_again(struct call *c, const struct gist *g)
{
	CLEANUP(buf_done) struct buf live = {0};

	if (!fleet_tell_again(wants_fleet(c->api->wants), c->user.name, g, &live))
		return false;
	store_pulse_put(c->api->store, c->user.name, buf_view(&live));
	return true;
}

static int64_t number(struct call *c, const char *name)
{
	int64_t n = 0;

	str_to_i64(str_of(call_query(c, name, "")), &n);
	return n;
}

/* An older report than one that was taken already is told so, and changes nothing. */
static json_t *take(struct call *c, const struct gist *g, size_t *ret_members)
{
	struct turn turn = {number(c, "boot"), number(c, "sequence")}, last;

	if (!fleet_take_turn(wants_fleet(c->api->wants), c->user.name, turn, &last))
		return status_conflict(
			kind_by_name("Host"), c->user.name,
			arena_printf(
				c->arena,
				"report %lld of boot %lld is older than %lld of boot %lld, which "
				"was taken already",
				(long long)turn.number, (long long)turn.boot,
				(long long)last.number, (long long)last.boot));
	if (g && tell_again(c, g))
		return NULL;
	return tell_all(c, g, ret_members);
}

json_t *report_handle(struct call *c)
{
	json_t *status;
	struct gist g;
	bool has_gist;
	size_t n;

	if (!fleet_has_host(wants_fleet(c->api->wants), c->user.name))
		return status_not_found(kind_by_name("Host"), c->user.name);
	has_gist = gist_take(c->rq->body, &g);
	n = g.n;
	pthread_mutex_lock(&c->api->reports->turn);
	status = take(c, has_gist ? &g : NULL, &n);
	pthread_mutex_unlock(&c->api->reports->turn);
	if (!status)
		buf_printf(&c->rs->body, "{\"members\":%zu}\n", n);
	return status;
}
