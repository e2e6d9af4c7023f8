#include "agent/host.h"

#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent/discover.h"
#include "agent/home.h"
#include "agent/report.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"

enum {
	URGENT_MS = 60 * 1000, /* how long after a change it is worth looking often */
	DISCOVER_MS = 30 * 1000,
	SOCKET_MAX = 107, /* bytes that sockaddr_un holds */
	SOCKET_TAIL = 34, /* of them "/m/0123456789ab/run/.s.PGSQL.65535" */
};

struct host_member {
	struct list at; /* in host.members */
	struct host *host;
	struct want *want;
	struct driver_server *server;
	struct member_next next;
	json_t *status; /* as last told */
	int64_t urgent_until_ms;
	bool is_wanted; /* false: nobody names it any more, and nothing is done to it */
	bool is_stopping; /* host_stop */
};

struct host {
	struct driver_host shared;
	const struct agent_driver *driver;
	struct arena arena;
	struct list members;
	json_t *strays; /* reports of wants that cannot be understood */
	json_t *programs; /* as reported */
	uv_timer_t discover;
	void (*on_change)(void *arg);
	void *arg;

	bool is_stopping;
	int open; /* servers and handles that are not closed yet */
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static void host_go_down(struct host *h);

static bool has_status_changed(struct host_member *m)
{
	json_t *report = report_member(
		m->want, m->host->driver->seen(m->server), &m->next, m->host->shared.address);
	json_t *status = json_incref(jv_at(report, "status"));
	bool is_same = m->status && json_equal(m->status, status);

	json_decref(report);
	json_decref(m->status);
	m->status = status;
	return !is_same;
}

/* What runs now, and what would be next: carry on, cut short, or begin. */
static void act(struct host_member *m, enum step busy)
{
	const struct agent_driver *d = m->host->driver;
	enum step next = m->next.step;

	if (busy != STEP_NONE && next != busy && member_preempts(busy, next))
		d->cancel(m->server);
	if (next == STEP_STOP || next == STEP_QUIT || (next != STEP_NONE && busy == STEP_NONE))
		d->step(m->server, next);
}

static void say(const struct host_member *m, const struct member_next *before)
{
	if (before->state && strcmp(before->state, m->next.state) == 0 &&
	    strcmp(before->message, m->next.message) == 0)
		return;
	log_info(
		"member", "name=%s state=%s message=%s", m->want->name, m->next.state,
		log_q(m->next.message));
}

static void member_look(struct host_member *m)
{
	struct host *h = m->host;
	const struct seen *s = h->driver->seen(m->server);
	int64_t now = s->now_ms;
	struct member_next before = m->next;

	member_decide(m->want, s, &m->next);
	if (m->is_wanted && !h->is_stopping)
		act(m, s->busy);
	if (has_status_changed(m)) {
		m->urgent_until_ms = now + URGENT_MS;
		if (!h->is_stopping) { /* nothing that it decides is done any more */
			say(m, &before);
			h->on_change(h->arg);
		}
	}
	h->driver->watch(m->server, m->next.is_urgent && now < m->urgent_until_ms);
	if (h->is_stopping)
		host_go_down(h);
}

static void on_server(void *arg)
{
	member_look(arg);
}

static struct host_member *member_find(struct host *h, const char *uid)
{
	list_for_each (at, &h->members) {
		struct host_member *m = list_entry(at, struct host_member, at);

		if (strcmp(m->want->uid, uid) == 0)
			return m;
	}
	return NULL;
}

/* Takes the want over. */
static struct host_member *member_open(struct host *h, struct want *w)
{
	struct host_member *m = mem_alloc(sizeof(*m));

