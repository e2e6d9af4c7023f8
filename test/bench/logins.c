/*
 * logins: PostgreSQL clients of a proxy that log in by SCRAM-SHA-256, quicker than libpq can: the
 * key of the password is derived once, so that the proxy is what is measured.
 *
 *   logins connect HOST PORT DB USER PASSWORD plain|tls CLIENTS SECONDS
 *       CLIENTS threads log in, say goodbye, and begin again. {"per_second":…,"logins":…}
 *   logins idle HOST PORT DB USER PASSWORD plain|tls COUNT
 *       holds COUNT connections that asked one query each: {"held":COUNT} when all are there; ends
 *       when its standard input does.
 *   logins soak HOST PORT DB USER PASSWORD plain|tls CLIENTS COUNT
 *       COUNT connections of random lives: some log in and ask, others leave at any point of it,
 *       send what is no message, or a wrong proof. {"lives":COUNT}
 *
 * Connections come from 127.0.0.2 and up, so that ports do not run out. Any trouble ends it, but
 * for a soak's.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KEY = 32, THREADS_MAX = 256, MESSAGE_MAX = 16384, PORTS_OF_ONE = 20000, IDLE_THREADS = 8 };

struct target {
	struct sockaddr_in at;
	const char *database, *user, *password;
	SSL_CTX *tls; /* NULL: plain */
	pthread_once_t once;
	unsigned char client_key[KEY], stored_key[KEY];
};

struct line {
	int fd;
	SSL *tls;
	jmp_buf *end; /* of a life that may end any time; NULL: trouble ends the program */
	bool is_wrong; /* its proof */
	size_t in_n, in_at;
	char in[MESSAGE_MAX];
};

static struct target target = {.once = PTHREAD_ONCE_INIT};
static char salt_and_iterations[128]; /* of the first login; all are the same role's */
static atomic_int_fast64_t opened, done;
static atomic_bool is_over;

static void trouble(struct line *l, const char *what)
{
	if (l->end)
		longjmp(*l->end, 1);
	errx(1, "%s", what);
}

static void send_all(struct line *l, const void *p, size_t n)
{
	ssize_t sent = l->tls ? SSL_write(l->tls, p, (int)n) : write(l->fd, p, n);

	if (sent != (ssize_t)n)
		trouble(l, "cannot send to the server");
}

static void need(struct line *l, size_t n)
{
	if (l->in_at && l->in_n - l->in_at < n) {
		memmove(l->in, l->in + l->in_at, l->in_n - l->in_at);
		l->in_n -= l->in_at;
		l->in_at = 0;
	}
	while (l->in_n - l->in_at < n) {
		size_t room = sizeof(l->in) - l->in_n;
		ssize_t got = l->tls ? SSL_read(l->tls, l->in + l->in_n, (int)room)
				     : read(l->fd, l->in + l->in_n, room);

		if (n > sizeof(l->in) || got <= 0)
			trouble(l, "the server closed the connection");
		l->in_n += (size_t)got;
	}
}

static uint32_t be32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

/* The next message: its type; the body ends with a NUL that is not counted. */
static char receive(struct line *l, char *body, size_t *ret_n)
{
	need(l, 5);

	char type = l->in[l->in_at];
	size_t n = be32(l->in + l->in_at + 1) - 4;

	need(l, 5 + n);
	memcpy(body, l->in + l->in_at + 5, n);
	body[n] = 0;
	l->in_at += 5 + n;
	*ret_n = n;
	if (type == 'E')
		trouble(l, body);
	return type;
}

/* A message of one type byte (0: none, a startup packet), its length and a body. */
static void message(struct line *l, char type, const void *body, size_t n)
{
	char out[1024];
	uint32_t len = htonl((uint32_t)n + 4);
	size_t head = type ? 1 : 0;

	if (n > sizeof(out) - 5)
		errx(1, "a message of %zu bytes", n);
	out[0] = type;
	memcpy(out + head, &len, 4);
	memcpy(out + head + 4, body, n);
	send_all(l, out, head + 4 + n);
}

static void hmac(const void *key, size_t key_n, const void *in, size_t n, unsigned char *ret)
{
	if (!HMAC(EVP_sha256(), key, (int)key_n, in, n, ret, NULL))
		errx(1, "HMAC failed");
}

