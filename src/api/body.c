#include "api/body.h"

#include <ctype.h>

#include "api/kubepb.h"
#include "api/status.h"
#include "codec/yaml.h"

json_t *body_check_size(struct call *c)
{
	return c->rq->body.n > BODY_MAX ? status_too_large(BODY_MAX) : NULL;
}

/* The media type without its parameters, in the arena; "" where there is none. */
static const char *content_type(struct call *c)
{
	struct str header = str_of(http_header(c->rq, "Content-Type")), type = {"", 0};

	if (header.p)
		str_split(&header, ';', &type);
	type = str_trim(type);
	return arena_strndup(c->arena, type.p, type.n);
}

static bool is_json(const char *type)
{
	return !*type || !strcmp(type, "application/json");
}

static bool is_yaml(const char *type)
{
	return !strcmp(type, "application/yaml") || !strcmp(type, "application/x-yaml") ||
		!strcmp(type, "text/yaml");
}

/* The first bytes, as Kubernetes shows what it could not read. */
static const char *summary(struct call *c)
{
	struct str body = c->rq->body;
	char *text = arena_strndup(c->arena, body.p ? body.p : "", MIN(body.n, (size_t)30));

	for (char *at = text; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = ' ';
	return arena_printf(c->arena, "%s%s", text, body.n > 30 ? " ..." : "");
}

static json_t *broken(struct call *c, const struct err *e)
{
	const struct kind *k = c->route.kind;

	return status_bad_request(
		"the object provided is unrecognized (must be of type %s): couldn't get "
		"version/kind; json parse error: %s (%s)",
		k ? k->name : "object", e->text, summary(c));
}

static json_t *read_json(struct call *c, json_t **ret)
{
	struct err e = {0};

	return jv_parse(c->rq->body, BODY_MAX, ret, &e) ? broken(c, &e) : NULL;
}

static json_t *read_kubepb(struct call *c, json_t **ret)
{
	struct err e = {0};

	return kubepb_read(c->rq->body, ret, &e) ? status_bad_request("%s", e.text) : NULL;
}

json_t *body_read_yaml(struct call *c, json_t **ret)
{
	struct err e = {0};
	json_t *docs = NULL;

	if (yaml_parse(c->rq->body, BODY_MAX, &docs, &e))
		return status_bad_request("error decoding YAML: %s", e.text);
	if (json_array_size(docs) != 1) {
		json_decref(docs);
		return status_bad_request("the body must be one YAML document");
	}
	*ret = json_incref(json_array_get(docs, 0));
	json_decref(docs);
	return NULL;
}

json_t *body_read(struct call *c, bool may_be_empty, json_t **ret)
{
	const char *type = content_type(c);
	json_t *status = body_check_size(c);

	if (status)
		return status;
	if (!c->rq->body.n && may_be_empty) {
		*ret = NULL;
		return NULL;
	}
	if (is_yaml(type))
		return body_read_yaml(c, ret);
	if (is_json(type))
		return read_json(c, ret);
	if (!strcmp(type, KUBEPB_TYPE))
		return read_kubepb(c, ret);
	return status_unsupported_media("application/json, application/yaml, " KUBEPB_TYPE);
}

static const struct {
	const char *text;
	enum validation validation;
} validations[] = {
	{"Ignore", VALIDATION_IGNORE},
	{"Strict", VALIDATION_STRICT},
	{"Warn", VALIDATION_WARN},
};

static json_t *read_validation(struct call *c, const char *name, struct options *o)
{
	const char *text = call_query(c, "fieldValidation", "Warn");

	for (size_t i = 0; i < ARRAY_LEN(validations); i++)
		if (!strcmp(validations[i].text, text)) {
			o->validation = validations[i].validation;
			return NULL;
		}
	return status_bad_option(
		name, "fieldValidation", "FieldValueNotSupported",
		arena_printf(
			c->arena,
			"Unsupported value: \"%s\": supported values: \"Ignore\", \"Strict\", "
			"\"Warn\"",
			text));
}

/* "kubectl" of "kubectl/v1.32.4 (linux/amd64) kubernetes/4cb5f07". */
static const char *program_of(struct call *c)
{
	struct str agent = str_of(http_header(c->rq, "User-Agent")), program = {"", 0};

	if (agent.p)
		str_split(&agent, '/', &program);
	return program.n ? arena_strndup(c->arena, program.p, MIN(program.n, (size_t)MANAGER_MAX))
			 : "unknown";
}

static json_t *read_manager(struct call *c, const char *name, struct options *o)
{
	const char *manager = call_query(c, "fieldManager", NULL);

	o->has_manager = manager != NULL;
	o->manager = manager ? manager : program_of(c);
	if (strlen(o->manager) > MANAGER_MAX)
		return status_bad_option(
			name, "fieldManager", "FieldValueTooLong",
			arena_printf(
				c->arena, "Too long: may not be more than %d bytes", MANAGER_MAX));
	for (const char *at = o->manager; *at; at++)
		if (iscntrl((unsigned char)*at))
			return status_bad_option(
				name, "fieldManager", "FieldValueInvalid",
				"Invalid value: should only contain printable characters");
	return NULL;
}

json_t *options_read(struct call *c, const char *name, struct options *ret)
{
	const char *dry = call_query(c, "dryRun", NULL);
	const char *force = call_query(c, "force", "");
	json_t *status;

	*ret = (struct options){
		.is_dry = dry != NULL,
		.is_forced = !strcmp(force, "true") || !strcmp(force, "1"),
	};
	if (dry && strcmp(dry, "All") != 0)
		return status_bad_option(
			name, "dryRun", "FieldValueNotSupported",
			arena_printf(
				c->arena, "Unsupported value: \"%s\": supported values: \"All\"",
				dry));
	status = read_validation(c, name, ret);
	return status ? status : read_manager(c, name, ret);
}
