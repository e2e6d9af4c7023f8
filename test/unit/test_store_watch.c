/* What watches promise: each change once, in order, whatever happens to the database meanwhile. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/map.h"
#include "storetest.h"

enum { LOG_MAX = 100000, WAIT_MS = 60000 };

static struct pgtest pg;
static struct store *store;

struct seen {
	enum store_event_type type;
	int64_t revision;
	int64_t n; /* of spec.n */
	char name[32];
};

/* What one watch has told. */
struct log {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct seen *v;
	size_t n;
	bool is_gone;
	struct store_watch *watch;
};

static void on_event(void *arg, const struct store_event *ev, enum err_code code)
{
	struct log *l = arg;

	pthread_mutex_lock(&l->lock);
	if (code == ERR_GONE) {
		l->is_gone = true;
	} else if (ev->type != STORE_BOOKMARK && l->n < LOG_MAX) {
		struct seen *s = &l->v[l->n++];
		json_t *o = NULL;

		jv_parse(ev->text, ev->text.n, &o, NULL);
		*s = (struct seen){ev->type, ev->revision, jv_int(o, "spec.n", -1), ""};
		snprintf(s->name, sizeof(s->name), "%s", ev->name);
		if (storetest_revision(o) != ev->revision ||
		    strcmp(jv_str_or(o, "metadata.uid", ""), ev->uid) != 0)
			s->n = -2; /* noticed by who looks at it */
		json_decref(o);
	}
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
}

static struct log *log_start(const char *kind, const struct store_filter *f, int64_t revision)
{
	struct log *l = mem_alloc(sizeof(*l));
	struct err e;

	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->more, NULL);
	l->v = mem_alloc(LOG_MAX * sizeof(*l->v));
	if (store_watch_start(store, kind, f, revision, on_event, l, &l->watch, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return l;
}

static void log_stop(struct log *l)
{
	store_watch_stop(l->watch);
	pthread_cond_destroy(&l->more);
	pthread_mutex_destroy(&l->lock);
	free(l->v);
	free(l);
}

/* Until the watch has told n events, or that it is gone. */
static void log_wait(struct log *l, size_t n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&l->lock);
	while (l->n < n && !l->is_gone)
		if (pthread_cond_timedwait(&l->more, &l->lock, &until))
			fail_msg("%zu events came, %zu were due", l->n, n);
	pthread_mutex_unlock(&l->lock);
}

/* Until the watch has told of a revision, as the newest so far. */
static void log_wait_revision(struct log *l, int64_t revision)
{
	int64_t newest;
	size_t n;

	do {
		pthread_mutex_lock(&l->lock);
		n = l->n;
		newest = n ? l->v[n - 1].revision : 0;
		pthread_mutex_unlock(&l->lock);
		if (newest < revision)
			log_wait(l, n + 1);
	} while (newest < revision);
}

/* "A db1 M db1 D db1 ": what has been told so far. */
static const char *log_text(struct log *l)
{
	static const char letters[] = {
		[STORE_ADDED] = 'A', [STORE_MODIFIED] = 'M', [STORE_DELETED] = 'D'};
	static char text[512];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < l->n; i++) {
		assert_true(l->v[i].n >= -1);
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "%c %s ", letters[l->v[i].type],
			l->v[i].name);
	}
	return text;
}

