/*
 * The HTTPS server beside libmicrohttpd alone (a trivial handler on its event threads, no checks,
 * no workers): what our safety costs.
 *
 *   throughput   16 connections, the next request as soon as the answer is there
 *   reports      1,000 connections, each POSTs 2 KB once a second: CPU as a part of one core
 *   memory       2,000 connections that have asked once; 2,000 open streams
 *
 * Servers run in processes of their own, so that their CPU and memory can be told apart.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "http/server.h"
#include "http/tls.h"
#include "net/ca.h"

enum { RUNS = 3, BUSY = 16, HOSTS = 1000, IDLE = 2000, BUSY_MS = 3000, REPORT_MS = 8000 };

static const char answer[] = "{\"members\":10,\"message\":\"nothing new\"}";
static struct arena arena;
static struct ca_cert ca, cert;
static struct err err;

static void NORETURN fail(const char *what)
{
	fprintf(stderr, "bench_http: %s: %s %s\n", what, strerror(errno), err.text);
	exit(1);
}

/* --- the servers, each in a child --- */

static void handle(void *ctx, struct http_request *rq, struct http_response *rs)
{
	(void)ctx;
	if (strcmp(rq->path, "/stream") == 0) {
		rs->stream = http_stream_new(rq, 65536, NULL, NULL);
		http_stream_write(rs->stream, STR("{\"type\":\"ping\"}\n"));
		return;
	}
	buf_puts(&rs->body, answer);
}

static bool is_quick(void *ctx, const char *method, const char *path)
{
	(void)ctx;
	(void)method;
	return strcmp(path, "/quick") == 0;
}

static uint16_t serve_ours(void)
{
	struct http_server_conf c = {
		.address = "127.0.0.1",
		.cert_pem = cert.cert_pem,
		.key_pem = cert.key_pem,
		.client_ca_pem = ca.cert_pem,
		.handler = handle,
		.is_quick = is_quick};
	struct http_server *s;

	if (http_server_start(&c, &s, &err) != ERR_OK)
		fail("server");
	return http_server_port(s);
}

static enum MHD_Result bare_on_data(
	void *arg, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *n, void **slot)
{
	static int seen;
	struct MHD_Response *r;
	enum MHD_Result ret;

	(void)arg;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!*slot || *n) {
		*slot = &seen;
		*n = 0;
		return MHD_YES;
	}
	r = MHD_create_response_from_buffer(
		sizeof(answer) - 1, (void *)(uintptr_t)answer, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(r, "Content-Type", "application/json");
	ret = MHD_queue_response(c, 200, r);
	MHD_destroy_response(r);
	return ret;
}

static uint16_t serve_bare(void)
{
	struct MHD_Daemon *d = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS, 0, NULL, NULL, bare_on_data, NULL,
		MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_HTTPS_MEM_CERT, cert.cert_pem,
		MHD_OPTION_HTTPS_MEM_KEY, cert.key_pem, MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITIES,
		MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_END);

	if (!d)
		fail("libmicrohttpd");
	return MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
}

struct child {
	pid_t pid;
	uint16_t port;
};

static struct child child_start(uint16_t (*serve)(void))
{
	struct child c;
	int fds[2];

	if (pipe(fds) < 0 || (c.pid = fork()) < 0)
		fail("fork");
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mallopt(M_ARENA_MAX, 2); /* as slipway does */
		malloc_trim(0); /* what our parent left */
		c.port = serve();
		if (write(fds[1], &c.port, sizeof(c.port)) < 0)
			fail("pipe");
		for (;;)
			pause();
	}
	close(fds[1]);
	if (read(fds[0], &c.port, sizeof(c.port)) != sizeof(c.port))
		fail("server child");
	close(fds[0]);
	return c;
}

static void child_stop(struct child c)
{
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
}

