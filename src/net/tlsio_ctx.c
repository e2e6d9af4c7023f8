#include "net/tlsio_ctx.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "net/ossl.h"

enum {
	ALPN_MAX = 64,
	CHAIN_MAX_BYTES = 32 << 10, /* of the other end's certificates */
};

static const char groups[] = "X25519:P-256:P-384";
/* Of TLS 1.2 to clients: forward secrecy and authenticated encryption only. */
static const char server_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

OSSL_DROP_OF(ctx_drop, struct tlsio_ctx, tlsio_ctx_free)

/* --- the BIO: the running call's bytes */
static int bio_read(BIO *b, char *p, size_t n, size_t *ret)
{
	struct tlsio_ctx *c = BIO_get_data(b);
	size_t k = MIN(n, c->in.n);

	BIO_clear_retry_flags(b);
	if (!k) {
		BIO_set_retry_read(b);
		return 0;
	}
	memcpy(p, c->in.p, k);
	c->in.p += k;
	c->in.n -= k;
	*ret = k;
	return 1;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *ret)
{
	struct tlsio_ctx *c = BIO_get_data(b);

	buf_add(c->out, p, n);
	*ret = n;
	return 1;
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
	(void)b;
	(void)n;
	(void)p;
	return what == BIO_CTRL_FLUSH;
}

static void bio_make(struct tlsio_ctx *c)
{
	bool ok;

	c->bio_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tlsio");
	ok = c->bio_method && BIO_meth_set_read_ex(c->bio_method, bio_read) &&
		BIO_meth_set_write_ex(c->bio_method, bio_write) &&
		BIO_meth_set_ctrl(c->bio_method, bio_ctrl);
	c->bio = ok ? BIO_new(c->bio_method) : NULL;
	assert(c->bio);
	BIO_set_data(c->bio, c);
	BIO_set_init(c->bio, 1);
}

/* --- certificates */
size_t tlsio_cert_binding(const X509 *cert, unsigned char ret[TLSIO_BINDING_MAX])
{
	const EVP_MD *md;
	unsigned int n = 0;
	int nid;

	if (!X509_get_signature_info((X509 *)cert, &nid, NULL, NULL, NULL))
		return 0;
	md = nid == NID_md5 || nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(nid);
	if (!md || EVP_MD_get_size(md) > TLSIO_BINDING_MAX || !X509_digest(cert, md, ret, &n))
		return 0;
	return n;
}

/* The certificates behind the first one of the text; true if the text ends well. */
static bool chain_load(SSL_CTX *ssl, BIO *in)
{
	X509 *cert;

	while ((cert = PEM_read_bio_X509(in, NULL, ossl_no_password, NULL)))
		if (!SSL_CTX_add0_chain_cert(ssl, cert)) {
			X509_free(cert);
			return false;
		}
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static enum err_code
identity_load(struct tlsio_ctx *c, const struct tlsio_conf *conf, struct err *e)
{
	CLEANUP(bio_drop) BIO *in = BIO_new_mem_buf(conf->cert_pem, -1);
	CLEANUP(cert_drop)
	X509 *cert = PEM_read_bio_X509(in, NULL, ossl_no_password, NULL);
	CLEANUP(key_drop) EVP_PKEY *key = NULL;

	if (!cert || !chain_load(c->ssl, in))
		return ossl_err(
			e, ERR_INVALID, "TLS certificate: not PEM text of X.509 certificates");
	ERR_clear_error();
	if (ossl_key(conf->key_pem, &key, e) != ERR_OK)
		return err_wrap(e, "TLS");
	if (SSL_CTX_use_certificate(c->ssl, cert) != 1)
		return ossl_err(e, ERR_INVALID, "TLS certificate: it cannot be used");
	if (SSL_CTX_use_PrivateKey(c->ssl, key) != 1 || SSL_CTX_check_private_key(c->ssl) != 1)
		return ossl_err(e, ERR_INVALID, "TLS private key: it does not fit the certificate");
	c->binding_n = conf->is_server ? tlsio_cert_binding(cert, c->binding) : 0;
	return ERR_OK;
}

/* One of those who may have signed. A server names it to clients, so that they choose. */
static bool authority_add(const struct tlsio_ctx *c, X509 *cert)
{
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ssl), cert) &&
		(!c->is_server || SSL_CTX_add_client_CA(c->ssl, cert));
}

static enum err_code authorities_load(struct tlsio_ctx *c, const char *pem, struct err *e)
{
	CLEANUP(bio_drop) BIO *in = BIO_new_mem_buf(pem, -1);
	bool is_first = true;

