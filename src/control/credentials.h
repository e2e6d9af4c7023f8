/*
 * Credentials: passwords of roles, and the Secrets that hold them.
 *
 * CloudNativePG's keys: uri, host, port, dbname, user, username, password, jdbc-uri; and ca.crt;
 * and of a read-only endpoint ro-dbname, ro-uri, ro-jdbc-uri. A password is in a struct secret or
 * in a Secret object, and nowhere else. The rules of rotation are in plan_access.c. Any thread.
 */
#ifndef SLIPWAY_CONTROL_CREDENTIALS_H
#define SLIPWAY_CONTROL_CREDENTIALS_H

#include "base/secret.h"
#include "codec/jv.h"

enum { CREDENTIALS_PASSWORD_LENGTH = 32, CREDENTIALS_ENDPOINTS_MAX = 8 };

struct credentials_endpoint {
	const char *host;
	int port;
};

/* Where a role's applications connect to; the primary comes first. */
struct credentials_where {
	const char *user, *dbname;
	const char *ro_dbname; /* of the read-only endpoint; NULL: there is none */
	bool is_gateway; /* it is always the primary that answers */
	const char *ca_pem; /* NULL: no ca.crt */
	struct credentials_endpoint endpoints[CREDENTIALS_ENDPOINTS_MAX];
	size_t endpoints_n; /* 0: not known yet */
};

/* Sets the keys of a Secret's data; what else is in it stays. */
void credentials_fill(
	json_t *data, const struct credentials_where *w, const struct secret *password);

/* The password that a Secret holds; false: none. */
bool credentials_password(const json_t *secret, struct secret *ret);

/* What the servers keep of it: SCRAM-SHA-256$<iterations>:... with a new salt. */
const char *credentials_verifier(struct arena *a, const struct secret *password, int iterations);

/* The same with salt and iterations of another verifier of the role: who knows both can take either
 * password, as a server shows one salt before it hears which password it is. NULL: like is none. */
const char *
credentials_verifier_like(struct arena *a, const struct secret *password, const char *like);

#endif
