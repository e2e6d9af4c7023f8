/* The blocking client of http/client.h: one libcurl handle, kept with its connections. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "http/client.h"
#include "http/handle.h"
#include "http/lines.h"

enum { BODY_MAX_BYTES = 64 * 1024 * 1024, ERROR_MAX_BYTES = 64 * 1024 };

struct http_client {
	struct http_client_conf conf;
	CURL *curl;
	char why[CURL_ERROR_SIZE];
};

/* What comes of one request, as bytes or as lines. */
struct intake {
	CURL *curl;
	struct buf body;
	bool is_over; /* more came than we take */
	http_line *on_line; /* NULL: collect */
	void *arg;
	struct lines lines;
	bool is_stopped; /* on_line said false */
	int idle_ms;
	int64_t last_ms;
	bool is_idle; /* nothing came for idle_ms */
};

enum err_code
http_client_new(const struct http_client_conf *c, struct http_client **ret, struct err *e)
{
	struct http_client *h;
	enum err_code code = handle_init(e);

	if (code != ERR_OK)
		return code;
	h = mem_alloc(sizeof(*h));
	h->conf = handle_conf_copy(c);
	h->curl = handle_new(&h->conf, h->why);
	*ret = h;
	return ERR_OK;
}

void http_client_free(struct http_client *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	handle_conf_done(&h->conf);
	free(h);
}

static size_t collect(struct intake *in, struct str bytes, size_t max)
{
	in->is_over = bytes.n > max - in->body.n;
	if (in->is_over)
		return 0; /* fewer than came: libcurl ends the transfer */
	buf_str(&in->body, bytes);
	return bytes.n;
}

static size_t on_bytes(char *p, size_t size, size_t n, void *arg)
{
	struct intake *in = arg;
	struct str bytes = {p, size * n};
	long status = 0;
	enum lines_end end;

	in->last_ms = clock_mono_ms();
	if (!in->on_line)
		return collect(in, bytes, BODY_MAX_BYTES);
	curl_easy_getinfo(in->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return collect(in, bytes, ERROR_MAX_BYTES);
	end = lines_feed(&in->lines, bytes, in->on_line, in->arg);
	in->is_stopped = end == LINES_STOP;
	in->is_over = end == LINES_TOO_LONG;
	return end == LINES_MORE ? bytes.n : 0;
}

/* libcurl asks at least once a second. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct intake *in = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	in->is_idle = in->idle_ms && clock_mono_ms() - in->last_ms > in->idle_ms;
	return in->is_idle;
}

static enum err_code
perform(struct http_client *h, const struct handle_request *rq, struct intake *in, struct err *e)
{
	struct curl_slist *headers;
	CURLcode no;

	in->curl = h->curl;
	in->last_ms = clock_mono_ms();
	h->why[0] = '\0';
	handle_prepare(h->curl, &h->conf, rq, &headers);
	curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, in);
	curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h->curl, CURLOPT_XFERINFODATA, in);
	curl_easy_setopt(h->curl, CURLOPT_NOPROGRESS, in->idle_ms ? 0L : 1L);
	curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, in->on_line ? 0L : (long)h->conf.timeout_ms);
	no = curl_easy_perform(h->curl);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (no == CURLE_OK || in->is_stopped)
		return ERR_OK;
	if (in->is_over)
		return err_set(
			e, ERR_LIMIT, "%s: the answer is larger than we take", h->conf.base_url);
	if (in->is_idle)
		return err_set(
			e, ERR_TIMEOUT, "%s: nothing came for %d ms", h->conf.base_url,
			in->idle_ms);
	return handle_error(&h->conf, no, h->why, e);
}

static long status_of(struct http_client *h)
{
	long status = 0;

	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static void reply_fill(struct http_client *h, struct intake *in, struct http_reply *ret)
{
	const char *type = NULL;
	curl_off_t retry = 0;

	curl_easy_getinfo(h->curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &retry);
	*ret = (struct http_reply){
		.status = (int)status_of(h),
		.body = in->body,
		.retry_after_s = (int)MIN(retry, (curl_off_t)86400)};
	snprintf(ret->content_type, sizeof(ret->content_type), "%s", type ? type : "");
}

enum err_code http_client_call(
	struct http_client *h, const char *method, const char *path_and_query,
	const char *content_type, struct str body, struct http_reply *ret, struct err *e)
{
	struct handle_request rq = {method, path_and_query, content_type, body};
	struct intake in = {0};
	enum err_code code = perform(h, &rq, &in, e);

	if (code == ERR_OK)
		reply_fill(h, &in, ret);
	else
		buf_done(&in.body);
	return code;
}

enum err_code http_client_stream(
	struct http_client *h, const char *path_and_query, int idle_ms, http_line *on_line,
	void *arg, int *ret_status, struct err *e)
{
	struct handle_request rq = {"GET", path_and_query, NULL, {NULL, 0}};
	struct intake in = {.on_line = on_line, .arg = arg, .idle_ms = idle_ms};
	enum err_code code = perform(h, &rq, &in, e);

	if (code == ERR_OK) {
		*ret_status = (int)status_of(h);
		if (*ret_status != 200)
			err_set(e, ERR_OK, "%s", buf_view(&in.body).p);
	}
	lines_done(&in.lines);
	buf_done(&in.body);
	return code;
}
