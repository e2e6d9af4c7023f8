#include "http/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/list.h"
#include "http/hangup.h"

enum {
	KEEP_BYTES = 4096, /* an empty buffer of more than this is given back */
	BLOCK_BYTES = 1024, /* libmicrohttpd's own buffer; HTTP/1.1 does without it */
};

struct streams {
	struct hangups *hangups;
	pthread_mutex_t lock; /* taken before a stream's */
	struct list attached;
	bool is_ended;
};

struct http_stream {
	pthread_mutex_t lock;
	pthread_cond_t told;
	struct streams *all;
	struct list at;
	struct hangup hangup;
	struct turner *loop; /* of the connection */
	struct MHD_Connection *connection; /* NULL: not attached, or no longer */
	struct buf out;
	size_t out_at; /* what stands before it has been sent */
	size_t max_bytes;
	unsigned holds;
	bool is_parked; /* its connection is suspended; whoever clears this resumes it */
	bool is_closed; /* by its producer */
	bool is_ended; /* by the server */
	bool is_gone; /* the client has gone, or was cut off */
	bool is_telling; /* on_gone runs, on the thread `teller` */
	pthread_t teller;
	void (*on_gone)(void *arg);
	void *arg;
};

static void unhold(struct http_stream *s)
{
	bool is_last;

	pthread_mutex_lock(&s->lock);
	is_last = --s->holds == 0;
	pthread_mutex_unlock(&s->lock);
	if (!is_last)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->told);
	buf_done(&s->out);
	free(s);
}

/* With the lock held. */
static void unpark(struct http_stream *s)
{
	if (!s->is_parked)
		return;
	s->is_parked = false;
	turner_resume(s->loop, s->connection);
}

/* With the lock held: nothing more will be sent. A connection that is not parked may wait for a
 * client that does not read: only its socket's end wakes it. */
static void cut(struct http_stream *s)
{
	if (s->is_gone)
		return;
	s->is_gone = true;
	buf_done(&s->out);
	s->out_at = 0;
	if (s->is_parked)
		unpark(s);
	else if (s->connection)
		shutdown(s->hangup.fd, SHUT_RDWR);
}

static void stream_on_hangup(struct hangup *w)
{
	struct http_stream *s = container_of(w, struct http_stream, hangup);

	pthread_mutex_lock(&s->lock);
	cut(s);
	pthread_mutex_unlock(&s->lock);
}

static void stream_on_released(struct hangup *w)
{
	unhold(container_of(w, struct http_stream, hangup));
}

/* With the lock held: moves at most max bytes out. */
static size_t take(struct http_stream *s, char *to, size_t max)
{
	size_t n = MIN(s->out.n - s->out_at, max);

	if (n == 0)
		return 0;
	memcpy(to, s->out.p + s->out_at, n);
	s->out_at += n;
	if (s->out_at < s->out.n)
		return n;
	s->out_at = 0;
	buf_clear(&s->out);
	if (s->out.cap > KEEP_BYTES)
		buf_done(&s->out);
	return n;
}

