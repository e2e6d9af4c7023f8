#include "http/exchange.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wake.h"
#include "http/peer.h"
#include "http/strict.h"
#include "http/target.h"

enum {
	DRAIN_MAX_BYTES = 16 * 1024 * 1024, /* of a body too large: read, to be heard with a 413 */
	ID_MAX_BYTES = 64,
	/* Up to here libmicrohttpd sends head and body in one go, and we in one packet. */
	TOGETHER_BYTES = 1000,
};

enum exchange_state {
	EXCHANGE_HEAD, /* the target is here */
	EXCHANGE_BODY, /* the head was fine */
	EXCHANGE_RUNNING, /* a worker has it; the connection is suspended */
	EXCHANGE_READY, /* the handler has returned */
	EXCHANGE_SENT, /* the response is libmicrohttpd's */
};

struct response_header {
	struct response_header *next;
	const char *name;
	const char *value;
};

struct exchange {
	struct workers_job job;
	struct exchange_core *core;
	struct MHD_Connection *connection;
	struct peer *peer;
	enum exchange_state state; /* a resume hands it over */
	struct arena arena;
	struct str target; /* raw */
	struct strict_header *headers; /* copies */
	size_t headers_n;
	struct buf body;
	size_t seen; /* bytes of the body, also of one that is too large */
	struct http_request rq;
	struct http_response rs;
	struct http_stream *stream; /* what http_stream_new made */
};

void exchange_core_init(struct exchange_core *core)
{

	pthread_mutex_init(&core->lock, NULL);
	pthread_cond_init(&core->ended, NULL);
	if (getrandom(&core->epoch, sizeof(core->epoch), 0) < 0)
		core->epoch = (uint32_t)time(NULL);
}

void exchange_core_done(struct exchange_core *core)
{
	pthread_mutex_destroy(&core->lock);
	pthread_cond_destroy(&core->ended);
}

void exchange_core_drain(struct exchange_core *core, int timeout_ms)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;

	pthread_mutex_lock(&core->lock);
	while (core->running && wake_wait(&core->ended, &core->lock, until_ms))
		;
	pthread_mutex_unlock(&core->lock);
}

static void count(struct exchange_core *core, int more)
{
	pthread_mutex_lock(&core->lock);
	core->running += (size_t)more;
	if (core->running == 0)
		pthread_cond_broadcast(&core->ended);
	pthread_mutex_unlock(&core->lock);
}

void *exchange_on_target(void *arg, const char *target, struct MHD_Connection *c)
{
	struct exchange *x = mem_alloc(sizeof(*x));

	x->core = arg;
	x->connection = c;
	x->peer = peer_of(c);
	x->peer->exchange = x;
	x->target = str_of(arena_strdup(&x->arena, target ? target : ""));
	count(x->core, 1);
	return x;
}

static void exchange_free(struct exchange *x)
{
	struct exchange_core *core = x->core;

	if (x->stream)
		stream_detach(x->stream);
	x->peer->exchange = NULL;
	buf_done(&x->body);
	buf_done(&x->rs.body);
	arena_done(&x->arena);
	free(x);
	count(core, -1);
}

void exchange_on_completed(
	void *arg, struct MHD_Connection *c, void **slot, enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *slot;

	(void)arg;
	(void)c;
	(void)why;
	*slot = NULL;
	if (x)
		exchange_free(x);
}

void exchange_on_connection(
	void *arg, struct MHD_Connection *c, void **slot, enum MHD_ConnectionNotificationCode what)
{
	struct exchange_core *core = arg;
	struct peer *p = *slot;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*slot = peer_new(c, core->tls, core->handshake_ms);
		return;
	}
	if (p->exchange) /* a few of libmicrohttpd's error paths do not say "completed" */
		exchange_free(p->exchange);
	peer_free(p);
	*slot = NULL;
}

/* Takes the bytes over where they were malloc'd; frees nothing of the exchange. */
static enum MHD_Result queue(struct exchange *x, unsigned status, struct MHD_Response *r)
{
	enum MHD_Result ret = MHD_queue_response(x->connection, status, r);

	MHD_destroy_response(r);
	x->state = EXCHANGE_SENT;
	return ret;
}