/* From "s=<salt>,i=<iterations>": slow on purpose, and so done once. */
static void derive(void)
{
	unsigned char salt[96], salted[KEY];
	char *comma = strchr(salt_and_iterations, ',');
	int pad = 0, n;

	*comma = 0;
	for (const char *p = salt_and_iterations + 2; *p; p++)
		pad += *p == '=';
	n = EVP_DecodeBlock(
		salt, (const unsigned char *)salt_and_iterations + 2,
		(int)strlen(salt_and_iterations + 2));
	PKCS5_PBKDF2_HMAC(
		target.password, (int)strlen(target.password), salt, n - pad,
		(int)strtol(comma + 3, NULL, 10), EVP_sha256(), KEY, salted);
	hmac(salted, KEY, "Client Key", 10, target.client_key);
	EVP_Digest(target.client_key, KEY, target.stored_key, NULL, EVP_sha256(), NULL);
}

static void prove(struct line *l, const char *nonce, const char *first)
{
	char text[1024], final[512];
	unsigned char proof[KEY];
	const char *salt = strstr(first, ",s=");
	int n;

	if (!salt || strlen(salt) > sizeof(salt_and_iterations) || salt - first > 400)
		errx(1, "no SCRAM message: %s", first);
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	if (!salt_and_iterations[0])
		memcpy(salt_and_iterations, salt + 1, strlen(salt));
	pthread_mutex_unlock(&lock);
	pthread_once(&target.once, derive);
	n = snprintf(final, sizeof(final), "c=biws,%.*s", (int)(salt - first), first);
	snprintf(text, sizeof(text), "n=,r=%s,%.400s,%s", nonce, first, final);
	hmac(target.stored_key, KEY, text, strlen(text), proof);
	if (l->is_wrong)
		proof[0] ^= 1;
	for (int i = 0; i < KEY; i++)
		proof[i] ^= target.client_key[i];
	n += snprintf(final + n, sizeof(final) - (size_t)n, ",p=");
	n += EVP_EncodeBlock((unsigned char *) final + n, proof, KEY);
	message(l, 'p', final, (size_t)n);
}

static void authenticate(struct line *l, int64_t number)
{
	char body[MESSAGE_MAX], nonce[32], out[128];
	size_t n;

	snprintf(nonce, sizeof(nonce), "%024ld", (long)number);
	while (receive(l, body, &n) == 'R' && be32(body) != 0) {
		if (be32(body) == 10) {
			int first = snprintf(
				out, sizeof(out), "SCRAM-SHA-256%c....n,,n=,r=%s", 0, nonce);
			uint32_t len = htonl((uint32_t)first - 18);

			memcpy(out + 14, &len, 4);
			message(l, 'p', out, (size_t)first);
		} else if (be32(body) == 11) {
			prove(l, nonce, body + 4);
		}
	}
}

static void connect_to(struct line *l, int64_t number)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int one = 1;

	from.sin_addr.s_addr = htonl(0x7f000002 + (uint32_t)(number / PORTS_OF_ONE) % 200);
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		err(1, "socket");
	setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(l->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		err(1, "bind");
	if (connect(l->fd, (const struct sockaddr *)&target.at, sizeof(target.at)) < 0)
		err(1, "connect");
}

static void start_tls(struct line *l)
{
	char answer;

	message(l, 0, "\x04\xd2\x16\x2f", 4);
	if (read(l->fd, &answer, 1) != 1 || answer != 'S')
		trouble(l, "the server does not want TLS");
	l->tls = SSL_new(target.tls);
	SSL_set_fd(l->tls, l->fd);
	if (SSL_connect(l->tls) != 1)
		trouble(l, "no TLS with the server");
}

static void until_ready(struct line *l)
{
	char body[MESSAGE_MAX];
	size_t n;

	while (receive(l, body, &n) != 'Z')
		;
}

static void open_line(struct line *l, int64_t number)
{
	l->in_n = l->in_at = 0;
	l->tls = NULL;
	connect_to(l, number);
}

static void start(struct line *l)
{
	char text[512];
	int n = snprintf(
		text, sizeof(text), "%c\003%c%cuser%c%s%cdatabase%c%s%c", 0, 0, 0, 0, target.user,
		0, 0, target.database, 0);

	message(l, 0, text, (size_t)n + 1);
}

static void login(struct line *l)
{
	int64_t number = atomic_fetch_add(&opened, 1);

	open_line(l, number);
	if (target.tls)
		start_tls(l);
	start(l);
	authenticate(l, number);
	until_ready(l);
}

static void leave(struct line *l)
{
	if (l->tls) {
		SSL_set_quiet_shutdown(l->tls, 1);
		SSL_free(l->tls);
	}
	close(l->fd);
}

static void goodbye(struct line *l)
{
	message(l, 'X', "", 0);
	leave(l);
}