	m->host = h;
	m->want = w;
	m->is_wanted = true;
	m->urgent_until_ms = clock_mono_ms() + URGENT_MS;
	list_push_back(&h->members, &m->at);
	h->open++;
	m->server = h->driver->open(&h->shared, w, on_server, m);
	member_decide(w, h->driver->seen(m->server), &m->next);
	say(m, &(struct member_next){0});
	return m;
}

static void member_set(struct host_member *m, struct want *w)
{
	if (strcmp(m->want->hash, w->hash) != 0) {
		want_drop(&m->want);
		m->want = want_keep(w);
		m->urgent_until_ms = clock_mono_ms() + URGENT_MS;
		m->host->driver->want(m->server, w);
	}
	want_drop(&w);
}

static void on_closed(void *arg)
{
	struct host_member *m = arg;
	struct host *h = m->host;

	want_drop(&m->want);
	json_decref(m->status);
	free(m);
	h->open--;
	if (h->is_stopping)
		host_go_down(h);
}

static void member_close(struct host_member *m)
{
	list_remove(&m->at);
	m->host->driver->close(m->server, on_closed, m);
}

static bool is_gone(const struct host_member *m)
{
	return strcmp(m->next.state, "Removed") == 0;
}

/* Forgets the ones that were removed and that nobody names any more; others that nobody names are
 * left as they are. */
static void members_sweep(struct host *h)
{
	list_for_each_safe (at, &h->members) {
		struct host_member *m = list_entry(at, struct host_member, at);

		if (m->is_wanted)
			continue;
		if (is_gone(m) || !h->driver->seen(m->server)->has_folder)
			member_close(m);
		else
			log_warn("member is named by nobody", "name=%s", m->want->name);
	}
}

/* A want that is not understood is told, and what was wanted before stays in force. */
static void stray_add(struct host *h, const json_t *json, const struct err *e)
{
	const char *uid = jv_str(json, "uid"), *name = jv_str(json, "name");
	const char *namespace = jv_str(json, "namespace");
	struct host_member *m = uid ? member_find(h, uid) : NULL;

	log_error("a want is not understood", "why=%s", log_q(e->text));
	if (m)
		m->is_wanted = true;
	else if (uid && name && namespace)
		json_array_append_new(
			h->strays,
			json_pack(
				"{ss ss ss s{ss ss} s{}}", "uid", uid, "namespace", namespace,
				"name", name, "status", "state", "Failed", "message", e->text,
				"live"));
}

static void want_take(struct host *h, const json_t *json)
{
	struct host_member *m;
	struct want *w;
	struct err e;

	if (want_parse(json, &w, &e)) {
		stray_add(h, json, &e);
		return;
	}
	m = member_find(h, w->uid);
	if (m)
		member_set(m, w);
	else
		m = member_open(h, w);
	m->is_wanted = true;
}

void host_wants(struct host *h, const json_t *wants)
{
	json_t *json;
	size_t i;

	if (h->is_stopping)
		return;
	h->shared.is_heard = true;
	json_array_clear(h->strays);
	list_for_each (at, &h->members)
		list_entry(at, struct host_member, at)->is_wanted = false;
	json_array_foreach (jv_at(wants, "members"), i, json)
		want_take(h, json);
	members_sweep(h);
	list_for_each (at, &h->members)
		member_look(list_entry(at, struct host_member, at));
}

bool host_is_settled(const struct host *h)
{
	list_for_each (at, &h->members) {
		const struct host_member *m = list_entry(at, struct host_member, at);
		const struct seen *s = h->driver->seen(m->server);

		if (s->process == UNIT_STARTING || (s->process == UNIT_UP && !s->is_probed))
			return false;
	}
	return true;
}

void host_renewed(struct host *h)
{
	list_for_each (at, &h->members)
		h->driver->renewed(list_entry(at, struct host_member, at)->server);
}

/* Report. */

static json_t *capacity_report(const struct host *h)
{
	struct sysinfo info = {0};
	uint64_t free_bytes = 0;

	sysinfo(&info);
	file_free_bytes(h->shared.data, &free_bytes, NULL);
	/* whole GiB: a figure that changes with every report would have to be written each time */
	return json_pack(
		"{sI si sI}", "memoryBytes", (json_int_t)info.totalram * info.mem_unit, "cpus",
		(int)sysconf(_SC_NPROCESSORS_ONLN), "diskFreeBytes",
		(json_int_t)(free_bytes >> 30 << 30));
}

static json_t *orphans_report(struct host *h)
{
	json_t *orphans = json_array();

	list_for_each (at, &h->members) {
		const struct host_member *m = list_entry(at, struct host_member, at);

		if (!m->is_wanted)
			json_array_append_new(
				orphans,
				json_pack(
					"{ss ss ss}", "uid", m->want->uid, "namespace",
					m->want->namespace, "name", m->want->name));
	}
	return orphans;
}

json_t *host_report(struct host *h)
{
	json_t *report = json_object(), *members = json_copy(h->strays);

	list_for_each (at, &h->members) {
		struct host_member *m = list_entry(at, struct host_member, at);

		if (m->is_wanted)
			json_array_append_new(
				members,
				report_member(
					m->want, h->driver->seen(m->server), &m->next,
					h->shared.address));
	}
	jv_set_str(report, "version", SLIPWAY_VERSION);
	jv_set_str(report, "address", h->shared.address);
	json_object_set(report, "postgres", h->programs);
	jv_set(report, "capacity", capacity_report(h));
	jv_set(report, "members", members);
	jv_set(report, "orphans", orphans_report(h));
	return report;
}

/* Start. */

static void on_discover(uv_timer_t *timer)
{
	struct host *h = container_of(timer, struct host, discover);

	if (!discover_look(h->shared.programs))
		return;
	json_decref(h->programs);
	h->programs = discover_report(h->shared.programs);
	list_for_each (at, &h->members)
		member_look(list_entry(at, struct host_member, at));
	h->on_change(h->arg);
}

static void folder_open(struct host *h, const char *home)
{
	struct want *w = NULL;
	struct err e;

	if (home_read_want(home, &w, &e) == ERR_OK)
		member_open(h, w);
	else if (rmdir(home) < 0) /* an empty one is what is left of a removal */
		log_warn("a folder is not understood", "path=%s why=%s", home, log_q(e.text));
}

static enum err_code folders_open(struct host *h, struct err *e)
{
	const char *all = arena_printf(&h->arena, "%s/m", h->shared.data);
	enum err_code code = dir_make(all, 0700, e);
	struct dirent *at;
	DIR *d;

