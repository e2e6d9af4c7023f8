#include "net/ossl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

enum err_code ossl_err(struct err *e, enum err_code code, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(e, code, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

int ossl_no_password(char *buf, int size, int is_write, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_write;
	(void)arg;
	return -1;
}

enum err_code ossl_cert(const char *pem, X509 **ret, struct err *e)
{
	CLEANUP(bio_drop) BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(in, NULL, ossl_no_password, NULL);

	if (!cert)
		return ossl_err(
			e, ERR_INVALID, "certificate: not PEM text of an X.509 certificate");
	*ret = cert;
	return ERR_OK;
}

enum err_code ossl_key(const char *pem, EVP_PKEY **ret, struct err *e)
{
	CLEANUP(bio_drop) BIO *in = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, ossl_no_password, NULL);

	if (!key)
		return ossl_err(e, ERR_INVALID, "private key: not PEM text of an open key");
	*ret = key;
	return ERR_OK;
}
