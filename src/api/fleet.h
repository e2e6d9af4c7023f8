/*
 * The fleet: a picture in memory of all hosts and what runs on them, that follows the store.
 *
 * From it come the wants of a host, the answer whether a report brings anything new, and live
 * values; none of them costs SQL. One lock guards it all and is held for microseconds. Any thread.
 */
#ifndef SLIPWAY_API_FLEET_H
#define SLIPWAY_API_FLEET_H

#include "api/gist.h"
#include "api/turn.h"
#include "store/store.h"

struct fleet;

/* Called after something changed that a host must hear of; may be any thread, no lock is held. It
 * must not call the fleet. */
typedef void fleet_on_change(void *arg, const char *host);

enum err_code fleet_new(
	struct store *s, fleet_on_change *on_change, void *arg, struct fleet **ret, struct err *e);
/* From here on nothing changes in it any more, and on_change is not called. */
void fleet_unfollow(struct fleet *f);
void fleet_free(struct fleet *f);

/* Is there a Host of this name? */
bool fleet_has_host(struct fleet *f, const char *host);

/* Appends the line of wants for this host, with its end. */
void fleet_wants(struct fleet *f, const char *host, struct buf *out);

/* Is this report of a host newer than all that were taken? ret_last is the newest. Only the caller
 * knows in which order it takes what is in them: it does so under a lock of its own. */
bool fleet_take_turn(struct fleet *f, const char *host, struct turn turn, struct turn *ret_last);

/* What a host says of one of its members. Texts are borrowed. */
struct fleet_report {
	const char *uid;
	uint64_t status; /* hash_value of the status */
	const char *lsn; /* NULL: none */
	int64_t lag_bytes; /* -1: unknown */
};

enum fleet_verdict {
	FLEET_SAME, /* as the row has it, or is being written now */
	FLEET_CHANGED, /* to be written; counts as being written for FLEET_WRITING_MS */
	FLEET_UNKNOWN, /* no such member: not yet seen, or gone already */
	FLEET_FOREIGN, /* another host's */
};

enum { FLEET_WRITING_MS = 3000, FLEET_LIVE_MS = 10000 };

enum fleet_verdict fleet_tell(struct fleet *f, const char *host, const struct fleet_report *r);

/* The same for the host's own status: hash_value of what the agent says of it. The first report
 * after a start counts as changed; writing it changes nothing then. */
bool fleet_tell_host(struct fleet *f, const char *host, uint64_t status);

/* A report was told in full, with these members in this order: the next one of its gist says
 * nothing else. */
void fleet_remember(
	struct fleet *f, const char *host, uint64_t gist, const char *const *uids, size_t n);

/* True: the report says what the last one that was remembered said, all of that is in its row or
 * being written, and its live values were taken; they are appended by uid, as JSON. Else the report
 * must be told in full. */
bool fleet_tell_again(
	struct fleet *f, const char *host, const struct gist *g, struct buf *ret_live);

/* What was last heard of a member, not older than FLEET_LIVE_MS. */
struct fleet_live {
	char host[64]; /* "": no such member */
	char lsn[24]; /* "": nothing heard lately */
	int64_t lag_bytes; /* -1: unknown */
};

struct fleet_live fleet_live(struct fleet *f, const char *ns, const char *name);

/* Members that are placed on it. */
int64_t fleet_member_count(struct fleet *f, const char *host);

#endif
