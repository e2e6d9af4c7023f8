#include "tlspair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/bio.h>

#define ALPN "postgresql"

struct tls_world tls_world;
static struct err err;

void tlspair_start(struct tlspair *p, struct tlsio *server, struct tlsio *client)
{
	*p = (struct tlspair){.server = server, .client = client};
	p->client_status =
		tlsio_feed(client, NULL, 0, &p->client_got, &p->to_server, &p->client_err);
}

/* What the plain end wrote into its BIO. */
static void raw_flush(struct tlspair *p)
{
	char bytes[4096];
	int n;

	while ((n = BIO_read(SSL_get_wbio(p->raw), bytes, sizeof(bytes))) > 0)
		buf_add(&p->to_server, bytes, (size_t)n);
}

static void raw_feed(struct tlspair *p, const char *bytes, size_t n)
{
	char plain[4096];
	int got = -1, ended;

	BIO_write(SSL_get_rbio(p->raw), bytes, (int)n);
	if (SSL_is_init_finished(p->raw) || SSL_do_handshake(p->raw) == 1)
		while ((got = SSL_read(p->raw, plain, sizeof(plain))) > 0)
			buf_add(&p->client_got, plain, (size_t)got);
	ended = SSL_get_error(p->raw, got);
	if (ended == SSL_ERROR_ZERO_RETURN)
		p->client_status = TLSIO_END;
	else if (ended != SSL_ERROR_WANT_READ)
		p->client_status = TLSIO_BROKEN;
	raw_flush(p);
}

void tlspair_start_raw(struct tlspair *p, struct tlsio *server, SSL *client)
{
	*p = (struct tlspair){.server = server, .raw = client};
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	raw_feed(p, "", 0);
}

/* Takes a piece off the front into a copy of its own, so that reading behind it is noticed. */
static struct str take(struct buf *b, size_t piece)
{
	struct str s = {NULL, MIN(b->n, piece)};
	char *copy = mem_alloc(s.n);

	memcpy(copy, b->p, s.n);
	buf_cut_front(b, s.n);
	s.p = copy;
	return s;
}

static void to_server(struct tlspair *p, size_t piece)
{
	struct str s = take(&p->to_server, piece);

	p->server_status =
		tlsio_feed(p->server, s.p, s.n, &p->server_got, &p->to_client, &p->server_err);
	free((char *)s.p);
}

static void to_client(struct tlspair *p, size_t piece)
{
	struct str s = take(&p->to_client, piece);

	if (p->raw)
		raw_feed(p, s.p, s.n);
	else
		p->client_status = tlsio_feed(
			p->client, s.p, s.n, &p->client_got, &p->to_server, &p->client_err);
	free((char *)s.p);
}

void tlspair_run(struct tlspair *p, size_t piece)
{
	if (p->raw)
		raw_flush(p);
	while (p->to_server.n || p->to_client.n) {
		if (p->to_server.n)
			to_server(p, piece);
		if (p->to_client.n)
			to_client(p, piece);
	}
}

void tlspair_say(struct tlspair *p, bool from_server, const char *text, size_t n, size_t piece)
{
	struct err e;

	if (from_server)
		p->server_status = tlsio_write(p->server, text, n, &p->to_client, &e);
	else if (p->raw)
		SSL_write(p->raw, text, (int)n);
	else
		p->client_status = tlsio_write(p->client, text, n, &p->to_server, &e);
	tlspair_run(p, piece);
}

void tlspair_done(struct tlspair *p)
{
	tlsio_free(p->server);
	tlsio_free(p->client);
	SSL_free(p->raw);
	buf_done(&p->to_server);
	buf_done(&p->to_client);
	buf_done(&p->server_got);
	buf_done(&p->client_got);
}

/* --- what tests of it share */
int tls_world_start(void **state)
{
	const char *hosts[] = {"db.example", "127.0.0.1", "::1", NULL};
	struct ca_name server = {"gateway", "slipway:gateways", hosts, 90};
	struct ca_name client = {"app", NULL, NULL, 90};

	(void)state;
	return ca_new(&tls_world.arena, "slipway test", &tls_world.ca, &err) ||
		ca_new(&tls_world.arena, "another", &tls_world.other_ca, &err) ||
		ca_issue(&tls_world.arena, &tls_world.ca, &server, &tls_world.server_cert, &err) ||
		ca_issue(&tls_world.arena, &tls_world.ca, &client, &tls_world.client_cert, &err);
}

int tls_world_end(void **state)
{
	(void)state;
	arena_done(&tls_world.arena);
	return 0;
}

struct tlsio_ctx *ctx_of(const struct tlsio_conf *conf)
{
	struct tlsio_ctx *c = NULL;

	if (tlsio_ctx_new(conf, &c, &err))
		fail_msg("%s", err.text);
	return c;
}

/* ca_pem: of the clients that it wants certificates of. */
struct tlsio *server_new(const char *ca_pem)
{
	struct tlsio_conf conf = {
		.cert_pem = tls_world.server_cert.cert_pem,
		.key_pem = tls_world.server_cert.key_pem,
		.ca_pem = ca_pem,
		.alpn = ALPN,
		.is_server = true,
	};
	struct tlsio_ctx *c = ctx_of(&conf);
	struct tlsio *t = tlsio_new(c, NULL, false);

	tlsio_ctx_free(c); /* the connection keeps it */
	return t;
}

struct tlsio *client_new(const char *ca_pem, const struct ca_cert *me, const char *name, bool check)
{
	struct tlsio_conf conf = {
		.cert_pem = me ? me->cert_pem : NULL,
		.key_pem = me ? me->key_pem : NULL,
		.ca_pem = ca_pem,
		.alpn = ALPN,
	};
	struct tlsio_ctx *c = ctx_of(&conf);
	struct tlsio *t = tlsio_new(c, name, check);

	tlsio_ctx_free(c);
	return t;
}

void pair_start(struct tlspair *p)
{
	tlspair_start(
		p, server_new(NULL), client_new(tls_world.ca.cert_pem, NULL, "db.example", true));
}

void assert_ready(const struct tlspair *p)
{
	if (!tlsio_is_ready(p->server))
		fail_msg("server: %s; client: %s", p->server_err.text, p->client_err.text);
	if (p->client)
		assert_true(tlsio_is_ready(p->client));
	assert_int_equal(p->server_status, TLSIO_OK);
	assert_int_equal(p->client_status, TLSIO_OK);
}

void assert_got(struct buf *b, const char *text)
{
	assert_int_equal(b->n, strlen(text));
	assert_memory_equal(b->p, text, b->n);
	buf_clear(b);
}

void assert_passes(struct tlspair *p, size_t piece)
{
	tlspair_say(p, false, "select 1", 8, piece);
	assert_got(&p->server_got, "select 1");
	tlspair_say(p, true, "one", 3, piece);
	assert_got(&p->client_got, "one");
}