static int64_t write_ok(enum store_verb verb, const char *name, const char *text)
{
	int64_t revision = 0;
	struct err e;

	if (storetest_write(store, verb, name, text, &revision, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return revision;
}

static void a_watch_tells_what_came_after_its_revision(void **state)
{
	struct store_filter f = {.name = "w1"};
	int64_t first, last;
	struct log *all, *late, *one, *other_kind;

	(void)state;
	first = write_ok(STORE_CREATE, "w1", "{\"spec\":{\"n\":1}}");
	all = log_start("Database", NULL, first - 1);
	write_ok(STORE_CREATE, "w2", "{\"spec\":{\"n\":1}}");
	last = write_ok(STORE_UPDATE, "w1", "{\"spec\":{\"n\":2}}");
	late = log_start(NULL, NULL, last);
	one = log_start("Database", &f, first);
	other_kind = log_start("Host", NULL, first);
	write_ok(STORE_DELETE, "w1", NULL);
	write_ok(STORE_DELETE, "w2", NULL);
	log_wait(all, 5);
	log_wait(late, 2);
	log_wait(one, 2);
	assert_string_equal(log_text(all), "A w1 A w2 M w1 D w1 D w2 ");
	assert_int_equal(all->v[3].n, 2); /* as it was last */
	assert_string_equal(log_text(late), "D w1 D w2 ");
	assert_string_equal(log_text(one), "M w1 D w1 ");
	assert_int_equal(other_kind->n, 0);
	log_stop(all);
	log_stop(late);
	log_stop(one);
	log_stop(other_kind);
}

#define ZONE(z) "{\"metadata\":{\"labels\":{\"zone\":\"" z "\"}},\"spec\":{\"n\":" z "}}"

static void a_change_into_a_selection_adds_and_out_of_it_deletes(void **state)
{
	struct store_filter f = {0};
	int64_t first = write_ok(STORE_CREATE, "l1", ZONE("1"));
	struct log *l;

	(void)state;
	f.labels = json_pack("[{s:s,s:s,s:[s]}]", "key", "zone", "op", "=", "values", "2");
	l = log_start("Database", &f, first - 1);
	json_decref(f.labels);
	write_ok(STORE_UPDATE, "l1", ZONE("2"));
	write_ok(STORE_STATUS, "l1", "{\"status\":{\"x\":1}}");
	write_ok(STORE_UPDATE, "l1", ZONE("1"));
	write_ok(STORE_UPDATE, "l1", ZONE("3"));
	write_ok(STORE_CREATE, "l2", ZONE("2"));
	write_ok(STORE_DELETE, "l1", NULL);
	write_ok(STORE_DELETE, "l2", NULL);
	log_wait(l, 5);
	assert_string_equal(log_text(l), "A l1 M l1 D l1 A l2 D l2 ");
	log_stop(l);
}

static void a_watch_that_missed_compacted_rows_is_told_so(void **state)
{
	int64_t first = write_ok(STORE_CREATE, "c1", "{}");
	int64_t last = write_ok(STORE_DELETE, "c1", NULL);
	struct log *gone, *fine, *future;
	struct err e;

	(void)state;
	assert_true(last == first || last > 0);
	assert_int_equal(store_compact(store, 0, &e), ERR_OK);
	last = write_ok(STORE_CREATE, "c2", "{}");
	gone = log_start(NULL, NULL, first - 1);
	fine = log_start(NULL, NULL, last - 1);
	future = log_start(NULL, NULL, last + 1000);
	log_wait(gone, 1);
	log_wait(fine, 1);
	log_wait(future, 1);
	assert_true(gone->is_gone);
	assert_int_equal(gone->n, 0);
	assert_true(future->is_gone);
	assert_false(fine->is_gone);
	assert_string_equal(log_text(fine), "A c2 ");
	write_ok(STORE_DELETE, "c2", NULL);
	log_wait(fine, 2);
	assert_int_equal(gone->n, 0);
	log_stop(gone);
	log_stop(fine);
	log_stop(future);
}

enum { WRITERS = 8, KILLS = 4, ACKS_BETWEEN = 300 };

/* One object of one writer, and the truth about it. */
struct writer {
	pthread_t thread;
	int id;
	int64_t n; /* spec.n as acknowledged last; 0: not there */
	size_t acked, doubtful, unavailable;
	struct seen *acks; /* what watches must tell, each exactly once */
};

static atomic_bool is_over;
static atomic_size_t acks;

/* After an error: what is there in truth. */
static int64_t look(const char *name)
{
	json_t *o = NULL;
	struct err e;
	int64_t n = 0;

	for (;;) {
		enum err_code code =
			store_get(store, (struct store_key){"Database", "shop", name}, &o, &e);

		if (code == ERR_OK)
			n = jv_int(o, "spec.n", -1);
		json_decref(o);
		if (code == ERR_OK || code == ERR_NOT_FOUND)
			return n;
	}
}

static void *write_on(void *arg)
{
	struct writer *w = arg;
	char name[32], text[64];

	snprintf(name, sizeof(name), "k%d", w->id);
	for (int64_t next = 1; !is_over && w->acked < LOG_MAX / WRITERS; next++) {
		enum store_verb verb = w->n == 0 ? STORE_CREATE
			: next % 5 == 0          ? STORE_DELETE
						 : STORE_UPDATE;
		int64_t becomes = verb == STORE_DELETE ? 0 : next, revision = 0;
		struct err e;

		snprintf(text, sizeof(text), "{\"spec\":{\"n\":%" PRId64 "}}", next);
		if (storetest_write(
			    store, verb, name, verb == STORE_DELETE ? NULL : text, &revision, &e) ==
		    ERR_OK) {
			struct seen *ack = &w->acks[w->acked++];

			*ack = (struct seen){
				verb == STORE_CREATE           ? STORE_ADDED
					: verb == STORE_DELETE ? STORE_DELETED
							       : STORE_MODIFIED,
				revision, verb == STORE_DELETE ? w->n : next, ""};
			snprintf(ack->name, sizeof(ack->name), "%s", name);
			w->n = becomes;
			acks++;
		} else if (strstr(e.text, "is not known")) {
			w->doubtful++;
			w->n = look(name);
		} else { /* it says that nothing was written */
			w->unavailable++;
			if (look(name) != w->n)
				abort();
		}
	}
	return NULL;
}

static const struct seen *find(const struct log *l, int64_t revision)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (l->v[mid].revision < revision)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n && l->v[lo].revision == revision ? &l->v[lo] : NULL;
}

static void check_acks(const struct log *l, const struct writer *w)
{
	for (size_t i = 0; i < w->acked; i++) {
		const struct seen *ack = &w->acks[i], *s = find(l, ack->revision);

		/* a deletion's acknowledged object is the one that was: its revision is older */
		if (ack->type == STORE_DELETED)
			continue;
		assert_non_null(s);
		assert_int_equal(s->type, ack->type);
		assert_int_equal(s->n, ack->n);
		assert_string_equal(s->name, ack->name);
	}
}

/* Plays the events: each must fit the state before it, and the last state is what is stored. */
static void check_story(const struct log *l, const struct writer *writers)
{
	int64_t n[WRITERS] = {0}, last = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct seen *s = &l->v[i];
		int id = s->name[1] - '0';

		assert_true(s->revision > last);
		assert_true(s->n > 0);
		last = s->revision;
		assert_true((n[id] == 0) == (s->type == STORE_ADDED));
		n[id] = s->type == STORE_DELETED ? 0 : s->n;
	}
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(n[i], writers[i].n);
}

