#include "net/ca.h"

#include <string.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/ossl.h"

enum {
	CA_DAYS = 3653, /* ten years */
	DAY_S = 86400,
	SKEW_S = 300, /* a certificate begins this long ago: clocks differ */
	NAME_MAX_BYTES = 64, /* RFC 5280, ub-common-name and ub-organization-name */
	KEY_BITS_MIN = 112, /* of security: RSA from 2048 bits, every curve in use */
	SERIAL_BITS = 127,
};

OSSL_DROP_OF(bn_drop, BIGNUM, BN_free)
OSSL_DROP_OF(req_drop, X509_REQ, X509_REQ_free)
OSSL_DROP_OF(name_drop, X509_NAME, X509_NAME_free)
OSSL_DROP_OF(sans_drop, GENERAL_NAMES, GENERAL_NAMES_free)
OSSL_DROP_OF(ip_drop, ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)

/* An extension that every certificate of one kind has, in OpenSSL's own words. */
struct ext {
	int nid;
	const char *value;
};

static const struct ext ca_exts[] = {
	{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
	{NID_key_usage, "critical,keyCertSign,cRLSign"},
	{NID_subject_key_identifier, "hash"},
};

static const struct ext leaf_exts[] = {
	{NID_basic_constraints, "critical,CA:FALSE"},
	{NID_key_usage, "critical,digitalSignature"},
	{NID_ext_key_usage, "serverAuth,clientAuth"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid:always"},
};

/* The request's public key, once the request has proven that its sender holds the private one. */
static enum err_code req_parse(const char *pem, EVP_PKEY **ret_public, struct err *e)
{
	CLEANUP(bio_drop) BIO *in = BIO_new_mem_buf(pem, -1);
	CLEANUP(req_drop) X509_REQ *req = PEM_read_bio_X509_REQ(in, NULL, ossl_no_password, NULL);
	CLEANUP(key_drop) EVP_PKEY *key = req ? X509_REQ_get_pubkey(req) : NULL;

	if (!key)
		return ossl_err(
			e, ERR_INVALID, "certificate request: not PEM text of a PKCS #10 request");
	if (EVP_PKEY_get_security_bits(key) < KEY_BITS_MIN)
		return err_set(e, ERR_INVALID, "certificate request: its key is too weak");
	if (X509_REQ_verify(req, key) != 1)
		return ossl_err(
			e, ERR_INVALID, "certificate request: its signature is not by its own key");
	*ret_public = key;
	key = NULL;
	return ERR_OK;
}

static const char *bio_text(struct arena *a, BIO *b)
{
	const char *p;
	long n = BIO_get_mem_data(b, &p);

	return arena_strndup(a, p, (size_t)n);
}

/* Writing to memory fails for want of memory only. */
static const char *cert_text(struct arena *a, X509 *cert)
{
	CLEANUP(bio_drop) BIO *out = BIO_new(BIO_s_mem());
	int ok = PEM_write_bio_X509(out, cert);

	assert(ok == 1);
	return bio_text(a, out);
}

static const char *req_text(struct arena *a, X509_REQ *req)
{
	CLEANUP(bio_drop) BIO *out = BIO_new(BIO_s_mem());
	int ok = PEM_write_bio_X509_REQ(out, req);

	assert(ok == 1);
	return bio_text(a, out);
}

static const char *key_text(struct arena *a, EVP_PKEY *key)
{
	CLEANUP(bio_drop) BIO *out = BIO_new(BIO_s_secmem()); /* wiped when freed */
	int ok = PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);

	assert(ok == 1);
	return bio_text(a, out);
}

static enum err_code key_new(EVP_PKEY **ret, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	if (!key)
		return ossl_err(e, ERR_INTERNAL, "make a private key");
	*ret = key;
	return ERR_OK;
}

static enum err_code name_part(X509_NAME *n, int nid, const char *value, struct err *e)
{
	if (strlen(value) > NAME_MAX_BYTES)
		return err_set(
			e, ERR_LIMIT, "certificate name '%.80s': at most %d bytes", value,
			NAME_MAX_BYTES);
	if (!*value ||
	    !X509_NAME_add_entry_by_NID(
		    n, nid, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0))
		return ossl_err(e, ERR_INVALID, "certificate name: empty, or not UTF-8");
	return ERR_OK;
}

/* O first, as everybody writes it; group may be NULL. */
static enum err_code name_make(const char *group, const char *name, X509_NAME **ret, struct err *e)
{
	CLEANUP(name_drop) X509_NAME *n = X509_NAME_new();
	enum err_code code = ERR_OK;

	assert(n);
	if (group)
		code = name_part(n, NID_organizationName, group, e);
	if (code == ERR_OK)
		code = name_part(n, NID_commonName, name, e);
	if (code != ERR_OK)
		return code;
	*ret = n;
	n = NULL;
	return ERR_OK;
}

static int64_t time_s(const ASN1_TIME *t)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static bool serial_set(X509 *cert)
{
	CLEANUP(bn_drop) BIGNUM *n = BN_new();

	return n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
}

/* From a little ago for so many days, but never past the end of its issuer (0: there is none). */
static bool life_set(X509 *cert, int days, int64_t issuer_end_s)
{
	time_t now = time(NULL);
	time_t end = now + (time_t)days * DAY_S;

	if (issuer_end_s && end > issuer_end_s)
		end = issuer_end_s;
	return ASN1_TIME_set(X509_getm_notBefore(cert), now - SKEW_S) &&
		ASN1_TIME_set(X509_getm_notAfter(cert), end);
}

static bool exts_add(X509 *cert, X509 *issuer, const struct ext *exts, size_t n)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	for (size_t i = 0; i < n; i++) {
		X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, exts[i].nid, exts[i].value);
		int ok = x && X509_add_ext(cert, x, -1);

		X509_EXTENSION_free(x);
		if (!ok)
			return false;
	}
	return true;
}

