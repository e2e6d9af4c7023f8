/*
 * load: sends one kind of request from many clients at once, and says how it went in one JSON line.
 *
 *   load URL METHOD PATH BODY CLIENTS FIRST COUNT [CA [TOKEN]]
 *
 * BODY and CA are files ("-" for none). In PATH and BODY "%n" stands for the request's number and
 * "%b" for base64 of it in six digits, for APIs that want keys so. Each client is a thread with a
 * connection of its own that stays open; any status but 2xx is an error.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "http/client.h"

enum { CLIENTS_MAX = 256, FILE_MAX_BYTES = 4 << 20, CALL_MS = 60000 };

struct load {
	struct http_client_conf conf;
	const char *method;
	struct str path, body;
	int64_t first, count;
	atomic_int_fast64_t next, errors, bytes;
	int64_t *took_us; /* [count] */
	char trouble[256]; /* of the first error */
};

static void must(enum err_code code, const struct err *e)
{
	if (code == ERR_OK)
		return;
	fprintf(stderr, "load: %s\n", e->text);
	exit(1);
}

/* base64 of six digits is eight letters without padding. */
static void put_base64(struct buf *out, int64_t n)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char digits[24];

	snprintf(digits, sizeof(digits), "%06" PRId64, n % 1000000);
	for (int i = 0; i < 6; i += 3) {
		unsigned bits = (unsigned)digits[i] << 16 | (unsigned)digits[i + 1] << 8 |
			(unsigned)digits[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			buf_putc(out, letters[bits >> shift & 63]);
	}
}

static void fill(struct buf *out, struct str template, int64_t n)
{
	buf_clear(out);
	for (size_t i = 0; i < template.n; i++) {
		if (template.p[i] != '%' || i + 1 == template.n) {
			buf_putc(out, template.p[i]);
			continue;
		}
		if (template.p[++i] == 'n')
			buf_printf(out, "%" PRId64, n);
		else if (template.p[i] == 'b')
			put_base64(out, n);
	}
}

static void note_error(struct load *l, int status, const char *text)
{
	if (atomic_fetch_add(&l->errors, 1) == 0)
		snprintf(l->trouble, sizeof(l->trouble), "%d %.200s", status, text);
}

static void *client_run(void *arg)
{
	struct load *l = arg;
	struct http_client *c = NULL;
	struct buf path = {0}, body = {0};
	struct err e = {0};
	int64_t i;

	must(http_client_new(&l->conf, &c, &e), &e);
	while ((i = atomic_fetch_add(&l->next, 1)) < l->count) {
		struct http_reply reply = {0};
		int64_t start = clock_mono_us();

		fill(&path, l->path, l->first + i);
		fill(&body, l->body, l->first + i);
		if (http_client_call(
			    c, l->method, path.p, body.n ? "application/json" : NULL,
			    buf_view(&body), &reply, &e))
			note_error(l, 0, e.text);
		else if (reply.status / 100 != 2)
			note_error(l, reply.status, reply.body.p ? reply.body.p : "");
		l->took_us[i] = clock_mono_us() - start;
		atomic_fetch_add(&l->bytes, (int64_t)reply.body.n);
		buf_done(&reply.body);
	}
	buf_done(&path);
	buf_done(&body);
	http_client_free(c);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t run(struct load *l, int clients)
{
	pthread_t threads[CLIENTS_MAX];
	int64_t start = clock_mono_us();

	for (int i = 0; i < clients; i++)
		if (pthread_create(&threads[i], NULL, client_run, l))
			abort();
	for (int i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	return clock_mono_us() - start;
}

static void say(struct load *l, int64_t took_us)
{
	qsort(l->took_us, (size_t)l->count, sizeof(*l->took_us), by_size);
	printf("{\"count\":%" PRId64 ",\"errors\":%" PRId64 ",\"seconds\":%.4f,\"per_second\":%.1f,"
	       "\"p50_us\":%" PRId64 ",\"p99_us\":%" PRId64 ",\"bytes\":%" PRId64 "}\n",
	       l->count, (int64_t)l->errors, (double)took_us / 1e6,
	       (double)l->count * 1e6 / (double)took_us, l->took_us[l->count / 2],
	       l->took_us[l->count * 99 / 100], (int64_t)l->bytes);
	if (l->errors)
		fprintf(stderr, "load: first error: %s\n", l->trouble);
}

static struct str read_arg(struct arena *a, const char *path)
{
	struct str s = STR("");
	struct err e;

	if (strcmp(path, "-") != 0)
		must(file_read(a, path, FILE_MAX_BYTES, &s, &e), &e);
	return s;
}

int main(int argc, char **argv)
{
	struct load l = {.conf = {.timeout_ms = CALL_MS}};
	CLEANUP(arena_done) struct arena a = {0};
	int64_t clients;

	if (argc < 8 || !str_to_i64(str_of(argv[5]), &clients) || clients < 1 ||
	    clients > CLIENTS_MAX || !str_to_i64(str_of(argv[6]), &l.first) ||
	    !str_to_i64(str_of(argv[7]), &l.count) || l.count < 1) {
		fprintf(stderr,
			"usage: load URL METHOD PATH BODY CLIENTS FIRST COUNT [CA [TOKEN]]\n");
		return 1;
	}
	l.conf.base_url = argv[1];
	l.method = argv[2];
	l.path = str_of(argv[3]);
	l.body = read_arg(&a, argv[4]);
	if (argc > 8 && strcmp(argv[8], "-") != 0)
		l.conf.ca_pem = read_arg(&a, argv[8]).p;
	if (argc > 9)
		l.conf.token = argv[9];
	l.took_us = arena_alloc(&a, (size_t)l.count * sizeof(*l.took_us));
	say(&l, run(&l, (int)clients));
	return l.errors ? 1 : 0;
}