/* Before any handler: one sentence, and the connection ends. */
static enum MHD_Result refuse(struct exchange *x, unsigned status, const char *why)
{
	char *text = mem_printf("%s\n", why);
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);

	MHD_add_response_header(r, "Content-Type", "text/plain");
	MHD_add_response_header(r, "Connection", "close");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, "Retry-After", "1");
	log_debug(
		"request refused", "peer=%s status=%u reason=%s", x->peer->address, status,
		log_q(why));
	return queue(x, status, r);
}

struct head_walk {
	struct strict_header at[STRICT_HEADERS_MAX];
	size_t n;
	bool is_over;
};

static enum MHD_Result walk_header(
	void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
	size_t value_n)
{
	struct head_walk *w = arg;

	(void)kind;
	w->is_over = w->n == STRICT_HEADERS_MAX;
	if (w->is_over)
		return MHD_NO;
	w->at[w->n++] = (struct strict_header){{name, name_n}, {value, value_n}};
	return MHD_YES;
}

static void headers_copy(struct exchange *x, const struct head_walk *w)
{
	x->headers_n = w->n;
	x->headers = arena_array(&x->arena, struct strict_header, w->n);
	for (size_t i = 0; i < w->n; i++) {
		struct str name = w->at[i].name, value = str_trim(w->at[i].value);

		x->headers[i].name.p = arena_strndup(&x->arena, name.p, name.n);
		x->headers[i].name.n = name.n;
		x->headers[i].value.p = arena_strndup(&x->arena, value.p, value.n);
		x->headers[i].value.n = value.n;
	}
}

const char *http_header(const struct http_request *rq, const char *name)
{
	const struct exchange *x = rq->impl;

	for (size_t i = 0; i < x->headers_n; i++)
		if (strcasecmp(x->headers[i].name.p, name) == 0)
			return x->headers[i].value.p;
	return NULL;
}

const char *http_query(const struct http_request *rq, const char *name)
{
	const struct exchange *x = rq->impl;

	return target_query(rq->arena, x->target, name);
}

static bool is_id(const char *s)
{
	size_t n = 0;

	for (; s && s[n] && n <= ID_MAX_BYTES; n++)
		if (!isalnum((unsigned char)s[n]) && !strchr("-_.", s[n]))
			return false;
	return n > 0 && n <= ID_MAX_BYTES;
}

static const char *id_make(struct exchange *x)
{
	const char *sent = http_header(&x->rq, "X-Request-Id");

	if (is_id(sent))
		return sent;
	return arena_printf(
		&x->arena, "%08x-%llx", x->core->epoch, (unsigned long long)++x->core->serial);
}

static void request_fill(struct exchange *x, const char *method)
{
	x->rq.arena = x->rs.arena = &x->arena;
	x->rq.impl = x;
	x->rq.method = arena_strdup(&x->arena, method);
	x->rq.path = target_path(&x->arena, x->target);
	x->rq.peer = peer_identify(x->peer, x->connection);
	x->rq.id = id_make(x);
}

/* A body that is announced to be too large: read to its end where that is little, so that the
 * client hears the answer; else refused at once. */
static bool must_refuse_length(const struct exchange *x, const struct strict_head *h)
{
	uint64_t n = 0;

	str_to_u64(strict_find(h, "Content-Length"), &n);
	return n > x->core->max_body && (n > DRAIN_MAX_BYTES || strict_find(h, "Expect").p);
}

static enum MHD_Result on_head(struct exchange *x, const char *method, const char *version)
{
	struct head_walk w = {.n = 0};
	struct strict_head h = {
		.method = method, .target = x->target, .version = version, .headers = w.at};
	const char *why = target_why(x->target);

	MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, walk_header, &w);
	h.n = w.n;
	h.bytes = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			  ->header_size;
	if (w.is_over)
		return refuse(x, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers");
	if (!why)
		why = strict_why(&h);
	if (why)
		return refuse(x, MHD_HTTP_BAD_REQUEST, why);
	if (must_refuse_length(x, &h))
		return refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
	headers_copy(x, &w);
	request_fill(x, method);
	x->state = EXCHANGE_BODY;
	return MHD_YES;
}

