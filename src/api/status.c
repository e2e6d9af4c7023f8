#include "api/status.h"

static json_t *status_make(int code, const char *reason, json_t *message)
{
	return json_pack(
		"{s:s, s:s, s:{}, s:s, s:o, s:s, s:i}", "kind", "Status", "apiVersion", "v1",
		"metadata", "status", "Failure", "message", message, "reason", reason, "code",
		code);
}

/* json_string refuses what is not UTF-8; a message must come through. */
static json_t *text_of(const char *text)
{
	json_t *v = json_string(text);

	return v ? v : json_string("(text that is not UTF-8)");
}

static PRINTF(3, 0) json_t *status_make_v(int code, const char *reason, const char *fmt, va_list ap)
{
	struct buf text = {0};
	json_t *s;

	buf_vprintf(&text, fmt, ap);
	s = status_make(code, reason, text_of(text.p));
	buf_done(&text);
	return s;
}

json_t *status_new(int code, const char *reason, const char *fmt, ...)
{
	va_list ap;
	json_t *s;

	va_start(ap, fmt);
	s = status_make_v(code, reason, fmt, ap);
	va_end(ap);
	return s;
}

json_t *status_bad_request(const char *fmt, ...)
{
	va_list ap;
	json_t *s;

	va_start(ap, fmt);
	s = status_make_v(400, "BadRequest", fmt, ap);
	va_end(ap);
	return s;
}

json_t *status_expired(const char *fmt, ...)
{
	va_list ap;
	json_t *s;

	va_start(ap, fmt);
	s = status_make_v(410, "Expired", fmt, ap);
	va_end(ap);
	return s;
}

json_t *status_unauthorized(void)
{
	return status_new(401, "Unauthorized", "Unauthorized");
}

json_t *status_no_such_path(void)
{
	json_t *s = status_new(404, "NotFound", "the server could not find the requested resource");

	json_object_set_new(s, "details", json_object());
	return s;
}

json_t *status_method_not_allowed(void)
{
	json_t *s = status_new(
		405, "MethodNotAllowed",
		"the server does not allow this method on the requested resource");

	json_object_set_new(s, "details", json_object());
	return s;
}

json_t *status_not_acceptable(void)
{
	return status_new(
		406, "NotAcceptable",
		"only the following media types are accepted: application/json, application/yaml");
}

json_t *status_unsupported_media(const char *accepted)
{
	return status_new(
		415, "UnsupportedMediaType",
		"the body of the request was in an unknown format - accepted media types include: "
		"%s",
		accepted);
}

json_t *status_too_large(size_t limit)
{
	return status_new(
		413, "RequestEntityTooLarge", "Request entity too large: limit is %zu", limit);
}

json_t *status_unavailable(int retry_s)
{
	json_t *s = status_new(
		503, "ServiceUnavailable",
		"the system database cannot be reached now; try again in %d s (databases keep "
		"running)",
		retry_s);

	json_object_set_new(s, "details", json_pack("{s:i}", "retryAfterSeconds", retry_s));
	return s;
}

json_t *status_internal(const char *what)
{
	json_t *s = status_new(500, "InternalError", "Internal error occurred: %s", what);

	json_object_set_new(s, "details", json_object());
	status_add_cause(s, NULL, what, NULL);
	return s;
}

/* details, with the kind as a resource ("databases") or by its name ("Database"). */
static void details_set(json_t *s, const struct kind *k, const char *name, const char *kind)
{
	json_t *d = json_object();

	if (name && *name)
		json_object_set_new(d, "name", text_of(name));
	if (*k->group)
		json_object_set_new(d, "group", json_string(k->group));
	json_object_set_new(d, "kind", json_string(kind));
	json_object_set_new(s, "details", d);
}

json_t *status_not_found(const struct kind *k, const char *name)
{
	json_t *s = status_new(404, "NotFound", "%s \"%s\" not found", k->resource, name);

	details_set(s, k, name, k->plural);
	return s;
}

json_t *status_exists(const struct kind *k, const char *name)
{
	json_t *s = status_new(409, "AlreadyExists", "%s \"%s\" already exists", k->resource, name);

	details_set(s, k, name, k->plural);
	return s;
}

json_t *status_conflict(const struct kind *k, const char *name, const char *why)
{
	json_t *s = status_new(
		409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s", k->resource,
		name, why);

	details_set(s, k, name, k->plural);
	return s;
}

json_t *status_modified(const struct kind *k, const char *name)
{
	return status_conflict(
		k, name,
		"the object has been modified; please apply your changes to the latest version and "
		"try again");
}

