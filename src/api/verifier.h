/*
 * What a Secret of type slipway.dev/verifier says, read from its JSON text. Pure.
 */
#ifndef SLIPWAY_API_VERIFIER_H
#define SLIPWAY_API_VERIFIER_H

#include "codec/jv.h"

struct verifier {
	char *database, *role; /* whose it is */
	char *current; /* what the servers take; NULL: it is no such Secret */
	char *next; /* of the password that waits to be fetched; NULL: none */
	int64_t revision;
};

/* Leaves ret as it is where the text is another Secret's. */
void verifier_read(struct str text, struct verifier *ret);
void verifier_done(struct verifier *v);

#endif
