#include "api/selection.h"

#include "api/selector.h"
#include "api/status.h"

json_t *selection_read(struct call *c, struct selection *ret)
{
	const char *name, *ns;
	struct err e = {0};

	*ret = (struct selection){0};
	if (selector_labels(str_of(call_query(c, "labelSelector", "")), &ret->store.labels, &e) ||
	    selector_fields(
		    c->route.kind, str_of(call_query(c, "fieldSelector", "")), &ret->fields, &e)) {
		selection_done(ret);
		return status_bad_request("%s", e.text);
	}
	ret->labels = selector_take_numeric(ret->store.labels);
	name = selector_field_value(ret->fields, "metadata.name");
	ns = selector_field_value(ret->fields, "metadata.namespace");
	ret->store.ns = *c->route.ns ? c->route.ns : ns;
	ret->store.name = name;
	ret->is_exact = !ret->labels &&
		json_array_size(ret->fields) ==
			(size_t)(name != NULL) + (size_t)(ns != NULL && !*c->route.ns);
	return NULL;
}

void selection_done(struct selection *s)
{
	json_decref(s->store.labels);
	json_decref(s->labels);
	json_decref(s->fields);
	*s = (struct selection){0};
}

bool selection_takes(const struct selection *s, const json_t *object)
{
	return selector_labels_match(s->labels, object) && selector_fields_match(s->fields, object);
}
