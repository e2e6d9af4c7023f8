/*
 * Identity: who this host is: agent.json, agent.key, agent.crt and ca.crt in the agent's folder.
 *
 * agent.json is written last: where it is, the host has joined. A new pair of key and certificate
 * is put in place so that a kill at any moment leaves a pair that belongs together. Blocking.
 */
#ifndef SLIPWAY_AGENT_IDENTITY_H
#define SLIPWAY_AGENT_IDENTITY_H

#include "base/arena.h"
#include "base/err.h"

struct identity {
	const char *name, *zone, *address, *url;
	const char *ca_pem, *cert_pem, *key_pem;
};

/* ERR_NOT_FOUND: it has not joined. The texts live in the arena. */
enum err_code identity_load(struct arena *a, const char *data, struct identity *ret, struct err *e);

/* Writes all, agent.json last. */
enum err_code identity_save(const char *data, const struct identity *id, struct err *e);

/* Puts another pair in place of the one that is there. */
enum err_code
identity_replace(const char *data, const char *cert_pem, const char *key_pem, struct err *e);

#endif