	for (;; is_first = false) {
		CLEANUP(cert_drop)
		X509 *cert = PEM_read_bio_X509(in, NULL, ossl_no_password, NULL);

		if (!cert)
			break;
		if (!authority_add(c, cert))
			return ossl_err(e, ERR_INVALID, "TLS authority: it cannot be used");
	}
	if (is_first || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return ossl_err(
			e, ERR_INVALID, "TLS authority: not PEM text of X.509 certificates");
	ERR_clear_error();
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return ERR_OK;
}

/* --- ALPN (RFC 7301) */
static int alpn_choose(
	SSL *s, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in,
	unsigned int n, void *arg)
{
	const struct tlsio_ctx *c = arg;

	(void)s;
	for (unsigned int at = 0; at + c->alpn_n <= n; at += 1u + in[at])
		if (memcmp(in + at, c->alpn, c->alpn_n) == 0) {
			*ret = in + at + 1;
			*ret_n = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void alpn_set(struct tlsio_ctx *c, const char *name)
{
	size_t n = strlen(name);

	assert(n > 0 && n < ALPN_MAX);
	c->alpn = mem_alloc(n + 1);
	c->alpn[0] = (unsigned char)n;
	memcpy(c->alpn + 1, name, n);
	c->alpn_n = (unsigned int)n + 1;
	if (c->is_server) {
		SSL_CTX_set_alpn_select_cb(c->ssl, alpn_choose, c);
	} else {
		int failed = SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->alpn_n);

		assert(!failed);
	}
}

/* --- traffic secrets */
static bool hex_read(const char *text, unsigned char ret[TLSREC_SECRET_MAX])
{
	size_t n = 0;

	return OPENSSL_hexstr2buf_ex(ret, TLSREC_SECRET_MAX, &n, text, '\0') == 1;
}

/* A line of NSS's key log: label, client random, secret in hex. */
static void secret_log(const SSL *s, const char *line)
{
	static const char client[] = "CLIENT_TRAFFIC_SECRET_0 ",
			  server[] = "SERVER_TRAFFIC_SECRET_0 ";
	const struct tlsio_ctx *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(s));
	const char *hex = strrchr(line, ' ');
	bool is_client = str_starts(str_of(line), client);

	if (!c->secrets || !hex || (!is_client && !str_starts(str_of(line), server)))
		return;
	if (!*c->secrets)
		*c->secrets = mem_alloc(sizeof(**c->secrets));
	if (is_client)
		(*c->secrets)->has_client = hex_read(hex + 1, (*c->secrets)->client);
	else
		(*c->secrets)->has_server = hex_read(hex + 1, (*c->secrets)->server);
}

/* --- life */
static bool limits_set(const struct tlsio_ctx *c)
{
	SSL_CTX *ssl = c->ssl;

	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(
		ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ssl, CHAIN_MAX_BYTES);
	return SSL_CTX_set_num_tickets(ssl, 0) &&
		SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) &&
		SSL_CTX_set1_groups_list(ssl, groups) &&
		(!c->is_server || SSL_CTX_set_cipher_list(ssl, server_ciphers));
}

enum err_code tlsio_ctx_new(const struct tlsio_conf *conf, struct tlsio_ctx **ret, struct err *e)
{
	CLEANUP(ctx_drop) struct tlsio_ctx *c = mem_alloc(sizeof(*c));
	enum err_code code = ERR_OK;

	assert(!conf->cert_pem == !conf->key_pem && (conf->cert_pem || !conf->is_server));
	ERR_clear_error();
	c->refs = 1;
	c->is_server = conf->is_server;
	c->ssl = SSL_CTX_new(conf->is_server ? TLS_server_method() : TLS_client_method());
	if (!c->ssl || !limits_set(c))
		return ossl_err(e, ERR_INTERNAL, "TLS: OpenSSL could not be set up");
	bio_make(c);
	SSL_CTX_set_app_data(c->ssl, c);
	if (c->is_server)
		SSL_CTX_set_keylog_callback(c->ssl, secret_log);
	if (conf->cert_pem)
		code = identity_load(c, conf, e);
	if (code == ERR_OK && conf->ca_pem)
		code = authorities_load(c, conf->ca_pem, e);
	if (code != ERR_OK)
		return code;
	if (conf->alpn)
		alpn_set(c, conf->alpn);
	*ret = c;
	c = NULL;
	return ERR_OK;
}

void tlsio_ctx_unref(struct tlsio_ctx *c)
{
	if (--c->refs)
		return;
	SSL_CTX_free(c->ssl);
	BIO_free(c->bio);
	BIO_meth_free(c->bio_method);
	tlsrec_pool_done(&c->pool);
	free(c->alpn);
	free(c);
}

void tlsio_ctx_free(struct tlsio_ctx *c)
{
	if (c)
		tlsio_ctx_unref(c);
}
