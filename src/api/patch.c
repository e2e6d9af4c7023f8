#include "api/patch.h"

#include "api/apply.h"
#include "api/status.h"
#include "api/write.h"
#include "codec/patch.h"

typedef enum err_code
patch_function(const json_t *value, const json_t *patch, json_t **ret, struct err *e);

/* By Content-Type. Strategic merge knows core kinds alone, as in Kubernetes. */
static const struct {
	const char *type;
	patch_function *function;
	bool is_core_only;
	bool is_json_patch;
} types[] = {
	{"application/json-patch+json", patch_json, false, true},
	{"application/merge-patch+json", patch_merge, false, false},
	{"application/strategic-merge-patch+json", patch_strategic, true, false},
};

#define ACCEPTED                                                                                   \
	"application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"

/* One patch request. */
struct patching {
	struct admission w;
	json_t *patch; /* owned */
	patch_function *function;
	bool is_json_patch;
};

static json_t *patch_read(struct patching *p)
{
	struct call *c = p->w.call;
	json_t *status = body_check_size(c);
	struct err e = {0};

	if (status)
		return status;
	if (jv_parse(c->rq->body, BODY_MAX, &p->patch, &e))
		return status_bad_request("error decoding patch: %s", e.text);
	if (p->is_json_patch ? !json_is_array(p->patch) : !json_is_object(p->patch))
		return status_bad_request(
			"error decoding patch: a %s is wanted",
			p->is_json_patch ? "list of operations" : "JSON object");
	return NULL;
}

/* As Kubernetes answers an operation that does not fit the object. */
static json_t *does_not_fit(const struct err *e)
{
	json_t *s = status_new(
		422, "Invalid", "the server rejected our request due to an error in our request");

	json_object_set_new(s, "details", json_object());
	status_add_cause(s, "UnexpectedServerResponse", e->text, NULL);
	return s;
}

static json_t *patch_once(struct patching *p, bool *ret_is_stale)
{
	struct admission *w = &p->w;
	struct err e = {0};
	json_t *status;

	json_decref(w->live);
	json_decref(w->object);
	w->live = w->object = NULL;
	status = write_read_live(w->call, &w->live);
	if (status)
		return status;
	if (p->function(w->live, p->patch, &w->object, &e))
		return p->is_json_patch ? does_not_fit(&e) : status_bad_request("%s", e.text);
	status = admit_shape(w);
	if (!status)
		status = admit_fields(w);
	return status ? status : write_change(w, ret_is_stale);
}

static json_t *patch_run(struct patching *p)
{
	struct call *c = p->w.call;
	json_t *status = options_read(c, "PatchOptions", &p->w.options);
	bool is_stale = true;

	if (!status)
		status = patch_read(p);
	for (int i = 0; !status && is_stale && i < WRITE_TRIES; i++) {
		is_stale = false;
		status = patch_once(p, &is_stale);
	}
	if (!status && is_stale)
		status = status_modified(p->w.kind, c->route.name);
	json_decref(p->patch);
	admission_done(&p->w);
	return status;
}

json_t *patch_handle(struct call *c)
{
	struct str header = str_of(http_header(c->rq, "Content-Type")), type = {"", 0};
	struct patching p = {.w = {.call = c, .kind = c->route.kind}};

	if (header.p)
		str_split(&header, ';', &type);
	type = str_trim(type);
	if (str_is(type, "application/apply-patch+yaml"))
		return apply_handle(c);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_is(type, types[i].type) &&
		    !(types[i].is_core_only && *c->route.kind->group)) {
			p.function = types[i].function;
			p.is_json_patch = types[i].is_json_patch;
		}
	if (!p.function)
		return status_unsupported_media(
			*c->route.kind->group ? ACCEPTED
					      : ACCEPTED
				", application/strategic-merge-patch+json");
	return patch_run(&p);
}
