/*
 * What all that we do with OpenSSL needs: errors in our words, PEM text, objects that drop where
 * their scope ends. For the .c files of this layer; any thread.
 */
#ifndef SLIPWAY_NET_OSSL_H
#define SLIPWAY_NET_OSSL_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"

#define OSSL_DROP_OF(name, type, fn)                                                               \
	static inline void name(type **p)                                                          \
	{                                                                                          \
		fn(*p);                                                                            \
	}
OSSL_DROP_OF(bio_drop, BIO, BIO_free_all)
OSSL_DROP_OF(cert_drop, X509, X509_free)
OSSL_DROP_OF(key_drop, EVP_PKEY, EVP_PKEY_free)

/* what, and the reason that OpenSSL gives for it. */
enum err_code ossl_err(struct err *e, enum err_code code, const char *what);

/* An encrypted text is one that we cannot read; without this, OpenSSL would ask at the terminal. */
int ossl_no_password(char *buf, int size, int is_write, void *arg);

/* The first certificate of the text; the private key in it. ERR_INVALID: there is none. */
enum err_code ossl_cert(const char *pem, X509 **ret, struct err *e);
enum err_code ossl_key(const char *pem, EVP_PKEY **ret, struct err *e);

#endif
