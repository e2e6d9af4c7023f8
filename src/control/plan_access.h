/*
 * Access: databases and roles of the servers, and the two Secrets of each role that may log in.
 *
 * The credentials' annotation slipway.dev/credential numbers its password, that of the verifier
 * the password which the servers take. They are equal but while a rotation is pending: then the
 * old password works until somebody has fetched the new one, or an hour has passed.
 */
#ifndef SLIPWAY_CONTROL_PLAN_ACCESS_H
#define SLIPWAY_CONTROL_PLAN_ACCESS_H

#include "base/secret.h"
#include "control/cluster.h"

enum { PLAN_ACCESS_PENDING_S = 3600 };

struct plan_access_conf {
	const json_t *secrets; /* array: what is there of the Database's */
	const char *ca_pem; /* NULL: none */
	int scram_iterations; /* 0: 4096 */
	void (*random)(struct secret *ret, size_t n); /* NULL: secret_random */
};

/* Writes Secrets into the outcome, and roles and databases into the members. */
void plan_access(struct cluster *c, const struct plan_access_conf *conf);

/* Names of the Secrets that a Database's plan wants to see: an array. */
json_t *plan_access_names(struct arena *a, const json_t *database);

#endif