/* RFC 1123 letters, and the star and underscore that certificates and services use. */
static bool is_dns_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._*";
	size_t n = strlen(s);

	return n > 0 && n <= 253 && strspn(s, letters) == n;
}

static GENERAL_NAME *san_new(int type, void *value)
{
	GENERAL_NAME *one = GENERAL_NAME_new();

	assert(one && value);
	GENERAL_NAME_set0_value(one, type, value);
	return one;
}

static GENERAL_NAME *san_dns(const char *host)
{
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	int ok = text && ASN1_STRING_set(text, host, -1);

	assert(ok);
	return san_new(GEN_DNS, text);
}

/* Takes the address over. */
static GENERAL_NAME *san_ip(ASN1_OCTET_STRING **ip)
{
	GENERAL_NAME *one = san_new(GEN_IPADD, *ip);

	*ip = NULL;
	return one;
}

static enum err_code san_add(GENERAL_NAMES *all, const char *host, struct err *e)
{
	CLEANUP(ip_drop) ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
	GENERAL_NAME *one;
	int pushed;

	ERR_clear_error(); /* of a host that is no address */
	if (!ip && !is_dns_name(host))
		return err_set(
			e, ERR_INVALID,
			"certificate host '%.80s': want a DNS name or an IP address", host);
	one = ip ? san_ip(&ip) : san_dns(host);
	pushed = sk_GENERAL_NAME_push(all, one);
	assert(pushed);
	return ERR_OK;
}

static enum err_code sans_set(X509 *cert, const char *const *hosts, struct err *e)
{
	CLEANUP(sans_drop) GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();

	assert(all);
	if (!hosts || !hosts[0])
		return ERR_OK;
	for (; *hosts; hosts++)
		if (san_add(all, *hosts, e) != ERR_OK)
			return ERR_INVALID;
	if (X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) != 1)
		return ossl_err(e, ERR_INTERNAL, "write a certificate's host names");
	return ERR_OK;
}

enum err_code ca_new(struct arena *a, const char *name, struct ca_cert *ret, struct err *e)
{
	CLEANUP(key_drop) EVP_PKEY *key = NULL;
	CLEANUP(name_drop) X509_NAME *subject = NULL;
	CLEANUP(cert_drop) X509 *cert = X509_new();
	enum err_code code = name_make(NULL, name, &subject, e);

	assert(cert);
	if (code == ERR_OK)
		code = key_new(&key, e);
	if (code != ERR_OK)
		return code;
	if (!X509_set_version(cert, X509_VERSION_3) || !serial_set(cert) ||
	    !life_set(cert, CA_DAYS, 0) || !X509_set_subject_name(cert, subject) ||
	    !X509_set_issuer_name(cert, subject) || !X509_set_pubkey(cert, key) ||
	    !exts_add(cert, cert, ca_exts, ARRAY_LEN(ca_exts)) ||
	    !X509_sign(cert, key, EVP_sha256()))
		return ossl_err(e, ERR_INTERNAL, "make a certificate authority");
	*ret = (struct ca_cert){.cert_pem = cert_text(a, cert), .key_pem = key_text(a, key)};
	return ERR_OK;
}

