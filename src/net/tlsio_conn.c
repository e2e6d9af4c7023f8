#include "net/tlsio.h"

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "net/ossl.h"
#include "net/tlsio_ctx.h"

enum { RECORD_MAX = 16 << 10 }; /* plain bytes in a record */

struct tlsio {
	struct tlsio_ctx *ctx;
	SSL *ssl; /* NULL once rec has taken over, */
	struct tlsrec *rec; /* which a server's end of TLS 1.3 does after the handshake */
	struct tlsio_secrets *secrets; /* until then */
	const char *cipher;
	enum tlsio_status status;
	bool is_ready;
	bool has_alpn;
};

/* --- one call into OpenSSL at a time */
static void io_begin(struct tlsio *t, const char *p, size_t n, struct buf *out)
{
	ERR_clear_error();
	t->ctx->in = (struct str){p, n};
	t->ctx->out = out;
	t->ctx->secrets = &t->secrets;
}

static void io_end(struct tlsio *t)
{
	t->ctx->in = (struct str){NULL, 0};
	t->ctx->out = NULL;
	t->ctx->secrets = NULL;
}

/* What failed, in static words of ours and of OpenSSL's: none of the other end's bytes. */
static enum tlsio_status broken(struct tlsio *t, struct err *e)
{
	long verdict = SSL_get_verify_result(t->ssl);

	t->status = TLSIO_BROKEN;
	if (verdict != X509_V_OK && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE)
		err_set(e, ERR_UNAUTHORIZED, "TLS: the other end's certificate is refused: %s",
			X509_verify_cert_error_string(verdict));
	else
		ossl_err(e, ERR_INVALID, t->is_ready ? "TLS connection" : "TLS handshake");
	return TLSIO_BROKEN;
}

static enum tlsio_status broken_before(const struct tlsio *t, struct err *e)
{
	err_set(e, ERR_INVALID,
		t->ssl && SSL_in_before(t->ssl)
			? "TLS: the server's name is no name that a certificate can be for"
			: "TLS: the connection is broken");
	return TLSIO_BROKEN;
}

/* After a call that gave no success. */
static enum tlsio_status stopped(struct tlsio *t, int result, struct err *e)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLSIO_OK;
	case SSL_ERROR_ZERO_RETURN:
		t->status = TLSIO_END;
		return TLSIO_END;
	default:
		return broken(t, e);
	}
}

/* --- life */
static bool is_address(const char *name)
{
	unsigned char a[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, a) == 1 || inet_pton(AF_INET6, name, a) == 1;
}

/* To OpenSSL an empty name is any, and one with a dot in front is any below it: not to us. */
static bool peer_set(struct tlsio *t, const char *name, bool check)
{
	bool is_ip = is_address(name);

	if (name[0] == '\0' || name[0] == '.')
		return false;
	if (!is_ip && !SSL_set_tlsext_host_name(t->ssl, name))
		return false;
	if (!check)
		return true;
	return is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name)
		     : SSL_set1_host(t->ssl, name);
}

struct tlsio *tlsio_new(struct tlsio_ctx *c, const char *server_name, bool check_name)
{
	struct tlsio *t = mem_alloc(sizeof(*t));

	assert(!c->is_server || !server_name);
	assert(!check_name || (server_name && SSL_CTX_get_verify_mode(c->ssl) != SSL_VERIFY_NONE));
	*t = (struct tlsio){.ctx = c, .ssl = SSL_new(c->ssl)};
	assert(t->ssl);
	c->refs++;
	BIO_up_ref(c->bio);
	SSL_set_bio(t->ssl, c->bio, c->bio);
	if (server_name && !peer_set(t, server_name, check_name))
		t->status = TLSIO_BROKEN;
	if (c->is_server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return t;
}

static void secrets_drop(struct tlsio *t)
{
	if (t->secrets)
		OPENSSL_cleanse(t->secrets, sizeof(*t->secrets));
	free(t->secrets);
	t->secrets = NULL;
}

void tlsio_free(struct tlsio *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	tlsrec_free(t->rec);
	secrets_drop(t);
	tlsio_ctx_unref(t->ctx);
	free(t);
}

/* --- bytes */
/* Lets go of OpenSSL's part, which is large, where only records are to come. It has read no further
 * than the handshake's last record, and written nothing behind its own: there are no tickets. */
static void take_over(struct tlsio *t)
{
	const struct tlsio_secrets *s = t->secrets;

	if (s && s->has_client && s->has_server && SSL_version(t->ssl) == TLS1_3_VERSION &&
	    !SSL_has_pending(t->ssl))
		t->rec = tlsrec_new(
			&t->ctx->pool, SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(t->ssl)),
			s->client, s->server);
	secrets_drop(t);
	if (!t->rec)
		return;
	SSL_free(t->ssl);
	t->ssl = NULL;
}

