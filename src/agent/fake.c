/*
 * Fake: a driver without processes, folders or ports: every step is done at the next turn of the
 * loop, and WAL positions move with the clock. For measuring the control plane with the agent's own
 * code: thousands of members in one process.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/driver.h"
#include "base/clock.h"
#include "kinds/member.h"

enum { WAL_BYTES_A_MS = 100, WAL_BEGIN = 0x3000000 };

struct driver_server {
	struct driver_host *host;
	struct want *want;
	void (*changed)(void *arg);
	void *arg;
	struct seen seen;
	char loaded[SEEN_HASH]; /* hash of the want whose settings are loaded */
	int64_t started_ms;
	uv_timer_t soon; /* the step that is busy ends */
	void (*closed)(void *arg);
	void *closed_arg;
};

static void hash_set(char to[SEEN_HASH], const char *from)
{
	snprintf(to, SEEN_HASH, "%s", from);
}

static void port_give(struct driver_server *s)
{
	struct port_book *b = &s->host->ports;
	int port = PORT_FIRST;

	while (b->kept[port / 8] >> port % 8 & 1)
		port++;
	port_keep(b, port);
	s->seen.port = port;
}

static void do_save(struct driver_server *s)
{
	hash_set(s->seen.saved, s->want->hash);
	s->seen.epoch = MAX(s->seen.epoch, s->want->epoch);
}

static void data_make(struct driver_server *s, enum seen_data data)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *whole = arena_printf(&a, "%s/%s", s->want->namespace, s->want->database);

	if (!s->seen.port)
		port_give(s);
	s->seen.data = data;
	s->seen.has_folder = true;
	s->seen.epoch = s->want->epoch;
	/* all members of a Database have the same */
	snprintf(
		s->seen.server.system_identifier, sizeof(s->seen.server.system_identifier), "%llu",
		(unsigned long long)str_hash(str_of(whole)) >> 1);
}

static void do_init(struct driver_server *s)
{
	data_make(s, SEEN_PRIMARY);
}

static void do_copy(struct driver_server *s)
{
	data_make(s, SEEN_STANDBY);
}

static void do_remove(struct driver_server *s)
{
	port_drop(&s->host->ports, s->seen.port);
	s->seen.port = 0;
	s->seen.data = SEEN_NOTHING;
	s->seen.has_folder = false;
}

static void do_configure(struct driver_server *s)
{
	hash_set(s->loaded, s->want->hash);
	hash_set(s->seen.settings, s->want->settings_hash);
}

static void do_start(struct driver_server *s)
{
	struct seen_server *v = &s->seen.server;

	s->seen.restarted = s->want->restart;
	s->seen.process = UNIT_UP;
	s->seen.is_probed = true;
	s->started_ms = clock_mono_ms();
	v->is_standby = s->seen.data == SEEN_STANDBY;
	v->is_receiving = v->is_standby;
	v->timeline = 1;
	v->started_us = clock_wall_us();
	snprintf(v->version, sizeof(v->version), "%d.1", s->want->major);
	do_configure(s);
}

static void do_promote(struct driver_server *s)
{
	s->seen.data = SEEN_PRIMARY;
	s->seen.server.is_standby = false;
	s->seen.server.timeline++;
	s->seen.epoch = s->want->epoch;
}

static void do_replication(struct driver_server *s)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct seen_server *v = &s->seen.server;

	v->slots_n = v->replicas_n = s->want->standbys_n;
	for (size_t i = 0; i < v->slots_n; i++) {
		struct seen_replica *r = &v->replicas[i];

		snprintf(v->slots[i], SEEN_NAME, "%s", member_slot(&a, s->want->standbys[i]));
		memcpy(r->slot, v->slots[i], SEEN_NAME);
		snprintf(r->state, sizeof(r->state), "streaming");
		r->is_sync = true;
		r->flush_lsn = UINT64_MAX;
	}
}

static void do_roles(struct driver_server *s)
{
	hash_set(s->seen.access, s->want->access_hash);
	hash_set(s->seen.roles, s->want->roles_hash);
}

static void do_sync(struct driver_server *s)
{
	s->seen.is_proven = true;
	snprintf(s->seen.proven_names, SEEN_NAMES, "%s", s->want->sync_names);
}

static void (*const steps[STEPS])(struct driver_server *s) = {
	[STEP_SAVE] = do_save,           [STEP_REMOVE] = do_remove,
	[STEP_INIT] = do_init,           [STEP_COPY] = do_copy,
	[STEP_START] = do_start,         [STEP_PROMOTE] = do_promote,
	[STEP_CONFIGURE] = do_configure, [STEP_REPLICATION] = do_replication,
	[STEP_ROLES] = do_roles,         [STEP_SYNC] = do_sync,
};

static void on_soon(uv_timer_t *timer)
{
	struct driver_server *s = container_of(timer, struct driver_server, soon);
	enum step step = s->seen.busy;

	s->seen.busy = STEP_NONE;
	if (steps[step])
		steps[step](s);
	s->changed(s->arg);
}

static void fake_step(struct driver_server *s, enum step step)
{
	if (step == STEP_STOP || step == STEP_QUIT) {
		s->seen.process = UNIT_DOWN;
		s->seen.is_probed = s->seen.is_proven = false;
		step = STEP_NONE;
	}
	s->seen.busy = step;
	uv_timer_start(&s->soon, on_soon, 0, 0);
}

static const struct seen *fake_seen(struct driver_server *s)
{
	struct seen *v = &s->seen;

	v->now_ms = clock_mono_ms();
	v->is_heard = s->host->is_heard;
	v->has_major = true;
	v->is_noted = true;
	v->is_conf_current = v->process == UNIT_DOWN || strcmp(s->loaded, s->want->hash) == 0;
	v->server.lsn = WAL_BEGIN + (uint64_t)(v->now_ms - s->started_ms) * WAL_BYTES_A_MS;
	return v;
}

static void fake_want(struct driver_server *s, struct want *w)
{
	struct want *old = s->want;

	s->want = want_keep(w);
	want_drop(&old);
}

static void fake_watch(struct driver_server *s, bool is_urgent)
{
	(void)s;
	(void)is_urgent;
}

static void fake_cancel(struct driver_server *s)
{
	(void)s;
}

static struct driver_server *
fake_open(struct driver_host *h, struct want *w, void (*changed)(void *arg), void *arg)
{
	struct driver_server *s = mem_alloc(sizeof(*s));

	s->host = h;
	s->want = want_keep(w);
	s->changed = changed;
	s->arg = arg;
	uv_timer_init(h->loop, &s->soon);
	uv_timer_start(&s->soon, on_soon, 0, 0);
	return s;
}

static void on_closed(uv_handle_t *handle)
{
	struct driver_server *s = container_of((uv_timer_t *)handle, struct driver_server, soon);
	void (*closed)(void *arg) = s->closed;
	void *arg = s->closed_arg;

	want_drop(&s->want);
	free(s);
	closed(arg);
}

static void fake_close(struct driver_server *s, void (*closed)(void *arg), void *arg)
{
	s->closed = closed;
	s->closed_arg = arg;
	uv_close((uv_handle_t *)&s->soon, on_closed);
}

const struct agent_driver agent_driver_fake = {
	.name = "fake",
	.open = fake_open,
	.seen = fake_seen,
	.want = fake_want,
	.watch = fake_watch,
	.step = fake_step,
	.cancel = fake_cancel,
	.renewed = fake_cancel,
	.close = fake_close,
};
