/*
 * The object store: the only home of system SQL. Rows, revisions, watches, tokens, live values.
 *
 * Objects are whole JSON values in Kubernetes' shape (apiVersion, kind, metadata, spec/data/...,
 * status). The store owns metadata.uid, resourceVersion, generation, creationTimestamp,
 * deletionTimestamp; other metadata is kept as given. Secrets' data are sealed before they reach a
 * row and opened on the way out.
 *
 * Writes that arrive together share one transaction and one fsync (a committer thread): a write
 * returns when it is durable. Each takes the next revision under a row lock, so that revisions
 * become visible in order; change_log gets one row a write, and a NOTIFY wakes all watchers.
 *
 * All functions: any thread, blocking. ERR_UNAVAILABLE: the system database is away.
 */
#ifndef SLIPWAY_STORE_STORE_H
#define SLIPWAY_STORE_STORE_H

#include "base/secret.h"
#include "codec/jv.h"

struct store;

struct store_conf {
	const char *conninfo;
	const struct secret_key *key;
	int sessions; /* 0: 16 */
};

/* Opens sessions, migrates the schema, starts committer and watcher. */
enum err_code store_open(const struct store_conf *c, struct store **ret, struct err *e);
void store_close(struct store *s);

/* An object's address. kind is the kind's name ("Database"); ns "" for cluster-wide kinds. */
struct store_key {
	const char *kind;
	const char *ns;
	const char *name;
};

enum store_verb {
	STORE_CREATE, /* ERR_EXISTS when it is there */
	STORE_UPDATE, /* all but status; generation+1 when spec (all outside metadata and status)
			 changed */
	STORE_STATUS, /* status only */
	STORE_BOTH, /* UPDATE and STATUS at once: for controllers */
	STORE_DELETE, /* with finalizers: sets deletionTimestamp; without: the row goes */
};

/* One write. An UPDATE that takes the last finalizer off an object that is being deleted deletes
 * it. */
struct store_write {
	enum store_verb verb;
	struct store_key key;
	json_t *object; /* borrowed; NULL for DELETE */
	int64_t if_revision; /* 0: whatever is there; else ERR_CONFLICT unless it is this */
	const char *if_uid; /* NULL: any */
	/* filled: */
	enum err_code code;
	json_t *ret; /* what is stored now (or was, for a row that went); the caller's to drop */
	bool is_changed; /* false: equal to what was there; nothing was written, revision unchanged
			  */
};

/* n writes, all or none (the first that fails decides, the others are ERR_CONFLICT "not tried"). */
enum err_code store_write(struct store *s, struct store_write *w, size_t n, struct err *e);

/* ERR_NOT_FOUND: 'databases.slipway.dev "orders" not found' is the caller's to word. */
enum err_code store_get(struct store *s, struct store_key key, json_t **ret, struct err *e);

/* What a list or watch selects. Zeroed: all of the kind. */
struct store_filter {
	const char *ns; /* NULL or "": all */
	const char *name; /* NULL: all */
	json_t *labels; /* NULL, or [{"key": k, "op": "=" "!=" "in" "notin" "exists" "!", "values":
			   [..]}] */
};

/* Objects in order of namespace and name, each handed over as its JSON text; on_text says false to
 * stop. limit 0: all; after: the "namespace/name" to go on behind (continue tokens are api/'s
 * business). *ret_revision is the revision that the list is of. */
typedef bool store_text(void *arg, const char *ns, const char *name, struct str text);
enum err_code store_list(
	struct store *s, const char *kind, const struct store_filter *f, size_t limit,
	const char *after, store_text *on_text, void *arg, int64_t *ret_revision, struct err *e);

/* The same, parsed, as an array. */
enum err_code store_list_json(
	struct store *s, const char *kind, const struct store_filter *f, json_t **ret,
	int64_t *ret_revision, struct err *e);

enum store_event_type { STORE_ADDED, STORE_MODIFIED, STORE_DELETED, STORE_BOOKMARK };

struct store_event {
	enum store_event_type type;
	int64_t revision;
	const char *kind, *ns, *name, *uid;
	struct str text; /* the object, for DELETED as it was last, with the revision of its
			    deletion */
};

/*
 * Watches. on_event is called on the store's watch thread, in revision order, each change after
 * `revision` exactly once; it must not block and not call the store. kind NULL: all kinds. A label
 * selector turns a change out of it into DELETED and into it into ADDED, as Kubernetes does.
 * code ERR_GONE (event NULL): the watch has missed rows (compacted) and is dead; list again.
 */
typedef void store_on_event(void *arg, const struct store_event *ev, enum err_code code);
struct store_watch;
enum err_code store_watch_start(
	struct store *s, const char *kind, const struct store_filter *f, int64_t revision,
	store_on_event *on_event, void *arg, struct store_watch **ret, struct err *e);
void store_watch_stop(struct store_watch *w); /* no call comes after it has returned */

/* Deletes change_log rows older than keep_s; watchers that are behind get ERR_GONE. */
enum err_code store_compact(struct store *s, int keep_s, struct err *e);

/* Tokens, kept as SHA-256. kind "user" or "join"; subject is whose ("admin"), group its group. A
 * join token is used up by store_token_use (which also takes it from every other user of it). */
struct store_token {
	char subject[64];
	char group[64];
	char detail[256]; /* JSON text: for join, the zone and host it is for */
};
enum err_code store_token_put(
	struct store *s, const char *kind, struct str token, const struct store_token *t,
	int64_t ttl_s /* 0: for ever */, struct err *e);
enum err_code store_token_find(
	struct store *s, const char *kind, struct str token, struct store_token *ret,
	struct err *e);
enum err_code store_token_use(
	struct store *s, const char *kind, struct str token, struct store_token *ret,
	struct err *e);

/* Live values (heartbeats, LSN, lag): kept in memory, written in one statement every two seconds to
 * an unlogged table for other replicas. body is JSON, what the host said last; empty: only a sign
 * of life. */
void store_pulse_put(struct store *s, const char *host, struct str body);
/* The newest of memory and table, parsed (unless ret_body is NULL); age_ms since it was heard.
 * ERR_NOT_FOUND: never heard. */
enum err_code store_pulse_get(
	struct store *s, const char *host, json_t **ret_body, int64_t *ret_age_ms, struct err *e);

/* Small documents by key with a lock (terraform's state), sealed at rest: value NULL deletes. */
enum err_code store_blob_get(struct store *s, const char *key, struct buf *ret, struct err *e);
enum err_code store_blob_put(
	struct store *s, const char *key, const struct str *value,
	const char *lock_id /* NULL: only when not locked */, struct buf *ret_lock, struct err *e);
/* ERR_CONFLICT: held; *ret_lock is the holder's JSON. */
enum err_code store_blob_lock(
	struct store *s, const char *key, struct str lock_json, struct buf *ret_lock,
	struct err *e);
enum err_code store_blob_unlock(
	struct store *s, const char *key, const char *lock_id, struct buf *ret_lock, struct err *e);

/* One leader among replicas, by a session-level advisory lock. True while we hold it; a lost
 * session loses it (checked at each call, and by the watcher's session). */
bool store_is_leader(struct store *s);

/* True when the system database answered lately; *ret_retry_s for a Retry-After header. */
bool store_is_up(struct store *s, int *ret_retry_s);

#endif