static bool alpn_is_chosen(const SSL *s)
{
	const unsigned char *p;
	unsigned int n = 0;

	SSL_get0_alpn_selected(s, &p, &n);
	return n > 0;
}

static enum tlsio_status handshake(struct tlsio *t, struct err *e)
{
	int result = SSL_do_handshake(t->ssl);

	if (result != 1)
		return stopped(t, result, e);
	t->is_ready = true;
	t->has_alpn = alpn_is_chosen(t->ssl);
	t->cipher = SSL_get_cipher_name(t->ssl);
	take_over(t);
	return TLSIO_OK;
}

/* The records, from the bytes that the handshake left. */
static enum tlsio_status records_feed(
	struct tlsio *t, const char *p, size_t n, struct buf *plain, struct buf *send,
	struct err *e)
{
	t->status = tlsrec_feed(t->rec, p, n, plain, send, e);
	return t->status;
}

/* Until the bytes are used up. A record holds no more than its encrypted bytes, so this asks for no
 * more room than there may be use for. */
static enum tlsio_status read_all(struct tlsio *t, struct buf *plain, struct err *e)
{
	for (;;) {
		size_t left = MAX(t->ctx->in.n, (size_t)SSL_pending(t->ssl)), n = 0;
		int result;

		buf_reserve(plain, MIN(left + 1, (size_t)RECORD_MAX));
		result = SSL_read_ex(t->ssl, plain->p + plain->n, plain->cap - plain->n - 1, &n);
		if (result != 1)
			return stopped(t, result, e);
		plain->n += n;
		plain->p[plain->n] = '\0';
		if (!t->ctx->in.n && !SSL_pending(t->ssl))
			return TLSIO_OK;
	}
}

enum tlsio_status tlsio_feed(
	struct tlsio *t, const char *p, size_t n, struct buf *ret_plain, struct buf *ret_send,
	struct err *e)
{
	enum tlsio_status status = t->status;

	if (status == TLSIO_BROKEN)
		return broken_before(t, e);
	if (status != TLSIO_OK)
		return status;
	if (t->rec)
		return records_feed(t, p, n, ret_plain, ret_send, e);
	io_begin(t, p, n, ret_send);
	if (!t->is_ready)
		status = handshake(t, e);
	if (t->rec)
		status = records_feed(t, t->ctx->in.p, t->ctx->in.n, ret_plain, ret_send, e);
	else if (t->is_ready)
		status = read_all(t, ret_plain, e);
	io_end(t);
	return status;
}

enum tlsio_status
tlsio_write(struct tlsio *t, const char *p, size_t n, struct buf *ret_send, struct err *e)
{
	enum tlsio_status status = TLSIO_OK;
	size_t written;
	int result;

	assert(t->is_ready);
	if (t->status == TLSIO_BROKEN)
		return broken_before(t, e);
	if (t->rec)
		tlsrec_write(t->rec, p, n, ret_send);
	if (t->rec || !n)
		return TLSIO_OK;
	io_begin(t, NULL, 0, ret_send);
	result = SSL_write_ex(t->ssl, p, n, &written);
	if (result != 1)
		status = broken(t, e);
	io_end(t);
	return status;
}

void tlsio_close(struct tlsio *t, struct buf *ret_send)
{
	if (!t->is_ready || t->status == TLSIO_BROKEN)
		return;
	if (t->rec) {
		tlsrec_close(t->rec, ret_send);
		return;
	}
	io_begin(t, NULL, 0, ret_send);
	SSL_shutdown(t->ssl);
	io_end(t);
}

/* --- questions */
bool tlsio_is_ready(const struct tlsio *t)
{
	return t->is_ready;
}

bool tlsio_has_alpn(const struct tlsio *t)
{
	return t->has_alpn;
}

const char *tlsio_version(const struct tlsio *t)
{
	return t->ssl ? SSL_get_version(t->ssl) : "TLSv1.3";
}

const char *tlsio_cipher(const struct tlsio *t)
{
	return t->is_ready ? t->cipher : "none";
}

size_t tlsio_bytes(const struct tlsio *t)
{
	return sizeof(*t) + (t->rec ? tlsrec_bytes(t->rec) : 0);
}

size_t tlsio_binding(const struct tlsio *t, unsigned char ret[TLSIO_BINDING_MAX])
{
	const X509 *cert;

	if (t->ctx->is_server) {
		memcpy(ret, t->ctx->binding, t->ctx->binding_n);
		return t->ctx->binding_n;
	}
	cert = SSL_get0_peer_certificate(t->ssl);
	return cert ? tlsio_cert_binding(cert, ret) : 0;
}