json_t *status_forbidden(const struct kind *k, const char *name, const char *why)
{
	json_t *s;

	if (name && *name)
		s = status_new(
			403, "Forbidden", "%s \"%s\" is forbidden: %s", k->resource, name, why);
	else
		s = status_new(403, "Forbidden", "%s is forbidden: %s", k->resource, why);
	details_set(s, k, name, k->plural);
	return s;
}

/* "f: m" of one cause, "[f: m, g: n]" of several, as Kubernetes' error lists print. */
static void causes_print(struct buf *out, const struct schema_causes *causes)
{
	size_t kept = MIN(causes->n, (size_t)SCHEMA_CAUSES_MAX);

	if (kept > 1)
		buf_putc(out, '[');
	for (size_t i = 0; i < kept; i++)
		buf_printf(
			out, "%s%s: %s", i ? ", " : "", causes->v[i].field, causes->v[i].message);
	if (causes->n > kept)
		buf_printf(out, ", and %zu more", causes->n - kept);
	if (kept > 1)
		buf_putc(out, ']');
}

json_t *status_invalid(const struct kind *k, const char *name, const struct schema_causes *causes)
{
	struct buf text = {0};
	json_t *s;

	causes_print(&text, causes);
	s = status_new(
		422, "Invalid", "%s%s%s \"%s\" is invalid: %s", k->name, *k->group ? "." : "",
		k->group, name ? name : "", text.p);
	buf_done(&text);
	details_set(s, k, name, k->name);
	for (size_t i = 0; i < MIN(causes->n, (size_t)SCHEMA_CAUSES_MAX); i++)
		status_add_cause(s, causes->v[i].reason, causes->v[i].message, causes->v[i].field);
	return s;
}

json_t *
status_bad_option(const char *options, const char *field, const char *reason, const char *message)
{
	json_t *s = status_new(
		422, "Invalid", "%s.meta.k8s.io \"\" is invalid: %s: %s", options, field, message);

	json_object_set_new(
		s, "details", json_pack("{s:s, s:s}", "group", "meta.k8s.io", "kind", options));
	status_add_cause(s, reason, message, field);
	return s;
}

json_t *status_namespace_not_found(const char *ns)
{
	return status_not_found(kind_by_name("Namespace"), ns);
}

json_t *status_terminating(const struct kind *k, const char *name, const char *ns)
{
	struct arena a = {0};
	json_t *s = status_forbidden(
		k, name,
		arena_printf(
			&a,
			"unable to create new content in namespace %s because it is being "
			"terminated",
			ns));

	status_add_cause(
		s, "NamespaceTerminating", arena_printf(&a, "namespace %s is being terminated", ns),
		"metadata.namespace");
	arena_done(&a);
	return s;
}

json_t *status_too_new(int64_t asked, int64_t current)
{
	json_t *s = status_new(
		504, "Timeout", "Timeout: Too large resource version: %lld, current: %lld",
		(long long)asked, (long long)current);

	json_object_set_new(s, "details", json_pack("{s:i}", "retryAfterSeconds", 1));
	status_add_cause(s, "ResourceVersionTooLarge", "Too large resource version", NULL);
	return s;
}

json_t *status_deleted(const struct kind *k, const char *name, const char *uid)
{
	json_t *s = json_pack(
		"{s:s, s:s, s:{}, s:s}", "kind", "Status", "apiVersion", "v1", "metadata", "status",
		"Success");

	details_set(s, k, name, k->plural);
	if (uid)
		json_object_set_new(json_object_get(s, "details"), "uid", json_string(uid));
	return s;
}

json_t *
status_of_err(const struct kind *k, const char *name, enum err_code code, const struct err *e)
{
	switch (code) {
	case ERR_NOT_FOUND:
		return status_not_found(k, name);
	case ERR_EXISTS:
		return status_exists(k, name);
	case ERR_CONFLICT:
		return status_modified(k, name);
	case ERR_FORBIDDEN:
		return status_forbidden(k, name, e->text);
	case ERR_GONE:
		return status_expired("%s", e->text);
	case ERR_INVALID:
	case ERR_LIMIT:
		return status_bad_request("%s", e->text);
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT:
		return status_unavailable(1);
	default:
		return status_internal(e->text);
	}
}

void status_add_cause(json_t *status, const char *reason, const char *message, const char *field)
{
	json_t *details = jv_object_at(status, "details"), *cause = json_object();

	if (!json_object_get(details, "causes"))
		json_object_set_new(details, "causes", json_array());
	if (reason)
		json_object_set_new(cause, "reason", json_string(reason));
	json_object_set_new(cause, "message", text_of(message));
	if (field)
		json_object_set_new(cause, "field", text_of(field));
	json_array_append_new(json_object_get(details, "causes"), cause);
}

int status_code(const json_t *status)
{
	return (int)jv_int(status, "code", 200);
}
