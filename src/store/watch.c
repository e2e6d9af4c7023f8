#include "store/watch.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "store/filter.h"
#include "store/object.h"

enum {
	ROUND_MS = 5, /* at most one look in this time, so that a storm of writes is read in bulk */
	LOOK_MS = 10000, /* a look without a NOTIFY, should one get lost on its way */
	BOOKMARK_MS = 30000,
	RETRY_MIN_MS = 50,
	RETRY_MAX_MS = 1000,
};

struct watcher {
	struct sessions *sessions;
	const struct secret_key *key;
	pthread_t thread;
	int wake_fd;
	pthread_mutex_t lock; /* held over each call of on_event */
	/* under the lock: */
	struct list watches; /* of struct store_watch */
	bool is_closing;
	/* the thread's own: */
	struct db *db; /* NULL: none now */
	int retry_ms;
	int64_t round_ms; /* when the last round began */
	struct buf text; /* of the row at hand; empty: not made yet */
	struct buf kinds; /* that the round reads, as an array of SQL; empty: all */
};

struct store_watch {
	struct list of_watcher;
	struct watcher *watcher;
	char *kind; /* NULL: all */
	struct filter filter;
	store_on_event *on_event;
	void *arg;
	int64_t position;
	int64_t told; /* the last revision that the owner has heard of */
	int64_t told_ms;
	bool is_in_round; /* the rows that are read now begin at or before its position */
	bool is_dead;
};

/* Rows that one look reads at most. */
#define ROWS_MAX 500
#define STRINGIFY(x) STRINGIFY_(x)
#define STRINGIFY_(x) #x

/* A row of change_log as the statement below gives it. */
enum column {
	COMPACTED,
	NEWEST,
	REVISION,
	TYPE,
	KIND,
	NAMESPACE,
	NAME,
	UID,
	OLD_LABELS,
	LABELS,
	BODY
};

static const char rows_sql[] =
	"SELECT (SELECT revision FROM slipway.compaction), (SELECT n FROM slipway.revision),"
	" l.revision, l.type, l.kind, l.namespace, l.name, l.uid, l.old_labels, l.labels, l.body"
	" FROM (SELECT) one LEFT JOIN (SELECT * FROM slipway.change_log WHERE revision > $1::bigint"
	" AND ($2::text[] IS NULL OR kind = ANY ($2::text[])) ORDER BY revision LIMIT " STRINGIFY(
		ROWS_MAX) ") l ON true ORDER BY l.revision";

