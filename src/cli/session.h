/*
 * Session: one run of a client verb: who we are, where the API is, and calls to it.
 *
 * One thread. What a call answers lives until it is dropped; texts live in the session's arena. An
 * answer that is an error becomes an err with the sentence of the API's Status.
 */
#ifndef SLIPWAY_CLI_SESSION_H
#define SLIPWAY_CLI_SESSION_H

#include "cli/kubeconfig.h"
#include "cli/values.h"
#include "codec/jv.h"
#include "http/client.h"
#include "kinds/kinds.h"

#define SESSION_MANAGER "slipway" /* our field manager */

struct session {
	struct arena arena;
	const struct cli_values *values;
	struct kubeconfig config;
	const char *ns; /* the one that is meant; NULL: all */
	struct http_client *json, *table; /* made when first used; they differ in Accept */
};

enum err_code session_open(const struct cli_values *v, struct session *ret, struct err *e);
void session_done(struct session *s);

/* "/apis/slipway.dev/v1/namespaces/payments-dev/databases/orders"; name NULL: the collection; ns
 * NULL: of all namespaces. */
const char *session_path(struct session *s, const struct kind *k, const char *ns, const char *name);

/* path?key=value&..., values percent-encoded; pairs end with NULL, those with a NULL value are left
 * out. */
const char *session_query(struct session *s, const char *path, const char *const *pairs);

/* body NULL: none. content_type NULL: application/json. ret may be NULL. ret_status (may be NULL)
 * is the HTTP status of a good answer. */
enum err_code session_call(
	struct session *s, const char *method, const char *path, const char *content_type,
	const json_t *body, int *ret_status, json_t **ret, struct err *e);
enum err_code session_get(struct session *s, const char *path, json_t **ret, struct err *e);
enum err_code session_get_table(struct session *s, const char *path, json_t **ret, struct err *e);

/*
 * Watches path (a collection) from a list's revision, over lost connections, until on_event says
 * false (ERR_OK), the time is over (ERR_TIMEOUT; timeout_ms -1: never), or the API refuses. When
 * rows were compacted away the collection is listed anew and each object comes as "ADDED". object
 * is valid during the call.
 */
typedef bool session_event(void *arg, const char *type, json_t *object);
enum err_code session_watch(
	struct session *s, const char *path, const char *const *pairs, const char *revision,
	bool is_table, int timeout_ms, session_event *on_event, void *arg, struct err *e);

/* The kind that a word means: "databases", "db", "Database". */
enum err_code session_kind(const char *word, const struct kind **ret, struct err *e);

#endif