static void kills_of_the_database_lose_no_write_and_no_event(void **state)
{
	struct writer writers[WRITERS] = {0};
	int64_t start = write_ok(STORE_CREATE, "start", "{}");
	struct log *l[2] = {log_start("Database", NULL, start), log_start(NULL, NULL, start)};
	size_t acked = 0, doubtful = 0, unavailable = 0;
	int64_t end;

	(void)state;
	is_over = false;
	acks = 0;
	for (int i = 0; i < WRITERS; i++) {
		writers[i].id = i;
		writers[i].acks = mem_alloc(LOG_MAX / WRITERS * sizeof(*writers[i].acks));
		pthread_create(&writers[i].thread, NULL, write_on, &writers[i]);
	}
	for (size_t kill = 1; kill <= KILLS; kill++) {
		size_t goal = acks + ACKS_BETWEEN;
		int64_t deadline = clock_mono_ms() + WAIT_MS;

		while (acks < goal && clock_mono_ms() < deadline)
			sched_yield();
		assert_true(acks >= goal);
		pgtest_kill(&pg);
		pgtest_restart(&pg);
	}
	is_over = true;
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		acked += writers[i].acked;
		doubtful += writers[i].doubtful;
		unavailable += writers[i].unavailable;
	}
	end = write_ok(STORE_UPDATE, "start", "{\"spec\":{\"n\":1}}");
	for (int i = 0; i < 2; i++) {
		log_wait_revision(l[i], end);
		assert_string_equal(l[i]->v[l[i]->n - 1].name, "start");
		l[i]->n--;
		check_story(l[i], writers);
		for (size_t j = 0; j < WRITERS; j++)
			check_acks(l[i], &writers[j]);
		log_stop(l[i]);
	}
	printf("acked=%zu not-written=%zu unknown=%zu\n", acked, unavailable, doubtful);
	assert_int_equal(doubtful, 0); /* the server was back in time to ask it */
	for (int i = 0; i < WRITERS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "k%d", i);
		assert_int_equal(look(name), writers[i].n);
		free(writers[i].acks);
	}
}

static void the_store_says_when_the_database_is_away(void **state)
{
	json_t *o = NULL;
	struct err e;
	int retry_s = 0;

	(void)state;
	write_ok(STORE_CREATE, "up", "{}");
	assert_true(store_is_up(store, &retry_s));
	pgtest_kill(&pg);
	assert_int_equal(
		store_get(store, (struct store_key){"Database", "shop", "up"}, &o, &e),
		ERR_UNAVAILABLE);
	assert_int_equal(
		storetest_write(store, STORE_DELETE, "up", NULL, NULL, &e), ERR_UNAVAILABLE);
	assert_int_equal(
		storetest_write(store, STORE_CREATE, "up2", "{}", NULL, &e), ERR_UNAVAILABLE);
	assert_false(store_is_up(store, &retry_s));
	assert_true(retry_s > 0);
	pgtest_restart(&pg);
	write_ok(STORE_DELETE, "up", NULL);
	assert_true(store_is_up(store, &retry_s));
}

static int begin(void **state)
{
	(void)state;
	store = storetest_open(&pg);
	return 0;
}

static int end(void **state)
{
	(void)state;
	storetest_close(store);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watch_tells_what_came_after_its_revision),
		cmocka_unit_test(a_change_into_a_selection_adds_and_out_of_it_deletes),
		cmocka_unit_test(a_watch_that_missed_compacted_rows_is_told_so),
		cmocka_unit_test(kills_of_the_database_lose_no_write_and_no_event),
		cmocka_unit_test(the_store_says_when_the_database_is_away),
	};
	int failed = 0;

	for (const int *major = pgtest_majors(); *major; major++) {
		pgtest_start(&pg, *major, NULL);
		failed += cmocka_run_group_tests(tests, begin, end);
		pgtest_stop(&pg);
	}
	return failed;
}