static void wake(struct watcher *w)
{
	uint64_t one = 1;

	if (write(w->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is full: awake already */
}

static void tell(struct store_watch *watch, const struct store_event *ev)
{
	watch->told = ev->revision;
	watch->told_ms = clock_mono_ms();
	watch->on_event(watch->arg, ev, ERR_OK);
}

static void tell_gone(struct store_watch *watch)
{
	watch->is_dead = true;
	watch->on_event(watch->arg, NULL, ERR_GONE);
}

static struct str text_or_null(const struct db_rows *row, int c)
{
	return db_is_null(row, 0, (int)c) ? (struct str){0} : db_text(row, 0, (int)c);
}

/* As Kubernetes does it, a change into a selection is an addition to it, and a change out of it is
 * a deletion from it. Says false when the watch does not see the row at all. */
static bool
event_type(const struct store_watch *watch, const struct db_rows *row, enum store_event_type *ret)
{
	char type = *db_text(row, 0, TYPE).p;
	const json_t *labels = watch->filter.labels;
	bool was, is;

	if (watch->kind && !str_is(db_text(row, 0, KIND), watch->kind))
		return false;
	if (!filter_takes_name(&watch->filter, db_text(row, 0, NAMESPACE), db_text(row, 0, NAME)))
		return false;
	was = type != 'A' && filter_takes_labels(labels, text_or_null(row, OLD_LABELS));
	is = type != 'D' && filter_takes_labels(labels, text_or_null(row, LABELS));
	*ret = !was ? STORE_ADDED : is ? STORE_MODIFIED : STORE_DELETED;
	return was || is;
}

/* The row's object; without its data, should that not open. */
static struct str text_of(struct watcher *w, const struct db_rows *row)
{
	struct store_key key = {
		db_text(row, 0, KIND).p, db_text(row, 0, NAMESPACE).p, db_text(row, 0, NAME).p};
	CLEANUP(jv_drop) json_t *o = NULL;
	int64_t revision = db_int(row, 0, REVISION);
	struct err e;

	if (w->text.n)
		return buf_view(&w->text);
	if (object_text(&w->text, db_text(row, 0, BODY), revision, key, w->key, &e) == ERR_OK)
		return buf_view(&w->text);
	log_error(
		"watch: object cannot be opened", "revision=%" PRId64 " why=%s", revision,
		log_q(e.text));
	buf_clear(&w->text);
	if (jv_parse(db_text(row, 0, BODY), SIZE_MAX, &o, &e) == ERR_OK) {
		json_object_del(o, "data");
		object_set_revision(o, revision);
		jv_print(&w->text, o, false);
	}
	return buf_view(&w->text);
}

static void hand_over(struct watcher *w, struct store_watch *watch, const struct db_rows *row)
{
	struct store_event ev = {.revision = db_int(row, 0, REVISION)};

	if (ev.revision <= watch->position)
		return;
	watch->position = ev.revision;
	if (!event_type(watch, row, &ev.type))
		return;
	ev.kind = db_text(row, 0, KIND).p;
	ev.ns = db_text(row, 0, NAMESPACE).p;
	ev.name = db_text(row, 0, NAME).p;
	ev.uid = db_text(row, 0, UID).p;
	ev.text = text_of(w, row);
	tell(watch, &ev);
}

struct round {
	struct watcher *watcher;
	int rows;
	bool is_seen; /* its first row has told what is compacted */
	int64_t newest; /* every revision up to it is visible in the round's snapshot */
};

#define for_each_in_round(watch, w)                                                                \
	list_for_each (at_##watch, &(w)->watches)                                                  \
		for (struct store_watch *watch =                                                   \
			     list_entry(at_##watch, struct store_watch, of_watcher);               \
		     watch && watch->is_in_round && !watch->is_dead; watch = NULL)

static bool on_row(void *arg, const struct db_rows *row)
{
	struct round *r = arg;
	struct watcher *w = r->watcher;
	int64_t compacted = db_int(row, 0, COMPACTED);
	bool has_change = !db_is_null(row, 0, REVISION);

	buf_clear(&w->text);
	pthread_mutex_lock(&w->lock);
	if (!r->is_seen) {
		r->newest = db_int(row, 0, NEWEST);
		for_each_in_round(watch, w)
		{
			/* ahead of the newest: the database is another one now */
			if (watch->position < compacted || watch->position > r->newest)
				tell_gone(watch);
		}
	}
	if (has_change) {
		for_each_in_round(watch, w)
		{
			hand_over(w, watch, row);
		}
		r->rows++;
	}
	r->is_seen = true;
	pthread_mutex_unlock(&w->lock);
	return true;
}

/* Adds a kind to an array of SQL, {"Database","Host"}, unless it is in it. */
static void add_kind(struct buf *kinds, const char *kind)
{
	CLEANUP(buf_done) struct buf quoted = {0};

	buf_putc(&quoted, '"');
	for (; *kind; kind++) {
		if (*kind == '"' || *kind == '\\')
			buf_putc(&quoted, '\\');
		buf_putc(&quoted, *kind);
	}
	buf_putc(&quoted, '"');
	if (kinds->n && memmem(kinds->p, kinds->n, quoted.p, quoted.n))
		return;
	if (kinds->n)
		kinds->p[kinds->n - 1] = ',';
	else
		buf_putc(kinds, '{');
	buf_str(kinds, buf_view(&quoted));
	buf_putc(kinds, '}');
}

/* Takes all watches into the round, and notes from where and of which kinds it is; false: there are
 * none. */
static bool round_begin(struct watcher *w, int64_t *ret_from)
{
	int64_t from = INT64_MAX;
	bool is_all = false;

	buf_clear(&w->kinds);
	pthread_mutex_lock(&w->lock);
	list_for_each (at, &w->watches) {
		struct store_watch *watch = list_entry(at, struct store_watch, of_watcher);

		watch->is_in_round = true;
		if (watch->is_dead)
			continue;
		from = MIN(from, watch->position);
		is_all |= !watch->kind;
		if (watch->kind)
			add_kind(&w->kinds, watch->kind);
	}
	pthread_mutex_unlock(&w->lock);
	if (is_all)
		buf_clear(&w->kinds);
	*ret_from = from;
	return from < INT64_MAX;
}

/* All has been handed over up to that revision. */
static void round_end(struct watcher *w, int64_t newest)
{
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&w->lock);
	for_each_in_round(watch, w)
	{
		struct store_event ev = {
			.type = STORE_BOOKMARK, .revision = newest, .kind = watch->kind};

		watch->position = newest;
		if (watch->position > watch->told && now - watch->told_ms >= BOOKMARK_MS)
			tell(watch, &ev);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Reads and hands over what is new, up to ROWS_MAX rows; *ret_has_more says that there may be more.
 */
static enum err_code look(struct watcher *w, int64_t from, bool *ret_has_more, struct err *e)
{
	struct round r = {.watcher = w};
	char text[24];
	const char *params[] = {text, w->kinds.n ? w->kinds.p : NULL};
	enum err_code code;

	snprintf(text, sizeof(text), "%" PRId64, from);
	code = db_stream(w->db, "change_log", rows_sql, params, 2, on_row, &r, e);
	*ret_has_more = r.rows == ROWS_MAX;
	if (code == ERR_OK && !*ret_has_more)
		round_end(w, r.newest);
	return sessions_note(w->sessions, code);
}

static enum err_code connect(struct watcher *w, struct err *e)
{
	enum err_code code = ERR_OK;

	if (w->db)
		return ERR_OK;
	code = sessions_open(w->sessions, &w->db, e);
	if (code == ERR_OK)
		code = db_script(w->db, "LISTEN slipway", e);
	return code;
}

static void disconnect(struct watcher *w)
{
	db_close(w->db);
	w->db = NULL;
}

/* Waits until woken, or for at most that long. */
static void rest(struct watcher *w, int64_t ms)
{
	struct pollfd p = {.fd = w->wake_fd, .events = POLLIN};

	poll(&p, 1, (int)ms);
}

static void lose(struct watcher *w, const struct err *e)
{
	if (w->retry_ms == 0)
		log_warn("watches wait for the database", "why=%s", log_q(e->text));
	w->retry_ms = MIN(MAX(w->retry_ms * 2, RETRY_MIN_MS), RETRY_MAX_MS);
	disconnect(w);
	rest(w, w->retry_ms);
}

static bool is_closing(struct watcher *w)
{
	uint64_t count;
	bool is;

	if (read(w->wake_fd, &count, sizeof(count)) < 0)
		count = 0; /* nobody woke us */
	pthread_mutex_lock(&w->lock);
	is = w->is_closing;
	pthread_mutex_unlock(&w->lock);
	return is;
}

static void *run(void *arg)
{
	struct watcher *w = arg;

	while (!is_closing(w)) {
		bool has_more = false;
		int64_t from;
		struct err e;

		if (!round_begin(w, &from)) {
			disconnect(w);
			rest(w, -1);
			continue;
		}
		poll(NULL, 0, (int)MAX(0, w->round_ms + ROUND_MS - clock_mono_ms()));
		w->round_ms = clock_mono_ms();
		if (connect(w, &e) != ERR_OK || look(w, from, &has_more, &e) != ERR_OK) {
			lose(w, &e);
			continue;
		}
		if (w->retry_ms)
			log_info("watches go on", "revision=%" PRId64, from);
		w->retry_ms = 0;
		if (!has_more && db_listen_wait(w->db, w->wake_fd, LOOK_MS, &e) != ERR_OK)
			lose(w, &e);
	}
	return NULL;
}

struct watcher *watcher_new(struct sessions *s, const struct secret_key *key)
{
	struct watcher *w = mem_alloc(sizeof(*w));

	w->sessions = s;
	w->key = key;
	list_init(&w->watches);
	pthread_mutex_init(&w->lock, NULL);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wake_fd < 0 || pthread_create(&w->thread, NULL, run, w))
		abort(); /* out of descriptors or memory at start */
	return w;
}

void watcher_free(struct watcher *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	assert(list_is_empty(&w->watches));
	w->is_closing = true;
	pthread_mutex_unlock(&w->lock);
	wake(w);
	pthread_join(w->thread, NULL);
	disconnect(w);
	buf_done(&w->text);
	buf_done(&w->kinds);
	fd_drop(&w->wake_fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

enum err_code watcher_start(
	struct watcher *w, const char *kind, const struct store_filter *f, int64_t revision,
	store_on_event *on_event, void *arg, struct store_watch **ret, struct err *e)
{
	struct store_watch *watch;
	enum err_code code = filter_check(f, e);

	if (code != ERR_OK)
		return code;
	watch = mem_alloc(sizeof(*watch));
	watch->watcher = w;
	watch->kind = kind ? mem_strdup(kind) : NULL;
	filter_init(&watch->filter, f);
	watch->on_event = on_event;
	watch->arg = arg;
	watch->position = watch->told = revision;
	watch->told_ms = clock_mono_ms();
	*ret = watch; /* before the first call of on_event, which may want it */
	pthread_mutex_lock(&w->lock);
	list_push_back(&w->watches, &watch->of_watcher);
	pthread_mutex_unlock(&w->lock);
	wake(w);
	return ERR_OK;
}

void store_watch_stop(struct store_watch *watch)
{
	struct watcher *w;

	if (!watch)
		return;
	w = watch->watcher;
	assert(!pthread_equal(pthread_self(), w->thread)); /* on_event must not call the store */
	pthread_mutex_lock(&w->lock);
	list_remove(&watch->of_watcher);
	pthread_mutex_unlock(&w->lock);
	filter_done(&watch->filter);
	free(watch->kind);
	free(watch);
}
