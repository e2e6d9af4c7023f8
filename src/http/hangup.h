/*
 * Notices that the other end of a socket has closed it, for those whom nobody reads: one thread and
 * one epoll for all.
 *
 * A watch is embedded in its owner. on_hangup runs on the thread here, at most once, for a socket
 * that was closed, half-closed or reset. After hangup_drop it may still be running or about to run
 * once; released says that it never will again, and only then may the owner be freed.
 */
#ifndef SLIPWAY_HTTP_HANGUP_H
#define SLIPWAY_HTTP_HANGUP_H

#include "base/err.h"
#include "base/list.h"

struct hangups;

struct hangup {
	struct list at;
	int fd;
	void (*on_hangup)(struct hangup *w);
	void (*released)(struct hangup *w);
};

enum err_code hangups_start(struct hangups **ret, struct err *e);
void hangups_stop(struct hangups *h); /* releases what was dropped; all must have been */

/* The socket must stay open until hangup_drop. */
void hangup_add(struct hangups *h, struct hangup *w);
void hangup_drop(struct hangups *h, struct hangup *w);

#endif
