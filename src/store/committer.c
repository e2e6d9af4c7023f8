#include "store/committer.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/wake.h"

enum {
	BATCH_ROWS = 512, /* one group may be larger, and then is a batch by itself */
	BATCH_BYTES = 8 << 20,
	SETTLE_MS = 15000, /* how long callers wait to learn what became of their write */
	SETTLE_RETRY_MS = 100,
	LINGER_PART = 4,
};

enum column { GRP, OP, KIND, NAMESPACE, NAME, BASE, UID, OLD_LABELS, LABELS, BODY, COLUMNS };

static const enum db_type column_types[COLUMNS] = {
	[GRP] = DB_INT8,    [OP] = DB_TEXT,   [KIND] = DB_TEXT, [NAMESPACE] = DB_TEXT,
	[NAME] = DB_TEXT,   [BASE] = DB_INT8, [UID] = DB_TEXT,  [OLD_LABELS] = DB_TEXT,
	[LABELS] = DB_TEXT, [BODY] = DB_TEXT,
};

static const char apply_sql[] =
	"SELECT slipway.apply($1::text::uuid, $2::text::bigint, $3::bigint[], $4::text[],"
	" $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[],"
	" $12::text[])";

struct committer {
	struct sessions *sessions;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* for the leader that waits for company */
	/* under the lock: */
	bool is_led; /* one of the callers is writing a batch, or about to */
	struct list queue; /* of struct commit */
	size_t queued; /* length of queue */
	size_t wanted; /* the leader is not woken before queue is that long */
	size_t active; /* callers that the last batch has seen at work */
	int64_t took_us; /* by the last batch */
	/* the leader's: */
	char id[OBJECT_UID];
	int64_t seq; /* of the last batch that was sent */
	struct db *db; /* NULL: none now */
	struct db_array columns[COLUMNS];
};

static void fail(struct commit *const *batch, size_t n, enum err_code code, const struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		batch[i]->code = code;
		batch[i]->err = *e;
	}
}

/* Each group's part of "{7,8,0,0,11}"; zeros for a group that failed. */
static void answer_all(struct commit *const *batch, size_t n, struct str result)
{
	struct str rest = {result.p + 1, result.n - 2}, number;

	for (size_t i = 0; i < n; i++) {
		struct commit *c = batch[i];
		bool is_written = false, is_wanted = false;

		for (size_t j = 0; j < c->n; j++) {
			if (!str_split(&rest, ',', &number) ||
			    !str_to_i64(number, &c->rows[j].revision))
				abort(); /* slipway.apply gives one number a row */
			is_written |= c->rows[j].revision > 0;
			is_wanted |= c->rows[j].op != CHANGE_NONE;
		}
		c->code = is_written || !is_wanted ? ERR_OK : ERR_CONFLICT;
		if (c->code != ERR_OK)
			err_set(&c->err, ERR_CONFLICT, "it has changed in the meantime");
	}
}

static struct str text_or_null(const char *s)
{
	return (struct str){s, s ? strlen(s) : 0};
}

static void add_row(struct db_array *columns, size_t group, const struct commit_row *r)
{
	const char op[] = {(char)r->op};

	db_array_i64(&columns[GRP], (int64_t)group);
	db_array_text(&columns[OP], (struct str){op, 1});
	db_array_text(&columns[KIND], str_of(r->key.kind));
	db_array_text(&columns[NAMESPACE], str_of(r->key.ns));
	db_array_text(&columns[NAME], str_of(r->key.name));
	db_array_i64(&columns[BASE], r->base);
	db_array_text(&columns[UID], text_or_null(r->uid[0] ? r->uid : NULL));
	db_array_text(&columns[OLD_LABELS], text_or_null(r->old_labels));
	db_array_text(&columns[LABELS], text_or_null(r->labels));
	db_array_text(&columns[BODY], buf_view(&r->body));
}

static enum err_code
send(struct committer *c, struct commit *const *batch, size_t n, struct db_rows *ret, struct err *e)
{
	struct str params[2 + COLUMNS];
	char seq[24];

	for (size_t i = 0; i < COLUMNS; i++)
		db_array_init(&c->columns[i], column_types[i]);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < batch[i]->n; j++)
			add_row(c->columns, i, &batch[i]->rows[j]);
	snprintf(seq, sizeof(seq), "%" PRId64, c->seq);
	params[0] = str_of(c->id);
	params[1] = str_of(seq);
	for (size_t i = 0; i < COLUMNS; i++)
		params[2 + i] = db_array_view(&c->columns[i]);
	return db_exec_binary(c->db, "apply", apply_sql, params, ARRAY_LEN(params), ret, e);
}

