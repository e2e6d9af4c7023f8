#include "api/terraform.h"

#include "api/body.h"
#include "api/reply.h"
#include "api/spaces.h"
#include "api/status.h"

static json_t *check_place(struct call *c)
{
	struct err e = {0};
	enum space space;

	if (!kind_name_is_ok(c->route.name))
		return status_bad_request(
			"\"%s\" is no name for a state: lower case letters, digits and '-'",
			c->route.name);
	if (spaces_find(c->api->spaces, c->route.ns, &space, &e))
		return status_of_err(kind_by_name("Namespace"), c->route.ns, e.code, &e);
	return space == SPACE_NONE ? status_namespace_not_found(c->route.ns) : NULL;
}

static const char *key_of(struct call *c)
{
	return arena_printf(c->arena, "terraform/%s/%s", c->route.ns, c->route.name);
}

/* Somebody else holds it: terraform shows who, from the lock's own JSON. */
static json_t *locked(struct call *c, struct buf *lock)
{
	reply_text(c, 423, "application/json", buf_view(lock));
	return NULL;
}

static json_t *finish(struct call *c, enum err_code code, struct buf *lock, const struct err *e)
{
	json_t *status = NULL;

	if (code == ERR_CONFLICT)
		status = locked(c, lock);
	else if (code)
		status = status_of_err(kind_by_name("Namespace"), c->route.ns, code, e);
	buf_done(lock);
	return status;
}

static json_t *state_get(struct call *c)
{
	struct err e = {0};
	enum err_code code = store_blob_get(c->api->store, key_of(c), &c->rs->body, &e);

	if (code == ERR_NOT_FOUND) {
		c->rs->status = 404;
		return NULL;
	}
	return code ? status_of_err(kind_by_name("Namespace"), c->route.ns, code, &e) : NULL;
}

static json_t *state_put(struct call *c)
{
	const char *id = call_query(c, "ID", NULL);
	CLEANUP(jv_drop) json_t *state = NULL;
	struct buf lock = {0};
	struct err e = {0};

	if (jv_parse(c->rq->body, BODY_MAX, &state, &e))
		return status_bad_request("the state is no JSON: %s", e.text);
	return finish(
		c, store_blob_put(c->api->store, key_of(c), &c->rq->body, id, &lock, &e), &lock,
		&e);
}

static json_t *state_delete(struct call *c)
{
	struct buf lock = {0};
	struct err e = {0};
	enum err_code code = store_blob_put(
		c->api->store, key_of(c), NULL, call_query(c, "ID", NULL), &lock, &e);

	return finish(c, code, &lock, &e);
}

static json_t *state_lock(struct call *c)
{
	struct buf lock = {0};
	struct err e = {0};
	enum err_code code = store_blob_lock(c->api->store, key_of(c), c->rq->body, &lock, &e);

	return finish(c, code, &lock, &e);
}

/* terraform force-unlock sends no lock, and means whatever there is. */
static json_t *state_unlock(struct call *c)
{
	CLEANUP(jv_drop) json_t *body = NULL;
	struct buf lock = {0};
	struct err e = {0};
	enum err_code code;

	if (c->rq->body.n && jv_parse(c->rq->body, BODY_MAX, &body, &e))
		return status_bad_request("the lock is no JSON: %s", e.text);
	code = store_blob_unlock(c->api->store, key_of(c), jv_str(body, "ID"), &lock, &e);
	return finish(c, code, &lock, &e);
}

static const struct {
	const char *method;
	call_handler *handler;
} methods[] = {
	{"GET", state_get},       {"POST", state_put},  {"PUT", state_put},
	{"DELETE", state_delete}, {"LOCK", state_lock}, {"UNLOCK", state_unlock},
};

json_t *terraform_handle(struct call *c)
{
	json_t *status = body_check_size(c);

	if (!status)
		status = check_place(c);
	for (size_t i = 0; !status && i < ARRAY_LEN(methods); i++)
		if (!strcmp(methods[i].method, c->rq->method))
			return methods[i].handler(c);
	return status ? status : status_method_not_allowed();
}