static void *log_in_and_out(void *unused)
{
	struct line *l = calloc(1, sizeof(*l));

	while (!atomic_load(&is_over)) {
		login(l);
		goodbye(l);
		atomic_fetch_add(&done, 1);
	}
	free(l);
	return NULL;
}

/* One of the lives that a connection may have; it ends anywhere. */
static void live(struct line *l, int64_t number, unsigned *dice)
{
	char some[64];
	unsigned until = (unsigned)rand_r(dice) % 12;

	for (size_t i = 0; i < sizeof(some); i++)
		some[i] = (char)rand_r(dice);
	if (target.tls && rand_r(dice) % 4)
		start_tls(l);
	if (until == 1)
		send_all(l, some, 1 + (size_t)rand_r(dice) % sizeof(some));
	if (until == 2)
		send_all(l, "\0\0\0\x40\0\003\0\0user", 12);
	if (until == 3)
		send_all(l, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
	if (until < 4)
		return;
	start(l);
	if (until == 4)
		return;
	l->is_wrong = until == 5;
	authenticate(l, number);
	if (until == 5)
		return;
	until_ready(l);
	if (until == 6)
		send_all(l, "Q\0\0\x10\0select", 11);
	if (until == 7)
		send_all(l, "P\0\0\0\x11one\0select 1\0\0\0", 19);
	if (until == 8)
		message(l, 'Q', "select repeat('x', 100000)", 27);
	if (until == 9)
		message(l, 'Q', "begin; create temp table t (a int)", 35);
	if (until < 10)
		return;
	message(l, 'Q', "select 1", 9);
	until_ready(l);
	message(l, 'X', "", 0);
}

static void *live_lives(void *count)
{
	struct line *l = calloc(1, sizeof(*l));
	unsigned dice = (unsigned)atomic_fetch_add(&done, 1);

	for (int64_t number; (number = atomic_fetch_add(&opened, 1)) < *(long *)count;) {
		jmp_buf end;

		open_line(l, number);
		l->is_wrong = false;
		l->end = &end;
		if (!setjmp(end))
			live(l, number, &dice);
		leave(l);
	}
	free(l);
	return NULL;
}

static void *hold_some(void *count)
{
	struct line *l = calloc(1, sizeof(*l));

	for (long i = *(long *)count; i > 0; i--) {
		login(l);
		message(l, 'Q', "select 1", 9);
		until_ready(l);
		atomic_fetch_add(&done, 1);
	}
	free(l);
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_all(int threads, void *(*f)(void *), void *arg, double seconds)
{
	pthread_t of[THREADS_MAX];

	for (int i = 0; i < threads; i++)
		if (pthread_create(&of[i], NULL, f, arg))
			errx(1, "no thread");
	if (seconds > 0) {
		struct timespec t = {
			(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

		nanosleep(&t, NULL);
		atomic_store(&is_over, true);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(of[i], NULL);
}

static void connect_bench(int clients, double seconds)
{
	double start = now();

	run_all(clients, log_in_and_out, NULL, seconds);
	printf("{\"per_second\":%.1f,\"logins\":%ld}\n", (double)done / (now() - start),
	       (long)done);
}

static void soak_bench(int clients, long count)
{
	run_all(clients, live_lives, &count, 0);
	printf("{\"lives\":%ld}\n", count);
}

static void idle_bench(long count)
{
	long each = count / IDLE_THREADS;
	char c;

	run_all(IDLE_THREADS, hold_some, &each, 0);
	printf("{\"held\":%ld}\n", (long)done);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	_exit(0); /* at once, with all that is open */
}

int main(int argc, char **argv)
{
	if (argc < 9)
		errx(2,
		     "usage: logins connect|idle|soak HOST PORT DB USER PASSWORD plain|tls COUNT "
		     "[SECONDS]");
	signal(SIGPIPE, SIG_IGN);
	target.at = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(argv[3], NULL, 10))};
	if (inet_pton(AF_INET, argv[2], &target.at.sin_addr) != 1)
		errx(2, "'%s' is no address", argv[2]);
	target.database = argv[4];
	target.user = argv[5];
	target.password = argv[6];
	if (!strcmp(argv[7], "tls")) {
		target.tls = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_session_cache_mode(target.tls, SSL_SESS_CACHE_OFF);
	}
	if (!strcmp(argv[1], "connect"))
		connect_bench((int)strtol(argv[8], NULL, 10), argc > 9 ? strtod(argv[9], NULL) : 3);
	else if (!strcmp(argv[1], "soak"))
		soak_bench(
			(int)strtol(argv[8], NULL, 10),
			argc > 9 ? strtol(argv[9], NULL, 10) : 1000);
	else
		idle_bench(strtol(argv[8], NULL, 10));
	return 0;
}