static void disconnect(struct committer *c)
{
	db_close(c->db);
	c->db = NULL;
}

/* Connects, learns whether batch seq is in (*ret_result is its answer then, else empty), and shuts
 * the door to it if not. */
static enum err_code settle(struct committer *c, struct buf *ret_result, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	char seq[24];
	const char *params[] = {c->id, seq};
	enum err_code code = sessions_open(c->sessions, &c->db, e);

	if (code != ERR_OK)
		return code;
	snprintf(seq, sizeof(seq), "%" PRId64, c->seq);
	code = db_exec(c->db, "SELECT slipway.settle($1::uuid, $2::bigint)", params, 2, &r, e);
	if (code == ERR_OK && db_has_warned(c->db))
		code = err_set(e, ERR_UNAVAILABLE, "the database did not replicate the commit");
	if (code != ERR_OK) {
		disconnect(c);
		return sessions_note(c->sessions, code);
	}
	buf_clear(ret_result);
	buf_str(ret_result, db_text(&r, 0, 0));
	return ERR_OK;
}

static void run_batch(struct committer *c, struct commit *const *batch, size_t n, bool is_again);

/* The session broke in the middle of a batch. */
static void find_out(
	struct committer *c, struct commit *const *batch, size_t n, bool is_again,
	const struct err *why)
{
	CLEANUP(buf_done) struct buf result = {0};
	int64_t until = clock_mono_ms() + SETTLE_MS;
	struct err e;

	log_warn("batch in doubt", "seq=%" PRId64 " why=%s", c->seq, log_q(why->text));
	disconnect(c);
	while (settle(c, &result, &e) != ERR_OK) {
		if (clock_mono_ms() > until) {
			err_set(&e, ERR_UNAVAILABLE,
				"the database went away during the commit; whether the write is in "
				"is not known: look before you try again");
			fail(batch, n, ERR_UNAVAILABLE, &e);
			return;
		}
		poll(NULL, 0, SETTLE_RETRY_MS);
	}
	log_info(
		"batch settled", "seq=%" PRId64 " outcome=%s", c->seq,
		result.n ? "committed" : "not-written");
	if (result.n) {
		answer_all(batch, n, buf_view(&result));
		return;
	}
	if (!is_again) { /* it is not in, and cannot come in: the database is back, so do it now */
		run_batch(c, batch, n, true);
		return;
	}
	err_set(&e, ERR_UNAVAILABLE,
		"the database went away before the commit; nothing was written: try again");
	fail(batch, n, ERR_UNAVAILABLE, &e);
}

/* Errors that one group's values have caused must not fail the others: each goes by itself. */
static bool is_one_groups_fault(enum err_code code)
{
	return code == ERR_INTERNAL || code == ERR_EXISTS || code == ERR_INVALID;
}

static void rolled_back(
	struct committer *c, struct commit *const *batch, size_t n, bool is_again,
	enum err_code code, const struct err *e)
{
	c->seq--;
	if (code == ERR_CONFLICT && !is_again) { /* our row has gone: settle makes a new one */
		disconnect(c);
		run_batch(c, batch, n, true);
	} else if (n > 1 && is_one_groups_fault(code)) {
		for (size_t i = 0; i < n; i++)
			run_batch(c, batch + i, 1, is_again);
	} else {
		fail(batch, n, code == ERR_CONFLICT ? ERR_UNAVAILABLE : code, e);
	}
}

static void run_batch(struct committer *c, struct commit *const *batch, size_t n, bool is_again)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	CLEANUP(buf_done) struct buf ignored = {0};
	struct err e = {0};
	enum err_code code = ERR_OK;

	if (c->db && !db_is_alive(c->db))
		disconnect(c);
	if (!c->db)
		code = settle(c, &ignored, &e);
	if (code == ERR_OK && fault_hit("store.commit")) /* before: nothing was sent */
		code = err_set(&e, ERR_UNAVAILABLE, "fault point store.commit");
	if (code != ERR_OK) {
		fail(batch, n, ERR_UNAVAILABLE, &e);
		return;
	}
	c->seq++;
	code = sessions_note(c->sessions, send(c, batch, n, &r, &e));
	if (code == ERR_OK && fault_hit("store.commit")) /* after: the answer is lost */
		code = err_set(&e, ERR_UNAVAILABLE, "fault point store.commit");
	if (db_is_broken(c->db) || code == ERR_UNAVAILABLE ||
	    (code == ERR_OK && db_has_warned(c->db)))
		find_out(c, batch, n, is_again, &e);
	else if (code == ERR_OK)
		answer_all(batch, n, db_text(&r, 0, 0));
	else
		rolled_back(c, batch, n, is_again, code, &e);
}

