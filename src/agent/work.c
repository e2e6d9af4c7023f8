#include "agent/work.h"

#include <stdio.h>

#include "agent/basebackup.h"
#include "agent/member.h"
#include "agent/pgconf.h"
#include "agent/pgdata.h"
#include "agent/replication.h"
#include "agent/roles.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"

enum {
	UPSTREAM_MS = 5000, /* how long a copy waits for a primary that is still being made */
	UPSTREAM_NAP_MS = 20,
	CONNECT_MS = 5000,
};

static struct pgconf conf_of(const struct driver_host *h, const char *home, int port)
{
	return (struct pgconf){
		.home = home,
		.certs = h->data,
		.address = h->address,
		.port = port,
		.os_user = h->os_user,
	};
}

void work_conf_hash(
	const struct driver_host *h, const char *home, const struct want *w, int port,
	char ret[HOME_HASH])
{
	CLEANUP(arena_done) struct arena a = {0};
	const struct pgconf c = conf_of(h, home, port);
	struct pgconf_file files[PGCONF_FILES];
	const char *hash;

	pgconf_files(&a, w, &c, files, &hash);
	snprintf(ret, HOME_HASH, "%s", hash);
}

static enum err_code configure(struct work *k, const char *dir, bool is_durable, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const struct pgconf c = conf_of(k->host, k->home, k->state.port);
	struct pgconf_file files[PGCONF_FILES];
	const char *hash;
	enum err_code code;

	pgconf_files(&a, k->want, &c, files, &hash);
	code = pgdata_configure(dir, files, is_durable, e);
	if (!code) {
		snprintf(k->state.loaded, sizeof(k->state.loaded), "%s", hash);
		snprintf(
			k->state.settings, sizeof(k->state.settings), "%s", k->want->settings_hash);
	}
	return code;
}

static enum err_code state_write(struct work *k, struct err *e)
{
	enum err_code code = home_write_state(k->home, &k->state, e);

	k->is_noted = !code;
	return code;
}

static enum err_code do_save(struct work *k, struct err *e)
{
	k->state.epoch = MAX(k->state.epoch, k->want->epoch);
	return state_write(k, e);
}

static enum err_code do_remove(struct work *k, struct err *e)
{
	return home_remove(k->home, e);
}

/* Gives dir its name, and notes that there is a whole cluster. */
static enum err_code publish(struct work *k, const char *dir, struct err *e)
{
	enum err_code code = pgdata_publish(k->home, dir, e);

	if (code)
		return code;
	k->state.is_initialised = true;
	k->state.epoch = k->want->epoch;
	return state_write(k, e);
}

static enum err_code do_init(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *dir;
	enum err_code code;

	if (k->state.is_initialised)
		return err_set(
			e, ERR_GONE,
			"its data folder '%s/data' has gone: put it back; a new cluster is not "
			"made "
			"in its place",
			k->home);
	code = pgdata_begin(&a, k->home, &dir, e);
	if (code)
		return code;
	code = pgdata_init(k->bin, dir, e);
	if (!code)
		code = configure(k, dir, false, e);
	if (!code)
		return publish(k, dir, e);
	pgdata_explain_full(k->home, e);
	dir_remove(dir, NULL);
	return code;
}

/* Until the primary is up and has our slot; it may still be on its way. */
static enum err_code
upstream_open(struct work *k, const char *conninfo, struct basebackup *ret, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + UPSTREAM_MS;

	for (;;) {
		enum err_code code =
			basebackup_open(ret, &k->job, conninfo, k->want->slot, CONNECT_MS, e);

		if (code != ERR_UNAVAILABLE || clock_mono_ms() > deadline_ms)
			return code;
		if (job_sleep(&k->job, UPSTREAM_NAP_MS))
			return err_set(e, ERR_GONE, "it was called off");
	}
}

static void on_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct work *k = arg;

	k->done_bytes = done_bytes;
	k->total_bytes = total_bytes;
}

static enum err_code copy_into(struct work *k, const char *dir, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const struct pgconf c = conf_of(k->host, k->home, k->state.port);
	struct basebackup b;
	enum err_code code = upstream_open(k, pgconf_conninfo(&a, k->want, &c), &b, e);

	if (code)
		return code;
	code = basebackup_take(&b, dir, on_progress, k, e);
	basebackup_close(&b);
	if (!code)
		code = pgdata_mark_standby(dir, e);
	return code ? code : configure(k, dir, false, e);
}

