#include "http/tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>

#include "base/arena.h"

enum { CHAIN_MAX = 8, KEY_ID_BYTES = 64 };

/* One that a handshake has been given must stay: they are kept until the end. A certificate is
 * renewed every few weeks, so there are few. */
struct tls_cert {
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned n;
	gnutls_privkey_t key;
	struct tls_cert *older;
};

struct tls {
	pthread_mutex_t lock;
	struct tls_cert *now;
	gnutls_datum_t ticket_key;
};

static enum err_code err_tls(struct err *e, int no, const char *what)
{
	return err_set(e, ERR_INVALID, "%s: %s", what, gnutls_strerror(no));
}

static gnutls_datum_t datum(const char *pem)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
}

static bool key_fits(const struct tls_cert *c)
{
	unsigned char a[KEY_ID_BYTES], b[KEY_ID_BYTES];
	size_t a_n = sizeof(a), b_n = sizeof(b);
	gnutls_pubkey_t public = NULL;
	bool ok;

	ok = gnutls_pubkey_init(&public) == 0 &&
		gnutls_pubkey_import_privkey(public, c->key, 0, 0) == 0 &&
		gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, a, &a_n) == 0 &&
		gnutls_pubkey_get_key_id(c->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &b_n) ==
			0 &&
		a_n == b_n && memcmp(a, b, a_n) == 0;
	gnutls_pubkey_deinit(public);
	return ok;
}

static void cert_free(struct tls_cert *c)
{
	for (unsigned i = 0; i < c->n; i++)
		gnutls_pcert_deinit(&c->chain[i]);
	if (c->key)
		gnutls_privkey_deinit(c->key);
	free(c);
}

static enum err_code
cert_fill(struct tls_cert *c, const char *cert_pem, const char *key_pem, struct err *e)
{
	gnutls_datum_t cert = datum(cert_pem), key = datum(key_pem);
	unsigned n = CHAIN_MAX;
	int no;

	no = gnutls_pcert_list_import_x509_raw(c->chain, &n, &cert, GNUTLS_X509_FMT_PEM, 0);
	if (no < 0)
		return err_tls(e, no, "the server's certificate cannot be used");
	c->n = n;
	no = gnutls_privkey_init(&c->key);
	if (no == 0)
		no = gnutls_privkey_import_x509_raw(c->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (no < 0)
		return err_tls(e, no, "the server's private key cannot be used");
	if (!key_fits(c))
		return err_set(
			e, ERR_INVALID, "the server's private key does not fit its certificate");
	return ERR_OK;
}

static enum err_code
cert_new(const char *cert_pem, const char *key_pem, struct tls_cert **ret, struct err *e)
{
	struct tls_cert *c = mem_alloc(sizeof(*c));
	enum err_code code = cert_fill(c, cert_pem, key_pem, e);

	if (code != ERR_OK)
		cert_free(c);
	else
		*ret = c;
	return code;
}

enum err_code tls_new(const char *cert_pem, const char *key_pem, struct tls **ret, struct err *e)
{
	struct tls *t = mem_alloc(sizeof(*t));
	enum err_code code = cert_new(cert_pem, key_pem, &t->now, e);

	if (code == ERR_OK && gnutls_session_ticket_key_generate(&t->ticket_key) < 0)
		code = err_set(e, ERR_INTERNAL, "no key for TLS session tickets");
	pthread_mutex_init(&t->lock, NULL);
	if (code != ERR_OK)
		tls_free(t);
	else
		*ret = t;
	return code;
}

enum err_code tls_reload(struct tls *t, const char *cert_pem, const char *key_pem, struct err *e)
{
	struct tls_cert *c;
	enum err_code code = cert_new(cert_pem, key_pem, &c, e);

	if (code != ERR_OK)
		return code;
	pthread_mutex_lock(&t->lock);
	c->older = t->now;
	t->now = c;
	pthread_mutex_unlock(&t->lock);
	return ERR_OK;
}

void tls_free(struct tls *t)
{
	while (t->now) {
		struct tls_cert *older = t->now->older;

		cert_free(t->now);
		t->now = older;
	}
	gnutls_memset(t->ticket_key.data, 0, t->ticket_key.size);
	gnutls_free(t->ticket_key.data);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void tls_session_start(struct tls *t, gnutls_session_t session)
{
	gnutls_session_set_ptr(session, t);
	gnutls_session_ticket_enable_server(session, &t->ticket_key);
}

int tls_on_certificate(
	gnutls_session_t session, const gnutls_datum_t *cas, int cas_n,
	const gnutls_pk_algorithm_t *algos, int algos_n, gnutls_pcert_st **ret_certs,
	unsigned *ret_n, gnutls_privkey_t *ret_key)
{
	struct tls *t = gnutls_session_get_ptr(session);
	struct tls_cert *c;

	(void)cas;
	(void)cas_n;
	(void)algos;
	(void)algos_n;
	pthread_mutex_lock(&t->lock);
	c = t->now;
	pthread_mutex_unlock(&t->lock);
	*ret_certs = c->chain;
	*ret_n = c->n;
	*ret_key = c->key;
	return 0;
}

/* Empty where there is none, or one with a NUL byte in it. */
static void name_part(gnutls_x509_crt_t cert, const char *oid, char ret[TLS_NAME_MAX + 1])
{
	size_t n = TLS_NAME_MAX + 1;

	if (gnutls_x509_crt_get_dn_by_oid(cert, oid, 0, 0, ret, &n) < 0 || strlen(ret) != n)
		ret[0] = '\0';
}

static void name_read(const gnutls_datum_t *der, struct tls_identity *ret)
{
	gnutls_x509_crt_t cert;

	if (gnutls_x509_crt_init(&cert) < 0)
		return;
	if (gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) == 0) {
		name_part(cert, GNUTLS_OID_X520_COMMON_NAME, ret->name);
		name_part(cert, GNUTLS_OID_X520_ORGANIZATION_NAME, ret->group);
	}
	gnutls_x509_crt_deinit(cert);
}

static void why_not(unsigned status, struct tls_identity *ret)
{
	gnutls_datum_t text = {0};

	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0)
		strncpy(ret->error, (const char *)text.data, sizeof(ret->error) - 1);
	gnutls_free(text.data);
}

void tls_identify(gnutls_session_t session, struct tls_identity *ret)
{
	gnutls_typed_vdata_st want = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
	const gnutls_datum_t *chain;
	unsigned n = 0, status = 0;

	memset(ret, 0, sizeof(*ret));
	chain = gnutls_certificate_get_peers(session, &n);
	if (!chain || n == 0)
		return;
	if (gnutls_certificate_verify_peers(session, &want, 1, &status) < 0)
		status = GNUTLS_CERT_INVALID;
	if (status)
		why_not(status, ret);
	else
		name_read(&chain[0], ret);
}
