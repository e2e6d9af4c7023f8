#include "store/keeper.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wake.h"
#include "store/state.h"

enum {
	TICK_MS = 2000,
	KEEP_S = 3600, /* of change_log */
	KEEP_ROWS = 250000, /* of change_log, however young: some hundred megabytes */
	COMPACT_ROWS = 5000, /* in one transaction, so that nobody waits for long */
};

struct keeper {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_closing; /* under the lock */
};

/* Everybody may compact: the rows that two replicas see are the same, and one waits. */
static enum err_code compact(struct store *s, int keep_s, int64_t keep_rows, struct err *e)
{
	char age[16], keep[24], rows[16];
	const char *params[] = {age, keep, rows};
	int64_t gone = 1;

	snprintf(age, sizeof(age), "%d", keep_s);
	snprintf(keep, sizeof(keep), "%" PRId64, keep_rows);
	snprintf(rows, sizeof(rows), "%d", COMPACT_ROWS);
	while (gone > 0) {
		CLEANUP(db_rows_done) struct db_rows r = {0};
		enum err_code code = sessions_exec(
			&s->sessions, false, "compact",
			"SELECT slipway.compact(now() - $1::int * interval '1 second', $2::bigint,"
			" $3::int)",
			params, 3, &r, e);

		if (code != ERR_OK)
			return code;
		gone = db_int(&r, 0, 0);
	}
	return ERR_OK;
}

enum err_code store_compact(struct store *s, int keep_s, struct err *e)
{
	return compact(s, keep_s, INT64_MAX / 2, e);
}

static enum err_code do_flush(struct store *s, struct err *e)
{
	return pulses_flush(&s->pulses, e);
}

static enum err_code do_trim(struct store *s, struct err *e)
{
	(void)e;
	db_pool_trim(s->sessions.pool);
	return ERR_OK;
}

static enum err_code do_compact(struct store *s, struct err *e)
{
	return compact(s, KEEP_S, KEEP_ROWS, e);
}

/* A committer that runs says so daily at least; a token that is over is worth knowing for a week.
 */
static enum err_code do_sweep(struct store *s, struct err *e)
{
	struct db *d;
	enum err_code code = sessions_get(&s->sessions, &d, e);

	if (code != ERR_OK)
		return code;
	code = db_script(
		d,
		"DELETE FROM slipway.token WHERE expires_at < now() - interval '7 days'"
		" OR used_at < now() - interval '7 days';"
		"DELETE FROM slipway.committer WHERE seen_at < now() - interval '7 days';"
		"DELETE FROM slipway.pulse WHERE at < now() - interval '7 days';"
		"DELETE FROM slipway.blob WHERE value IS NULL AND lock_id IS NULL",
		e);
	sessions_note(&s->sessions, code);
	sessions_put(&s->sessions, d);
	return code;
}

static const struct chore {
	int every_ticks;
	const char *name;
	enum err_code (*run)(struct store *s, struct err *e);
} chores[] = {
	{1, "flush", do_flush},
	{5, "trim", do_trim},
	{30, "compact", do_compact},
	{1800, "sweep", do_sweep},
};

static bool rest(struct keeper *k)
{
	int64_t until = clock_mono_ms() + TICK_MS;
	bool is_closing;

	pthread_mutex_lock(&k->lock);
	if (!k->is_closing)
		wake_wait(&k->wake, &k->lock, until);
	is_closing = k->is_closing;
	pthread_mutex_unlock(&k->lock);
	return !is_closing;
}

static void *run(void *arg)
{
	struct keeper *k = arg;
	struct err e;

	for (int tick = 1; rest(k); tick++)
		for (size_t i = 0; i < ARRAY_LEN(chores); i++)
			if (tick % chores[i].every_ticks == 0 &&
			    chores[i].run(k->store, &e) != ERR_OK)
				log_debug(
					"store chore failed", "chore=%s why=%s", chores[i].name,
					log_q(e.text));
	pulses_flush(&k->store->pulses, NULL);
	return NULL;
}

struct keeper *keeper_new(struct store *s)
{
	struct keeper *k = mem_alloc(sizeof(*k));

	k->store = s;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->wake, NULL);
	if (pthread_create(&k->thread, NULL, run, k))
		abort();
	return k;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->is_closing = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
