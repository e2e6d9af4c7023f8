/*
 * Loss: what a client is told when its server dies under it (DESIGN: never a lie).
 *
 * Pure: where it stood, and what it had asked for, in; what to do out. A read that was not answered
 * yet runs again; an open transaction is a 40001; what may have been committed is a 40003.
 */
#ifndef SLIPWAY_GATEWAY_LOSS_H
#define SLIPWAY_GATEWAY_LOSS_H

#include "gateway/stmt.h"

enum loss {
	LOSS_NOTHING, /* it was at rest */
	LOSS_OWED, /* idle in a transaction: told when it speaks next */
	LOSS_AGAIN, /* the batch runs again on the next server */
	LOSS_ROLLED_BACK, /* 40001: the transaction is gone, surely */
	LOSS_UNKNOWN, /* 40003: the outcome is not known */
};

struct loss_view {
	bool is_in_transaction; /* as of the last ReadyForQuery */
	bool is_at_work; /* a batch is open, or not all of it is answered */
	bool has_answered; /* something of the batch went to the client */
	bool is_whole; /* the batch below is all of it */
	bool is_quoting; /* standard_conforming_strings is off */
	struct str batch; /* messages since the last boundary */
	const struct stmts *stmts; /* the client's */
	const struct stmt *unnamed;
};

enum loss loss_of(const struct loss_view *v);
/* Does a batch that begins with this message only roll back? type 'Q' or 'P'. */
bool loss_is_rollback(char type, struct str body);
bool loss_is_commit(char type, struct str body);

#endif
