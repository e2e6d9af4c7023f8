/*
 * TLS of the server (GnuTLS, because libmicrohttpd has it): its certificate, which can change while
 * it runs, and who the client's certificate says it is.
 *
 * TLS 1.2 and 1.3. A client is asked for a certificate where there is a client_ca_pem, and may have
 * none. One that the CA has not signed, or that has expired, does not end the handshake: it counts
 * as none, and the identity says why, so that the client reads a sentence and not a broken
 * connection. Any thread.
 */
#ifndef SLIPWAY_HTTP_TLS_H
#define SLIPWAY_HTTP_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "base/err.h"

#define TLS_PRIORITIES                                                                             \
	"NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"             \
	"+ECDHE-ECDSA:+ECDHE-RSA:+AEAD:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"           \
	"+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA384:"                      \
	"+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-RSA-SHA256:+SIGN-RSA-PSS-RSAE-SHA256:"                 \
	"+SIGN-EDDSA-ED25519:+CTYPE-X509:%SERVER_PRECEDENCE"

enum { TLS_NAME_MAX = 64 };

struct tls_identity {
	char name[TLS_NAME_MAX + 1]; /* CN; empty: no certificate that counts */
	char group[TLS_NAME_MAX + 1]; /* O */
	char error[128]; /* why one that it showed does not count */
};

struct tls;

/* ERR_INVALID: not PEM, or the key does not fit the certificate. */
enum err_code tls_new(const char *cert_pem, const char *key_pem, struct tls **ret, struct err *e);
enum err_code tls_reload(struct tls *t, const char *cert_pem, const char *key_pem, struct err *e);
void tls_free(struct tls *t); /* after the last session */

/* A new session, before its handshake. */
void tls_session_start(struct tls *t, gnutls_session_t session);

/* libmicrohttpd's MHD_OPTION_HTTPS_CERT_CALLBACK. */
int tls_on_certificate(
	gnutls_session_t session, const gnutls_datum_t *cas, int cas_n,
	const gnutls_pk_algorithm_t *algos, int algos_n, gnutls_pcert_st **ret_certs,
	unsigned *ret_n, gnutls_privkey_t *ret_key);

/* After the handshake. */
void tls_identify(gnutls_session_t session, struct tls_identity *ret);

#endif
