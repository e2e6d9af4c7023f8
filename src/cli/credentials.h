/* Credentials of a Database's role, from its Secret; the verbs `credentials show` and `rotate`. */
#ifndef SLIPWAY_CLI_CREDENTIALS_H
#define SLIPWAY_CLI_CREDENTIALS_H

#include "cli/session.h"

/* Texts live in the session's arena. */
struct credentials {
	const char *host, *port, *dbname, *user, *password, *uri, *jdbc_uri, *ro_uri;
	const char *ca_pem; /* NULL: none */
};

/* ERR_NOT_FOUND says which of Database, role and Secret is missing. */
enum err_code credentials_get(
	struct session *s, const char *database, const char *role, struct credentials *ret,
	struct err *e);

#endif