/* Takes queued commits up to the limits of a batch. Called under the lock. */
static size_t take(struct committer *c, struct commit *ret[BATCH_ROWS])
{
	size_t n = 0, rows = 0, bytes = 0;

	while (n < BATCH_ROWS && !list_is_empty(&c->queue)) {
		struct commit *next = list_entry(c->queue.next, struct commit, queued);

		for (size_t i = 0; i < next->n; i++)
			bytes += next->rows[i].body.n;
		rows += next->n;
		if (n && (rows > BATCH_ROWS || bytes > BATCH_BYTES))
			break;
		list_remove(&next->queued);
		c->queued--;
		ret[n++] = next;
	}
	return n;
}

/*
 * Callers that the last batch has just answered are likely to come again at once. Without a wait,
 * those who queued meanwhile go alone, and the callers fall into two halves that pay two fsyncs
 * where one would do; so wait for all of them, but never longer than a quarter of what a batch
 * takes. One caller alone never waits. Under the lock.
 */
static void wait_for_company(struct committer *c)
{
	int64_t until_us = clock_mono_us() + c->took_us / LINGER_PART;

	c->wanted = c->active;
	while (c->queued < c->wanted)
		if (!wake_wait_us(&c->wake, &c->lock, until_us))
			break;
	c->wanted = SIZE_MAX;
}

/* The caller whose commit is the first of the queue writes all that is queued, and passes the lead
 * on to who has come meanwhile. Takes the lock and gives it back: those it wakes would only wait
 * for it. A commit is not touched any more once its caller is woken. */
static void lead(struct committer *c)
{
	struct commit *batch[BATCH_ROWS], *next = NULL;
	int64_t start_us;
	size_t n;

	pthread_mutex_lock(&c->lock);
	wait_for_company(c);
	n = take(c, batch);
	pthread_mutex_unlock(&c->lock);
	start_us = clock_mono_us();
	run_batch(c, batch, n, false);
	pthread_mutex_lock(&c->lock);
	c->took_us = clock_mono_us() - start_us;
	c->active = MIN(n + c->queued, (size_t)BATCH_ROWS);
	c->is_led = c->queued > 0;
	if (c->is_led)
		next = list_entry(c->queue.next, struct commit, queued);
	pthread_mutex_unlock(&c->lock);
	if (next)
		sem_post(&next->woken);
	for (size_t i = 0; i < n; i++) {
		batch[i]->is_done = true;
		sem_post(&batch[i]->woken);
	}
}

enum err_code committer_new(struct sessions *s, struct committer **ret, struct err *e)
{
	CLEANUP(buf_done) struct buf ignored = {0};
	struct committer *c = mem_alloc(sizeof(*c));
	enum err_code code;

	c->sessions = s;
	object_uid_new(c->id);
	list_init(&c->queue);
	code = settle(c, &ignored, e);
	if (code != ERR_OK) {
		free(c);
		return code;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	c->wanted = SIZE_MAX;
	*ret = c;
	return ERR_OK;
}

void committer_free(struct committer *c)
{
	if (!c)
		return;
	assert(list_is_empty(&c->queue) && !c->is_led);
	disconnect(c);
	for (size_t i = 0; i < COLUMNS; i++)
		db_array_done(&c->columns[i]);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void commit_wait(struct commit *work)
{
	while (sem_wait(&work->woken) < 0) /* a signal came */
		;
}

enum err_code committer_run(struct committer *c, struct commit *work, struct err *e)
{
	bool is_leader, is_awaited;

	work->is_done = false;
	sem_init(&work->woken, 0, 0);
	pthread_mutex_lock(&c->lock);
	list_push_back(&c->queue, &work->queued);
	is_awaited = ++c->queued >= c->wanted;
	is_leader = !c->is_led;
	c->is_led = true;
	pthread_mutex_unlock(&c->lock);
	if (is_awaited)
		pthread_cond_signal(&c->wake);
	if (!is_leader)
		commit_wait(work);
	if (!work->is_done)
		lead(c);
	sem_destroy(&work->woken);
	if (work->code != ERR_OK)
		return err_set(e, work->code, "%s", work->err.text);
	return ERR_OK;
}