static double child_cpu_s(struct child c)
{
	clockid_t clock;
	struct timespec t;

	if (clock_getcpuclockid(c.pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		fail("CPU time");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double child_rss_kib(struct child c)
{
	char path[64], line[128];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", c.pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %lf", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* --- the clients --- */

struct conn {
	int fd;
	SSL *ssl;
	int asked;
};

static SSL_CTX *client_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static struct conn conn_open(SSL_CTX *ctx, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct conn c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	int one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (c.fd < 0 || connect(c.fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		fail("connect");
	setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c.ssl = SSL_new(ctx);
	SSL_set_fd(c.ssl, c.fd);
	if (SSL_connect(c.ssl) != 1)
		fail("handshake");
	return c;
}

static struct conn *conns_open(SSL_CTX *ctx, uint16_t port, int n)
{
	struct conn *all = mem_alloc((size_t)n * sizeof(*all));

	for (int i = 0; i < n; i++)
		all[i] = conn_open(ctx, port);
	return all;
}

static void conns_close(struct conn *all, int n)
{
	for (int i = 0; i < n; i++) {
		SSL_free(all[i].ssl);
		close(all[i].fd);
	}
	free(all);
}

static struct buf request_for(const char *path, size_t body)
{
	struct buf b = {0};

	if (!body)
		buf_printf(&b, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	else
		buf_printf(
			&b,
			"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n"
			"Content-Type: application/json\r\nUser-Agent: slipway/0.1.0\r\n"
			"Accept: application/json\r\n\r\n",
			path, body);
	for (size_t i = 0; i < body; i++)
		buf_putc(&b, 'x');
	return b;
}

static void ask(struct conn *c, const struct buf *rq)
{
	if (SSL_write(c->ssl, rq->p, (int)rq->n) != (int)rq->n)
		fail("write");
	c->asked++;
}

/* Reads what is there; true once the end of an answer has come. */
static bool hear(struct conn *c, const char *end)
{
	char part[4096];
	int n;

	while ((n = SSL_read(c->ssl, part, sizeof(part))) > 0)
		if (memmem(part, (size_t)n, end, strlen(end)))
			return true;
	if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
		fail("the server closed");
	return false;
}

static int watch_all(struct conn *all, int n)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	for (int i = 0; i < n; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &all[i]};

		fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, all[i].fd, &ev) < 0)
			fail("epoll");
	}
	return epoll_fd;
}

/* --- what is measured --- */

struct figures {
	double per_s;
	double cpu_us; /* of the server, a request */
};

static int busy_round(int epoll_fd, const struct buf *rq)
{
	struct epoll_event got[BUSY];
	int n = epoll_wait(epoll_fd, got, BUSY, 1000), answers = 0;

	for (int i = 0; i < n; i++)
		if (hear(got[i].data.ptr, "new\"}")) {
			answers++;
			ask(got[i].data.ptr, rq);
		}
	return answers;
}

static struct figures throughput(struct child server, const char *path)
{
	SSL_CTX *ctx = client_ctx();
	struct conn *all = conns_open(ctx, server.port, BUSY);
	struct buf rq = request_for(path, 0);
	int epoll_fd = watch_all(all, BUSY), answers = 0;
	double cpu = child_cpu_s(server);
	int64_t start = clock_mono_us(), us;

	for (int i = 0; i < BUSY; i++)
		ask(&all[i], &rq);
	while ((us = clock_mono_us() - start) < BUSY_MS * 1000)
		answers += busy_round(epoll_fd, &rq);
	cpu = child_cpu_s(server) - cpu;
	close(epoll_fd);
	conns_close(all, BUSY);
	SSL_CTX_free(ctx);
	buf_done(&rq);
	return (struct figures){answers / ((double)us / 1e6), cpu * 1e6 / answers};
}

/* One connection after the other, evenly over each second. Gives the server's part of one core. */
static double reports(struct child server, const char *path)
{
	SSL_CTX *ctx = client_ctx();
	struct conn *all = conns_open(ctx, server.port, HOSTS);
	struct buf rq = request_for(path, 2048);
	int epoll_fd = watch_all(all, HOSTS), sent = 0, heard = 0;
	int64_t start = clock_mono_us(), us;
	double cpu = child_cpu_s(server);

	while ((us = clock_mono_us() - start) < REPORT_MS * 1000) {
		struct epoll_event got[64];
		int n = epoll_wait(epoll_fd, got, 64, 1);

		for (int i = 0; i < n; i++)
			heard += hear(got[i].data.ptr, "new\"}");
		for (; sent < us * HOSTS / 1000000; sent++)
			ask(&all[sent % HOSTS], &rq);
	}
	cpu = child_cpu_s(server) - cpu;
	if (heard < sent * 9 / 10)
		fail("the server is late");
	close(epoll_fd);
	conns_close(all, HOSTS);
	SSL_CTX_free(ctx);
	buf_done(&rq);
	return cpu * 100 / ((double)us / 1e6);
}

static double handshake_us(struct child server)
{
	SSL_CTX *ctx = client_ctx();
	double cpu = child_cpu_s(server);
	int n = 500;

	for (int i = 0; i < n; i++) {
		struct conn c = conn_open(ctx, server.port);

		SSL_free(c.ssl);
		close(c.fd);
	}
	SSL_CTX_free(ctx);
	return (child_cpu_s(server) - cpu) * 1e6 / n;
}

/* KiB of the server's memory that one connection keeps. */
static double idle_kib(struct child server, const char *path, const char *end)
{
	SSL_CTX *ctx = client_ctx();
	struct conn *warm = conns_open(ctx, server.port, 50), *all;
	struct buf rq = request_for(path, 0);
	double kib;

	for (int i = 0; i < 50; i++) {
		ask(&warm[i], &rq);
		hear(&warm[i], end);
	}
	kib = child_rss_kib(server);
	all = conns_open(ctx, server.port, IDLE);
	for (int i = 0; i < IDLE; i++) {
		ask(&all[i], &rq);
		hear(&all[i], end);
	}
	kib = (child_rss_kib(server) - kib) / IDLE;
	conns_close(warm, 50);
	conns_close(all, IDLE);
	SSL_CTX_free(ctx);
	buf_done(&rq);
	return kib;
}

/* --- what is said --- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double v[RUNS])
{
	qsort(v, RUNS, sizeof(v[0]), by_size);
	return v[RUNS / 2];
}

static void
say(const char *what, double ours[RUNS], double theirs[RUNS], const char *unit, const char *better)
{
	double us = median(ours), them = median(theirs);

	printf("{\"bench\":\"http\",\"case\":\"%s\",\"ours\":%.4g,\"peer\":\"libmicrohttpd %s\","
	       "\"theirs\":%.4g,\"unit\":\"%s\",\"better\":\"%s\",\"ratio\":%.3g,\"runs\":%d}\n",
	       what, us, MHD_get_version(), them, unit, better, us / them, RUNS);
	fflush(stdout);
}

static double rate_of(struct child c, const char *path)
{
	return throughput(c, path).per_s;
}

static double cpu_of(struct child c, const char *path)
{
	return throughput(c, path).cpu_us;
}

static double handshake_of(struct child c, const char *path)
{
	(void)path;
	return handshake_us(c);
}

static double idle_of(struct child c, const char *path)
{
	return idle_kib(c, path, strcmp(path, "/stream") == 0 ? "ping\"}" : "new\"}");
}

static const struct measure {
	const char *what, *path, *unit, *better;
	double (*of)(struct child c, const char *path);
} measures[] = {
	{"throughput/16/worker", "/x", "requests/s", "higher", rate_of},
	{"throughput/16/quick", "/quick", "requests/s", "higher", rate_of},
	{"cpu/16/worker", "/x", "us/request", "lower", cpu_of},
	{"cpu/16/quick", "/quick", "us/request", "lower", cpu_of},
	{"cpu/handshake", "/x", "us", "lower", handshake_of},
	{"reports/1000x2KB/worker", "/x", "% of a core", "lower", reports},
	{"reports/1000x2KB/quick", "/quick", "% of a core", "lower", reports},
	{"memory/2000/idle", "/x", "KiB/connection", "lower", idle_of},
	{"memory/2000/stream", "/stream", "KiB/connection", "lower", idle_of},
};

static void measure_one(const struct measure *m)
{
	double ours[RUNS], theirs[RUNS];

	for (int i = 0; i < RUNS; i++) {
		struct child us = child_start(serve_ours), them = child_start(serve_bare);
		bool is_stream = strcmp(m->path, "/stream") == 0;

		ours[i] = m->of(us, m->path);
		/* it has no streams: its idle connections are the floor */
		theirs[i] = m->of(them, is_stream ? "/x" : m->path);
		child_stop(us);
		child_stop(them);
	}
	say(m->what, ours, theirs, m->unit, m->better);
}

/* With words: only the cases that have one of them in their name. */
static bool is_wanted(const struct measure *m, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strstr(m->what, argv[i]))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	const char *hosts[] = {"localhost", "127.0.0.1", NULL};
	struct ca_name name = {"api", "slipway:servers", hosts, 30};
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (ca_new(&arena, "bench", &ca, &err) != ERR_OK ||
	    ca_issue(&arena, &ca, &name, &cert, &err) != ERR_OK)
		fail("certificates");
	if (argc == 2 && strcmp(argv[1], "--serve") == 0) { /* to be looked at with other tools */
		printf("%u\n", serve_ours());
		fflush(stdout);
		pause();
	}
	for (size_t i = 0; i < ARRAY_LEN(measures); i++)
		if (is_wanted(&measures[i], argc, argv))
			measure_one(&measures[i]);
	arena_done(&arena);
	return 0;
}