static enum MHD_Result on_body(struct exchange *x, const char *data, size_t *n)
{
	x->seen += *n;
	if (x->seen > DRAIN_MAX_BYTES)
		return MHD_NO; /* ends the connection: no answer can be sent from here */
	if (x->seen <= x->core->max_body)
		buf_add(&x->body, data, *n);
	else
		buf_done(&x->body);
	*n = 0;
	return MHD_YES;
}

static void run_handler(struct exchange *x)
{
	x->rq.body = buf_view(&x->body);
	x->core->handler(x->core->ctx, &x->rq, &x->rs);
}

static void run_job(struct workers_job *job)
{
	struct exchange *x = container_of(job, struct exchange, job);

	run_handler(x);
	x->state = EXCHANGE_READY;
	turner_resume(x->peer->loop, x->connection); /* from here on it is the event thread's */
}

struct http_stream *
http_stream_new(struct http_request *rq, size_t max_bytes, void (*on_gone)(void *arg), void *arg)
{
	struct exchange *x = rq->impl;

	assert(!x->stream); /* one a request */
	x->stream = stream_new(x->core->streams, max_bytes, on_gone, arg);
	return x->stream;
}

void http_response_header(struct http_response *rs, const char *name, const char *value)
{
	struct response_header *h = arena_new(rs->arena, struct response_header);

	h->name = arena_strdup(rs->arena, name);
	h->value = arena_strdup(rs->arena, value);
	h->next = rs->impl;
	rs->impl = h;
}

static struct MHD_Response *response_make(struct exchange *x)
{
	struct buf body = x->rs.body;

	if (x->rs.stream) {
		assert(x->rs.stream == x->stream);
		return stream_attach(x->stream, x->peer->loop, x->connection, x->peer->wire.fd);
	}
	x->rs.body = (struct buf){0};
	if (x->core->tls && body.n && body.n < TOGETHER_BYTES && strcmp(x->rq.method, "HEAD") != 0)
		wire_hold(&x->peer->wire);
	return MHD_create_response_from_buffer(body.n, body.p, MHD_RESPMEM_MUST_FREE);
}

/* A value with a line's end in it is a bug of the handler; the header is left out. */
static void add_header(struct MHD_Response *r, const char *name, const char *value)
{
	if (MHD_add_response_header(r, name, value) != MHD_YES)
		log_warn("response header left out", "name=%s", log_q(name));
}

static enum MHD_Result send_response(struct exchange *x)
{
	struct MHD_Response *r = response_make(x);
	unsigned status = x->rs.status ? (unsigned)x->rs.status : MHD_HTTP_OK;

	add_header(r, "Content-Type", x->rs.content_type ? x->rs.content_type : "application/json");
	add_header(r, "X-Request-Id", x->rq.id);
	for (struct response_header *h = x->rs.impl; h; h = h->next)
		add_header(r, h->name, h->value);
	buf_done(&x->body);
	arena_done(&x->arena);
	return queue(x, status, r);
}

static enum MHD_Result on_end(struct exchange *x)
{
	struct exchange_core *core = x->core;

	if (core->is_stopping)
		return refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is stopping");
	if (x->seen > core->max_body)
		return refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
	if (core->is_quick && core->is_quick(core->ctx, x->rq.method, x->rq.path)) {
		run_handler(x);
		return send_response(x);
	}
	x->state = EXCHANGE_RUNNING;
	x->job.run = run_job;
	MHD_suspend_connection(x->connection);
	if (!workers_put(core->workers, &x->job)) { /* stopped since we looked */
		x->rs.status = MHD_HTTP_SERVICE_UNAVAILABLE;
		x->state = EXCHANGE_READY;
		turner_resume(x->peer->loop, x->connection);
	}
	return MHD_YES;
}

enum MHD_Result exchange_on_data(
	void *arg, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *n, void **slot)
{
	struct exchange *x = *slot;

	(void)arg;
	(void)c;
	(void)url;
	switch (x->state) {
	case EXCHANGE_HEAD:
		return on_head(x, method, version);
	case EXCHANGE_BODY:
		return *n ? on_body(x, data, n) : on_end(x);
	case EXCHANGE_READY:
		return send_response(x);
	case EXCHANGE_RUNNING:
	case EXCHANGE_SENT:
		break;
	}
	*n = 0;
	return MHD_YES;
}
