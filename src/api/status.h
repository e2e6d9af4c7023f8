/*
 * Status: what the API answers instead of an object, word for word as Kubernetes does
 * (apimachinery, pkg/api/errors).
 *
 * Pure. Each function makes a new metav1.Status; the caller drops it. A handler that fails returns
 * one, a handler that has answered returns NULL.
 */
#ifndef SLIPWAY_API_STATUS_H
#define SLIPWAY_API_STATUS_H

#include "codec/schema.h"
#include "kinds/kinds.h"

json_t *status_new(int code, const char *reason, const char *fmt, ...) PRINTF(3, 4);

json_t *status_bad_request(const char *fmt, ...) PRINTF(1, 2);
json_t *status_unauthorized(void);
json_t *status_no_such_path(void);
json_t *status_method_not_allowed(void);
json_t *status_not_acceptable(void);
json_t *status_unsupported_media(const char *accepted);
json_t *status_too_large(size_t limit);
json_t *status_unavailable(int retry_s);
json_t *status_internal(const char *what);

/* About an object, or about the kind's collection where name is NULL. */
json_t *status_not_found(const struct kind *k, const char *name);
json_t *status_exists(const struct kind *k, const char *name);
json_t *status_conflict(const struct kind *k, const char *name, const char *why);
json_t *status_modified(const struct kind *k, const char *name);
json_t *status_forbidden(const struct kind *k, const char *name, const char *why);
json_t *status_invalid(const struct kind *k, const char *name, const struct schema_causes *causes);
/* Of query parameters: 'ListOptions.meta.k8s.io "" is invalid: …' */
json_t *
status_bad_option(const char *options, const char *field, const char *reason, const char *message);
json_t *status_namespace_not_found(const char *ns);
json_t *status_terminating(const struct kind *k, const char *name, const char *ns);
json_t *status_expired(const char *fmt, ...) PRINTF(1, 2);
json_t *status_too_new(int64_t asked, int64_t current);

/* {"status": "Success"} about an object that was deleted. */
json_t *status_deleted(const struct kind *k, const char *name, const char *uid);

/* What a store's error means for a request about this object. */
json_t *
status_of_err(const struct kind *k, const char *name, enum err_code code, const struct err *e);

void status_add_cause(json_t *status, const char *reason, const char *message, const char *field);
int status_code(const json_t *status);

#endif
