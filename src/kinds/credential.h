/*
 * Credentials: names that the Database controller and the API must compute alike.
 *
 * Each role that may log in has two Secrets: <database>-<role> of type slipway.dev/credentials
 * (what applications read), and <database>-<role>-verifier of type slipway.dev/verifier, whose key
 * "verifier" is what the servers must have. A Secret's name takes no underscore: it is a dash
 * there. Pure; any thread.
 */
#ifndef SLIPWAY_KINDS_CREDENTIAL_H
#define SLIPWAY_KINDS_CREDENTIAL_H

#include "base/arena.h"

#define CREDENTIAL_TYPE "slipway.dev/credentials"
#define CREDENTIAL_TYPE_VERIFIER "slipway.dev/verifier"

/* Keys of a verifier's Secret: what the servers must have; and, while a new password waits to be
 * fetched, what they will have then: a gateway that knows both turns nobody away in between. */
#define CREDENTIAL_VERIFIER "verifier"
#define CREDENTIAL_VERIFIER_NEXT "next"

/* Labels of both Secrets: whose they are. */
#define CREDENTIAL_LABEL_DATABASE "slipway.dev/database"
#define CREDENTIAL_LABEL_ROLE "slipway.dev/role"

/* Annotations. On a Database: a new value asks for new passwords. On its credentials: "pending"
 * while the servers still take the old password, "fetched" once somebody has read the new one. */
#define CREDENTIAL_ROTATE "slipway.dev/rotate-credentials"
#define CREDENTIAL_ROTATION "slipway.dev/rotation"

/* Name of the Secret with a role's credentials; the other one's with "-verifier" behind it. */
static inline const char *credential_name(struct arena *a, const char *database, const char *role)
{
	char *name = arena_printf(a, "%s-%s", database, role);

	for (char *at = name; *at; at++)
		if (*at == '_')
			*at = at[1] ? '-' : '0';
	return name;
}

static inline const char *
credential_verifier_name(struct arena *a, const char *database, const char *role)
{
	return arena_printf(a, "%s-verifier", credential_name(a, database, role));
}

#endif