static enum err_code do_copy(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const struct want *w = k->want;
	const char *dir;
	enum err_code code = pgdata_begin(&a, k->home, &dir, e);

	if (code)
		return code;
	code = copy_into(k, dir, e);
	if (!code)
		return publish(k, dir, e);
	err_wrap(
		e, "cannot copy %s at %s:%d", w->upstream_member, w->upstream_host,
		w->upstream_port);
	pgdata_explain_full(k->home, e);
	dir_remove(dir, NULL);
	return code;
}

/* The server does the rest, on the loop: the process is started there. */
static enum err_code do_start(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code = configure(k, arena_printf(&a, "%s/data", k->home), true, e);

	k->state.restarted = k->want->restart;
	if (!code)
		code = state_write(k, e);
	pgdata_explain_full(k->home, e);
	return code;
}

static enum err_code session_open(struct work *k, struct arena *a, struct db **ret, struct err *e)
{
	return db_open(roles_conninfo(a, k->home, k->state.port, "postgres"), CONNECT_MS, ret, e);
}

static enum err_code do_promote(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct db *d = NULL;
	enum err_code code = session_open(k, &a, &d, e);

	if (!code)
		code = replication_promote(d, e);
	db_close(d);
	if (code)
		return code;
	k->state.epoch = k->want->epoch;
	return state_write(k, e);
}

static enum err_code do_configure(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct home_state before = k->state;
	struct db *d = NULL;
	enum err_code code = configure(k, arena_printf(&a, "%s/data", k->home), true, e);

	if (!code && k->has_process)
		code = session_open(k, &a, &d, e);
	if (d)
		code = replication_reload(d, &k->job, e);
	db_close(d);
	if (code)
		k->state = before;
	return code;
}

static enum err_code do_replication(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct db *d = NULL;
	enum err_code code = session_open(k, &a, &d, e);

	if (!code)
		code = replication_apply(d, &k->job, k->want, e);
	db_close(d);
	return code;
}

static enum err_code do_roles(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct db *d = NULL;
	enum err_code code = session_open(k, &a, &d, e);

	if (!code)
		code = roles_apply(d, k->want, k->home, k->state.port, e);
	db_close(d);
	if (code)
		return code;
	snprintf(k->state.access, sizeof(k->state.access), "%s", k->want->access_hash);
	snprintf(k->state.roles, sizeof(k->state.roles), "%s", k->want->roles_hash);
	return ERR_OK;
}

static enum err_code do_sync(struct work *k, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct db *d = NULL;
	uint64_t lsn = 0;
	enum err_code code = session_open(k, &a, &d, e);

	k->state.is_proven = false;
	if (!code)
		code = replication_prove(d, &k->job, k->want->sync_names, &lsn, e);
	db_close(d);
	if (code)
		return code;
	k->state.is_proven = true;
	k->state.proven_lsn = lsn;
	snprintf(k->state.proven_names, sizeof(k->state.proven_names), "%s", k->want->sync_names);
	return ERR_OK;
}

static enum err_code (*const steps[STEPS])(struct work *k, struct err *e) = {
	[STEP_SAVE] = do_save,           [STEP_REMOVE] = do_remove,
	[STEP_INIT] = do_init,           [STEP_COPY] = do_copy,
	[STEP_START] = do_start,         [STEP_PROMOTE] = do_promote,
	[STEP_CONFIGURE] = do_configure, [STEP_REPLICATION] = do_replication,
	[STEP_ROLES] = do_roles,         [STEP_SYNC] = do_sync,
};

static enum err_code save_want(struct work *k, struct err *e)
{
	enum err_code code = ERR_OK;

	if (k->is_saved)
		return ERR_OK;
	code = home_make(k->home, e);
	if (!code)
		code = home_write_want(k->home, k->want, e);
	if (code)
		pgdata_explain_full(k->home, e);
	k->is_saved = !code;
	return code;
}

enum err_code work_run(struct job *j, struct err *e)
{
	struct work *k = container_of(j, struct work, job);
	char point[32];
	enum err_code code = save_want(k, e);

	snprintf(point, sizeof(point), "work.%s", step_name(k->step));
	if (!code && fault_hit(point))
		code = err_os(e, "%s", point);
	if (!code)
		code = steps[k->step](k, e);
	if (!code && fault_hit("work.done"))
		code = err_os(e, "work.done");
	return code;
}