	if (code)
		return code;
	d = opendir(all);
	if (!d)
		return err_os(e, "look into '%s'", all);
	while ((at = readdir(d)))
		if (at->d_name[0] != '.')
			folder_open(h, arena_printf(&h->arena, "%s/%s", all, at->d_name));
	closedir(d);
	return ERR_OK;
}

static const char *os_user(struct arena *a)
{
	const struct passwd *pw = getpwuid(geteuid());

	return arena_strdup(a, pw ? pw->pw_name : "nobody");
}

enum err_code host_new(uv_loop_t *loop, const struct host_conf *c, struct host **ret, struct err *e)
{
	struct host *h;
	enum err_code code = ERR_OK;

	if (strlen(c->data) > SOCKET_MAX - SOCKET_TAIL)
		return err_set(
			e, ERR_LIMIT,
			"the data folder '%s' has too long a path for the sockets in it: want at "
			"most %d bytes",
			c->data, SOCKET_MAX - SOCKET_TAIL);
	h = mem_alloc(sizeof(*h));
	h->driver = c->driver;
	h->on_change = c->on_change;
	h->arg = c->arg;
	h->shared = (struct driver_host){
		.loop = loop,
		.data = arena_strdup(&h->arena, c->data),
		.address = arena_strdup(&h->arena, c->address),
		.os_user = os_user(&h->arena),
		.programs = discover_new(c->pg_path),
	};
	list_init(&h->members);
	h->strays = json_array();
	h->programs = discover_report(h->shared.programs);
	uv_timer_init(loop, &h->discover);
	uv_timer_start(&h->discover, on_discover, DISCOVER_MS, DISCOVER_MS);
	h->open = 1;
	if (c->driver->has_folders)
		code = folders_open(h, e);
	if (code)
		return code; /* the process ends: nothing was begun yet */
	*ret = h;
	return ERR_OK;
}

/* Stop. */

static bool has_process(struct host_member *m)
{
	return m->host->driver->seen(m->server)->process != UNIT_DOWN;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct host *h = container_of((uv_timer_t *)handle, struct host, discover);

	h->open--;
	host_go_down(h);
}

/* Closes each member that need not be waited for; the last one ends it. */
static void host_go_down(struct host *h)
{
	list_for_each_safe (at, &h->members) {
		struct host_member *m = list_entry(at, struct host_member, at);

		if (!m->is_stopping || !has_process(m))
			member_close(m);
	}
	if (list_is_empty(&h->members) && !uv_is_closing((uv_handle_t *)&h->discover))
		uv_close((uv_handle_t *)&h->discover, on_timer_closed);
	if (h->open == 0 && h->stopped) {
		void (*stopped)(void *arg) = h->stopped;

		h->stopped = NULL;
		stopped(h->stopped_arg);
	}
}

void host_stop(struct host *h, bool with_members, void (*done)(void *arg), void *arg)
{
	h->is_stopping = true;
	h->stopped = done;
	h->stopped_arg = arg;
	list_for_each (at, &h->members) {
		struct host_member *m = list_entry(at, struct host_member, at);

		h->driver->cancel(m->server);
		m->is_stopping = with_members;
		if (with_members)
			h->driver->step(m->server, STEP_STOP);
	}
	host_go_down(h);
}

void host_free(struct host *h)
{
	if (!h)
		return;
	assert(h->open == 0);
	discover_free(h->shared.programs);
	json_decref(h->strays);
	json_decref(h->programs);
	arena_done(&h->arena);
	free(h);
}