/* libmicrohttpd's reader, on the event thread. It may suspend its own connection, and only it. */
static ssize_t stream_read(void *arg, uint64_t pos, char *to, size_t max)
{
	struct http_stream *s = arg;
	ssize_t n;

	(void)pos;
	pthread_mutex_lock(&s->lock);
	n = (ssize_t)take(s, to, max);
	if (s->is_gone) {
		n = MHD_CONTENT_READER_END_WITH_ERROR;
	} else if (n == 0 && (s->is_closed || s->is_ended)) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (n == 0) {
		MHD_suspend_connection(s->connection);
		s->is_parked = true;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

enum err_code streams_start(struct streams **ret, struct err *e)
{
	struct hangups *hangups;
	enum err_code code = hangups_start(&hangups, e);
	struct streams *all;

	if (code != ERR_OK)
		return code;
	all = mem_alloc(sizeof(*all));
	all->hangups = hangups;
	pthread_mutex_init(&all->lock, NULL);
	list_init(&all->attached);
	*ret = all;
	return ERR_OK;
}

void streams_end(struct streams *all)
{
	pthread_mutex_lock(&all->lock);
	all->is_ended = true;
	list_for_each (at, &all->attached) {
		struct http_stream *s = list_entry(at, struct http_stream, at);

		pthread_mutex_lock(&s->lock);
		s->is_ended = true;
		unpark(s);
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&all->lock);
}

void streams_stop(struct streams *all)
{
	assert(list_is_empty(&all->attached));
	hangups_stop(all->hangups);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

struct http_stream *
stream_new(struct streams *all, size_t max_bytes, void (*on_gone)(void *arg), void *arg)
{
	struct http_stream *s = mem_alloc(sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->told, NULL);
	list_init(&s->at);
	s->all = all;
	s->hangup.fd = -1;
	s->hangup.on_hangup = stream_on_hangup;
	s->hangup.released = stream_on_released;
	s->max_bytes = max_bytes;
	s->holds = 2;
	s->on_gone = on_gone;
	s->arg = arg;
	return s;
}

struct MHD_Response *
stream_attach(struct http_stream *s, struct turner *l, struct MHD_Connection *c, int fd)
{
	struct streams *all = s->all;

	pthread_mutex_lock(&all->lock);
	pthread_mutex_lock(&s->lock);
	list_push_back(&all->attached, &s->at);
	s->is_ended = all->is_ended;
	s->loop = l;
	s->connection = c;
	s->hangup.fd = fd;
	s->holds++; /* for the watch */
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&all->lock);
	hangup_add(all->hangups, &s->hangup);
	return MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, stream_read, s, NULL);
}

/* Says whether it was attached. */
static bool unlink_stream(struct http_stream *s)
{
	struct streams *all = s->all;
	bool was_attached;

	pthread_mutex_lock(&all->lock);
	pthread_mutex_lock(&s->lock);
	list_remove(&s->at);
	was_attached = s->connection != NULL;
	s->connection = NULL;
	s->is_parked = false;
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&all->lock);
	return was_attached;
}

static void tell(struct http_stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_gone = true;
	buf_done(&s->out);
	s->out_at = 0;
	if (!s->is_closed && s->on_gone) {
		s->is_telling = true;
		s->teller = pthread_self();
		pthread_mutex_unlock(&s->lock);
		s->on_gone(s->arg);
		pthread_mutex_lock(&s->lock);
		s->is_telling = false;
		pthread_cond_broadcast(&s->told);
	}
	pthread_mutex_unlock(&s->lock);
}

void stream_detach(struct http_stream *s)
{
	if (unlink_stream(s))
		hangup_drop(s->all->hangups, &s->hangup);
	tell(s);
	unhold(s);
}

bool http_stream_write(struct http_stream *s, struct str bytes)
{
	bool ok;

	pthread_mutex_lock(&s->lock);
	assert(!s->is_closed);
	if (!s->is_gone && !s->is_ended && bytes.n > s->max_bytes - (s->out.n - s->out_at))
		cut(s);
	ok = !s->is_gone && !s->is_ended;
	if (ok && bytes.n) {
		if (s->out_at > s->out.n / 2) {
			buf_cut_front(&s->out, s->out_at);
			s->out_at = 0;
		}
		buf_str(&s->out, bytes);
		unpark(s);
	}
	pthread_mutex_unlock(&s->lock);
	return ok;
}

bool http_stream_is_open(const struct http_stream *stream)
{
	struct http_stream *s = (struct http_stream *)(uintptr_t)stream; /* for the lock alone */
	bool ok;

	pthread_mutex_lock(&s->lock);
	ok = !s->is_gone && !s->is_ended;
	pthread_mutex_unlock(&s->lock);
	return ok;
}

void http_stream_close(struct http_stream *s)
{
	pthread_mutex_lock(&s->lock);
	assert(!s->is_closed);
	s->is_closed = true;
	while (s->is_telling && !pthread_equal(s->teller, pthread_self()))
		pthread_cond_wait(&s->told, &s->lock);
	unpark(s);
	pthread_mutex_unlock(&s->lock);
	unhold(s);
}
