/*
 * Login: from the first byte of a connection to a client that is known, or refused.
 *
 * SSLRequest, GSSENCRequest (answered N), direct TLS, CancelRequest, the startup packet, SCRAM. A
 * role or database that there is not answers as a wrong password does, in the same time. Who fails
 * often from one address is answered later (login_storm).
 */
#ifndef SLIPWAY_GATEWAY_LOGIN_H
#define SLIPWAY_GATEWAY_LOGIN_H

#include "gateway/hub.h"
#include "gateway/route.h"

struct login;
struct session;

struct login_ops {
	/* It is who it says; database, dbname and the rest are in login's fields. */
	void (*done)(struct session *c);
};

struct login_result {
	struct database *database;
	const char *dbname;
	bool is_read_only, is_admin;
	const struct route_role *role;
	struct str user;
	struct str application;
	struct str extra; /* startup parameters beyond those, as pairs, sorted */
};

struct login *login_new(struct session *c, const struct login_ops *ops);
void login_free(struct login *l); /* NULL is fine */
/* Bytes of the client: how many were taken. */
size_t login_data(struct session *c, const char *p, size_t n);
const struct login_result *login_result(const struct login *l);

#endif