/* Signs a public key under a name. */
static enum err_code key_sign(
	struct arena *a, const struct ca_cert *ca, EVP_PKEY *public, const struct ca_name *name,
	const char **ret_pem, struct err *e)
{
	CLEANUP(cert_drop) X509 *issuer = NULL;
	CLEANUP(key_drop) EVP_PKEY *issuer_key = NULL;
	CLEANUP(name_drop) X509_NAME *subject = NULL;
	CLEANUP(cert_drop) X509 *cert = X509_new();
	enum err_code code;

	assert(cert);
	if ((code = ossl_cert(ca->cert_pem, &issuer, e)) != ERR_OK ||
	    (code = ossl_key(ca->key_pem, &issuer_key, e)) != ERR_OK ||
	    (code = name_make(name->group, name->name, &subject, e)) != ERR_OK ||
	    (code = sans_set(cert, name->hosts, e)) != ERR_OK)
		return code;
	if (X509_check_private_key(issuer, issuer_key) != 1)
		return ossl_err(e, ERR_INVALID, "the authority's key does not fit its certificate");
	if (!X509_set_version(cert, X509_VERSION_3) || !serial_set(cert) ||
	    !life_set(cert, name->days, time_s(X509_get0_notAfter(issuer))) ||
	    !X509_set_subject_name(cert, subject) ||
	    !X509_set_issuer_name(cert, X509_get_subject_name(issuer)) ||
	    !X509_set_pubkey(cert, public) ||
	    !exts_add(cert, issuer, leaf_exts, ARRAY_LEN(leaf_exts)) ||
	    !X509_sign(cert, issuer_key, EVP_sha256()))
		return ossl_err(e, ERR_INTERNAL, "sign a certificate");
	*ret_pem = cert_text(a, cert);
	return ERR_OK;
}

enum err_code ca_issue(
	struct arena *a, const struct ca_cert *ca, const struct ca_name *name, struct ca_cert *ret,
	struct err *e)
{
	CLEANUP(key_drop) EVP_PKEY *key = NULL;
	const char *cert_pem;
	enum err_code code = key_new(&key, e);

	if (code == ERR_OK)
		code = key_sign(a, ca, key, name, &cert_pem, e);
	if (code != ERR_OK)
		return code;
	*ret = (struct ca_cert){.cert_pem = cert_pem, .key_pem = key_text(a, key)};
	return ERR_OK;
}

enum err_code ca_request(
	struct arena *a, const char *name, const char **ret_key_pem, const char **ret_csr_pem,
	struct err *e)
{
	CLEANUP(key_drop) EVP_PKEY *key = NULL;
	CLEANUP(name_drop) X509_NAME *subject = NULL;
	CLEANUP(req_drop) X509_REQ *req = X509_REQ_new();
	enum err_code code = name_make(NULL, name, &subject, e);

	assert(req);
	if (code == ERR_OK)
		code = key_new(&key, e);
	if (code != ERR_OK)
		return code;
	if (!X509_REQ_set_version(req, X509_REQ_VERSION_1) ||
	    !X509_REQ_set_subject_name(req, subject) || !X509_REQ_set_pubkey(req, key) ||
	    !X509_REQ_sign(req, key, EVP_sha256()))
		return ossl_err(e, ERR_INTERNAL, "make a certificate request");
	*ret_key_pem = key_text(a, key);
	*ret_csr_pem = req_text(a, req);
	return ERR_OK;
}

enum err_code
ca_sign(struct arena *a, const struct ca_cert *ca, const char *csr_pem, const struct ca_name *name,
	const char **ret_cert_pem, struct err *e)
{
	CLEANUP(key_drop) EVP_PKEY *key = NULL;
	enum err_code code = req_parse(csr_pem, &key, e);

	if (code != ERR_OK)
		return code;
	return key_sign(a, ca, key, name, ret_cert_pem, e);
}

enum err_code ca_fingerprint(struct arena *a, const char *cert_pem, const char **ret, struct err *e)
{
	CLEANUP(cert_drop) X509 *cert = NULL;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *hex;
	enum err_code code = ossl_cert(cert_pem, &cert, e);

	if (code != ERR_OK)
		return code;
	if (!X509_digest(cert, EVP_sha256(), hash, &n))
		return ossl_err(e, ERR_INTERNAL, "take a certificate's fingerprint");
	hex = arena_alloc(a, n * 2 + 1);
	for (unsigned i = 0; i < n; i++) {
		hex[i * 2] = "0123456789abcdef"[hash[i] >> 4];
		hex[i * 2 + 1] = "0123456789abcdef"[hash[i] & 15];
	}
	*ret = hex;
	return ERR_OK;
}

enum err_code
ca_life(const char *cert_pem, int64_t *ret_not_after_s, int *ret_percent, struct err *e)
{
	CLEANUP(cert_drop) X509 *cert = NULL;
	enum err_code code = ossl_cert(cert_pem, &cert, e);
	int64_t begin, end, now = (int64_t)time(NULL);

	if (code != ERR_OK)
		return code;
	begin = time_s(X509_get0_notBefore(cert));
	end = time_s(X509_get0_notAfter(cert));
	*ret_not_after_s = end;
	if (now >= end)
		*ret_percent = 100;
	else
		*ret_percent = now <= begin ? 0 : (int)((now - begin) * 100 / (end - begin));
	return ERR_OK;
}
