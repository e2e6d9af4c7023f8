#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <time.h>

struct arena arena;
struct ca_cert ca, other_ca, server_cert, zone_cert, foreign_cert, expired_cert;
struct http_server *server;
uint16_t port;
struct err err;

/* What the handlers leave for the tests. */
_Atomic int handled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
struct http_stream *made; /* the stream that the last /stream made */
int gone;
bool is_held; /* /hold waits while this is so */
int holding;

void say(void (*change)(void))
{
	pthread_mutex_lock(&lock);
	change();
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void add_gone(void)
{
	gone++;
}

static void on_gone(void *arg)
{
	(void)arg;
	say(add_gone);
}

/* Waits until *counter is n, at most 5 s. */
bool wait_for(const int *counter, int n)
{
	struct timespec end;
	int no = 0;
	bool ok;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 5;
	pthread_mutex_lock(&lock);
	while (*counter != n && no != ETIMEDOUT)
		no = pthread_cond_timedwait(&changed, &lock, &end);
	ok = *counter == n;
	pthread_mutex_unlock(&lock);
	return ok;
}

static void answer_echo(struct http_request *rq, struct http_response *rs)
{
	const char *x = http_header(rq, "x-test"), *q = http_query(rq, "q");

	buf_printf(
		&rs->body, "%s %s q=%s x=%s n=%zu ", rq->method, rq->path, q ? q : "-", x ? x : "-",
		rq->body.n);
	buf_str(&rs->body, rq->body);
	rs->content_type = "text/plain";
	http_response_header(rs, "X-Answer", "42");
}

static void answer_who(struct http_request *rq, struct http_response *rs)
{
	buf_printf(
		&rs->body, "%s|%s|%s|%s", rq->peer.address, rq->peer.name, rq->peer.group,
		rq->peer.error);
}

static void answer_stream(struct http_request *rq, struct http_response *rs)
{
	const char *max = http_query(rq, "max");

	pthread_mutex_lock(&lock);
	rs->stream = made =
		http_stream_new(rq, max ? strtoul(max, NULL, 10) : 65536, on_gone, NULL);
	pthread_mutex_unlock(&lock);
	http_stream_write(rs->stream, STR("hello\n"));
}

/* A stream that says hello and nothing more, and is closed where its end is told. */
struct silent {
	struct http_stream *stream;
};

static void close_silent(void *arg)
{
	struct silent *s = arg;

	http_stream_close(s->stream);
	free(s);
	say(add_gone);
}

static void answer_silent(struct http_request *rq, struct http_response *rs)
{
	struct silent *s = mem_alloc(sizeof(*s));

	rs->stream = s->stream = http_stream_new(rq, 65536, close_silent, s);
	http_stream_write(rs->stream, STR("hello\n"));
}

static void answer_hold(struct http_request *rq, struct http_response *rs)
{
	pthread_mutex_lock(&lock);
	holding++;
	pthread_cond_broadcast(&changed);
	while (is_held)
		pthread_cond_wait(&changed, &lock);
	holding--;
	pthread_mutex_unlock(&lock);
	buf_puts(&rs->body, rq->path);
}

static void answer_big(struct http_request *rq, struct http_response *rs)
{
	(void)rq;
	buf_reserve(&rs->body, 3 << 20);
	memset(rs->body.p, 'b', 3 << 20);
	rs->body.n = 3 << 20;
}

/* A stream that a thread of its own writes, and closes. */
static void *produce(void *arg)
{
	struct http_stream *s = arg;

	for (int i = 0; i < 200 && http_stream_is_open(s); i++)
		if (!http_stream_write(s, STR("0123456789abcdef\n")))
			break;
	http_stream_close(s);
	return NULL;
}

static void answer_produce(struct http_request *rq, struct http_response *rs)
{
	pthread_t thread;

	rs->stream = http_stream_new(rq, 1 << 20, on_gone, NULL);
	assert_int_equal(pthread_create(&thread, NULL, produce, rs->stream), 0);
	pthread_detach(thread);
}

/* Answers what the query asks for. */
static void answer_status(struct http_request *rq, struct http_response *rs)
{
	const char *retry = http_query(rq, "retry"), *type = http_header(rq, "Content-Type");
	const char *token = http_header(rq, "Authorization"), *accept = http_header(rq, "Accept");

	rs->status = (int)strtol(http_query(rq, "s"), NULL, 10);
	if (retry)
		http_response_header(rs, "Retry-After", retry);
	buf_printf(
		&rs->body, "%s status %d type=%s token=%s accept=%s", rq->method, rs->status,
		type ? type : "-", token ? token : "-", accept ? accept : "-");
}

static const struct {
	const char *path;
	void (*answer)(struct http_request *rq, struct http_response *rs);
} routes[] = {
	{"/who", answer_who},       {"/stream", answer_stream},   {"/hold", answer_hold},
	{"/big", answer_big},       {"/produce", answer_produce}, {"/quick", answer_who},
	{"/status", answer_status}, {"/silent", answer_silent},
};

static void handle(void *ctx, struct http_request *rq, struct http_response *rs)
{
	(void)ctx;
	handled++;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (strcmp(rq->path, routes[i].path) == 0) {
			routes[i].answer(rq, rs);
			return;
		}
	answer_echo(rq, rs);
}

static bool is_quick(void *ctx, const char *method, const char *path)
{
	(void)ctx;
	return strcmp(method, "GET") == 0 && strcmp(path, "/quick") == 0;
}

struct http_server_conf conf(void)
{
	return (struct http_server_conf){
		.address = "127.0.0.1",
		.cert_pem = server_cert.cert_pem,
		.key_pem = server_cert.key_pem,
		.client_ca_pem = ca.cert_pem,
		.workers = 4,
		.max_body = 100000,
		.handler = handle,
		.is_quick = is_quick};
}

int group_start(void **state)
{
	const char *hosts[] = {"localhost", "127.0.0.1", NULL};
	struct ca_name api = {"api", "slipway:servers", hosts, 30};
	struct ca_name zone = {"zone-a", "slipway:hosts", NULL, 30};
	struct ca_name old = {"zone-a", "slipway:hosts", NULL, -1};
	struct http_server_conf c;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (ca_new(&arena, "test", &ca, &err) || ca_new(&arena, "other", &other_ca, &err) ||
	    ca_issue(&arena, &ca, &api, &server_cert, &err) ||
	    ca_issue(&arena, &ca, &zone, &zone_cert, &err) ||
	    ca_issue(&arena, &ca, &old, &expired_cert, &err) ||
	    ca_issue(&arena, &other_ca, &zone, &foreign_cert, &err))
		return -1;
	c = conf();
	if (http_server_start(&c, &server, &err) != ERR_OK) {
		print_error("%s\n", err.text);
		return -1;
	}
	port = http_server_port(server);
	return 0;
}

int group_end(void **state)
{
	(void)state;
	http_server_stop(server);
	arena_done(&arena);
	return 0;
}

void connect_as(struct talk *t, const struct ca_cert *me)
{
	assert_true(talk_open(t, port, ca.cert_pem, me, 0));
}

/* One request on an open connection; the body must be this. */
void ask(struct talk *t, const char *request, int status, const char *body)
{
	struct talk_reply r;

	talk_puts(t, request);
	talk_reply(t, &r);
	assert_int_equal(r.status, status);
	assert_true(r.is_whole);
	if (body)
		assert_string_equal(buf_view(&r.body).p, body);
	talk_reply_done(&r);
}

struct http_stream *stream_open(struct talk *t, const char *request)
{
	connect_as(t, NULL);
	gone = 0;
	talk_puts(t, request);
	assert_true(talk_until(t, "hello\n"));
	return made;
}
