/* What the tests of the agent share: a host's certificates, an address of its own, wants. */
#ifndef SLIPWAY_TEST_HOSTTEST_H
#define SLIPWAY_TEST_HOSTTEST_H

#include "codec/jv.h"
#include "net/ca.h"

/* SCRAM-SHA-256 of the password "secret". */
#define HOSTTEST_VERIFIER                                                                          \
	"SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$bpSY5Ze9NUH+I35LC3gVq+DpBfK46iXBxvhAKqVu9pE"  \
	"=:VpYlBuxyzeCI1KnctrefdljpB1mk3Gp7sBI/t11+NkQ="

/* agent.key, agent.crt, ca.crt in the folder data, which is made. */
void hosttest_certificates(const char *data, const char *address, const struct ca_cert *ca);

/* The pair <name>.crt, <name>.key beside them, of that common name and this group. */
void hosttest_pair(const char *data, const char *name, const char *group, const struct ca_cert *ca);

/* An address of 127.64.0.0/10 that no other test process has; i tells a test's hosts apart. */
void hosttest_address(int i, char *ret, size_t size);

/* orders-<i + 1> of Database orders in payments-dev, with a role app; a new value. */
json_t *hosttest_want(int i, int major, const char *role);

/* Ends the server of a member, whoever started it; then removes the folder at path. */
void hosttest_end_server(const char *data, int i);

#endif
