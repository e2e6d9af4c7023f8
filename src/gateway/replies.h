/*
 * What a server still has to answer, in order: a ring with an entry for each message that has an
 * answer of its own. It tells which answers are the client's, which are the gateway's own, and
 * where an answer is to be put in that no server gives.
 *
 * Pure. After an error a server skips all up to the Sync (documentation: "Extended Query"), and so
 * does replies_error.
 */
#ifndef SLIPWAY_GATEWAY_REPLIES_H
#define SLIPWAY_GATEWAY_REPLIES_H

#include "gateway/stmt.h"

enum reply_kind {
	REPLY_QUERY, /* Query, FunctionCall: anything up to ReadyForQuery */
	REPLY_SYNC, /* ReadyForQuery */
	REPLY_PARSE, /* '1' */
	REPLY_BIND, /* '2' */
	REPLY_CLOSE, /* '3' */
	REPLY_DESCRIBE, /* 'T' or 'n'; a 't' before it is of the same answer */
	REPLY_EXECUTE, /* 'C', 'I' or 's' */
};

struct reply {
	uint8_t kind;
	bool is_own; /* the gateway asked */
	bool is_made; /* nothing was sent: the gateway answers in the server's place */
	struct stmt *stmt; /* of REPLY_PARSE in transaction mode: a reference */
};

struct replies {
	struct reply *ring;
	uint32_t at, n, cap;
	uint32_t ready; /* entries that end in ReadyForQuery */
	bool is_skipping; /* an error came, and its Sync has not been sent yet */
};

void replies_done(struct replies *r);
/* Not when is_skipping, but for REPLY_SYNC and REPLY_QUERY, which end it. */
void replies_push(struct replies *r, struct reply reply);
struct reply *replies_head(const struct replies *r); /* NULL: nothing is expected */
void replies_pop(struct replies *r);
/* Does a message of this type end the head's answer? */
bool replies_ends(const struct reply *head, char type);
/* ErrorResponse: what stands before the next SYNC is given to drop() and gone. */
void replies_error(struct replies *r, void (*drop)(void *arg, struct reply *gone), void *arg);

#endif
