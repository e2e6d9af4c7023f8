#include "tls_talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_to(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval limit = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror("connect");
		abort();
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static void trust(SSL_CTX *ctx, const char *ca_pem)
{
	BIO *in = BIO_new_mem_buf(ca_pem, -1);
	X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);

	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_free(cert);
	BIO_free(in);
}

static void show(SSL_CTX *ctx, const struct ca_cert *me)
{
	BIO *cert_in = BIO_new_mem_buf(me->cert_pem, -1);
	BIO *key_in = BIO_new_mem_buf(me->key_pem, -1);
	X509 *cert = PEM_read_bio_X509(cert_in, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(key_in, NULL, NULL, NULL);

	SSL_CTX_use_certificate(ctx, cert);
	SSL_CTX_use_PrivateKey(ctx, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(cert_in);
	BIO_free(key_in);
}

bool talk_open(
	struct talk *t, uint16_t port, const char *ca_pem, const struct ca_cert *me, int max_tls)
{
	*t = (struct talk){.fd = connect_to(port), .ctx = SSL_CTX_new(TLS_client_method())};
	trust(t->ctx, ca_pem);
	if (me)
		show(t->ctx, me);
	if (max_tls) {
		SSL_CTX_set_security_level(t->ctx, 0);
		SSL_CTX_set_min_proto_version(t->ctx, max_tls);
		SSL_CTX_set_max_proto_version(t->ctx, max_tls);
	}
	t->ssl = SSL_new(t->ctx);
	SSL_set1_host(t->ssl, "localhost");
	SSL_set_fd(t->ssl, t->fd);
	return SSL_connect(t->ssl) == 1;
}

void talk_open_plain(struct talk *t, uint16_t port)
{
	*t = (struct talk){.fd = connect_to(port)};
}

void talk_close(struct talk *t)
{
	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	close(t->fd);
	buf_done(&t->in);
}

/* Does not fail where the server has closed already: its answer may be there. */
void talk_send(struct talk *t, const char *bytes, size_t n)
{
	if (t->ssl)
		SSL_write(t->ssl, bytes, (int)n);
	else
		send(t->fd, bytes, n, MSG_NOSIGNAL);
}

void talk_puts(struct talk *t, const char *text)
{
	talk_send(t, text, strlen(text));
}

bool talk_more(struct talk *t)
{
	char part[16384];
	int n;

	errno = 0;
	n = t->ssl ? SSL_read(t->ssl, part, sizeof(part)) : (int)recv(t->fd, part, sizeof(part), 0);

	if (n <= 0)
		return false;
	buf_add(&t->in, part, (size_t)n);
	return true;
}

bool talk_until(struct talk *t, const char *text)
{
	for (;;) {
		const char *at = t->in.n ? memmem(t->in.p, t->in.n, text, strlen(text)) : NULL;

		if (at) {
			buf_cut_front(&t->in, (size_t)(at - t->in.p) + strlen(text));
			return true;
		}
		if (!talk_more(t))
			return false;
	}
}

static bool head_read(struct talk *t, struct buf *ret)
{
	for (;;) {
		const char *end = t->in.n ? memmem(t->in.p, t->in.n, "\r\n\r\n", 4) : NULL;

		if (end) {
			size_t n = (size_t)(end - t->in.p) + 4;

			buf_add(ret, t->in.p, n);
			buf_cut_front(&t->in, n);
			return true;
		}
		if (!talk_more(t))
			return false;
	}
}

static bool take(struct talk *t, size_t n, struct buf *ret)
{
	while (t->in.n < n)
		if (!talk_more(t))
			return false;
	buf_add(ret, t->in.p, n);
	buf_cut_front(&t->in, n);
	return true;
}

static bool chunks_read(struct talk *t, struct buf *ret)
{
	for (;;) {
		const char *end = t->in.n ? memmem(t->in.p, t->in.n, "\r\n", 2) : NULL;
		struct buf crlf = {0};
		size_t n;
		bool ok;

		if (!end) {
			if (!talk_more(t))
				return false;
			continue;
		}
		n = strtoul(t->in.p, NULL, 16);
		buf_cut_front(&t->in, (size_t)(end - t->in.p) + 2);
		ok = take(t, n, ret) && take(t, 2, &crlf);
		buf_done(&crlf);
		if (!ok || n == 0)
			return ok;
	}
}

void talk_reply(struct talk *t, struct talk_reply *ret)
{
	const char *length;

	*ret = (struct talk_reply){0};
	if (!head_read(t, &ret->head))
		return;
	sscanf(ret->head.p, "HTTP/1.1 %d", &ret->status);
	length = strcasestr(ret->head.p, "\r\nContent-Length:");
	if (strcasestr(ret->head.p, "\r\nTransfer-Encoding: chunked"))
		ret->is_whole = chunks_read(t, &ret->body);
	else
		ret->is_whole = take(
			t, length ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10) : 0,
			&ret->body);
}

void talk_reply_done(struct talk_reply *r)
{
	buf_done(&r->head);
	buf_done(&r->body);
}
