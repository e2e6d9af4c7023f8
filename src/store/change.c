#include "store/change.h"

#include <inttypes.h>

#include "store/object.h"

/* What the store owns of metadata, whatever a writer sends. */
static const char *const owned[] = {
	"uid", "generation", "creationTimestamp", "deletionTimestamp", "resourceVersion"};

static json_t *metadata(const json_t *o)
{
	return json_object_get(o, "metadata");
}

static bool is_deleting(const json_t *o)
{
	return json_object_get(metadata(o), "deletionTimestamp") != NULL;
}

static bool has_finalizers(const json_t *o)
{
	return json_array_size(json_object_get(metadata(o), "finalizers")) > 0;
}

static int64_t generation(const json_t *o)
{
	return json_integer_value(json_object_get(metadata(o), "generation"));
}

static void set_or_delete(json_t *o, const char *field, json_t *value)
{
	if (value)
		json_object_set(o, field, value);
	else
		json_object_del(o, field);
}

/* name, namespace and the store's own fields in front, then what the writer gave. */
static json_t *metadata_new(const struct store_write *w)
{
	json_t *given = metadata(w->object);
	json_t *m = json_object();
	const char *field;
	json_t *value;

	json_object_set_new(m, "name", json_string(w->key.name));
	if (w->key.ns[0])
		json_object_set_new(m, "namespace", json_string(w->key.ns));
	for (size_t i = 0; i < 3; i++)
		json_object_set_new(m, owned[i], json_null()); /* keeps their place */
	json_object_foreach (given, field, value) {
		if (!json_object_get(m, field))
			json_object_set(m, field, value);
	}
	for (size_t i = 3; i < ARRAY_LEN(owned); i++)
		json_object_del(m, owned[i]);
	return m;
}

static json_t *added(const struct store_write *w, const char *now, const char *uid)
{
	json_t *o = json_copy(w->object);
	json_t *m = metadata_new(w);

	json_object_set_new(m, "uid", json_string(uid));
	json_object_set_new(m, "generation", json_integer(1));
	json_object_set_new(m, "creationTimestamp", json_string(now));
	json_object_set_new(o, "metadata", m);
	return o;
}

/* Are all fields but metadata and status, which are no wishes, equal? */
static bool wants_the_same(const json_t *a, const json_t *b)
{
	CLEANUP(jv_drop) json_t *x = json_copy((json_t *)(uintptr_t)a);
	CLEANUP(jv_drop) json_t *y = json_copy((json_t *)(uintptr_t)b);

	json_object_del(x, "metadata");
	json_object_del(x, "status");
	json_object_del(y, "metadata");
	json_object_del(y, "status");
	return json_equal(x, y);
}

static json_t *updated(const struct store_write *w, const json_t *base)
{
	json_t *o = json_copy(w->object);
	json_t *m = metadata_new(w);

	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		set_or_delete(m, owned[i], json_object_get(metadata(base), owned[i]));
	if (w->verb == STORE_UPDATE)
		set_or_delete(o, "status", json_object_get(base, "status"));
	if (!wants_the_same(o, base))
		json_object_set_new(m, "generation", json_integer(generation(base) + 1));
	json_object_set_new(o, "metadata", m);
	return o;
}

static json_t *with_status(const struct store_write *w, const json_t *base)
{
	json_t *o = json_copy((json_t *)(uintptr_t)base);

	set_or_delete(o, "status", json_object_get(w->object, "status"));
	return o;
}

/* Deletion asked for: it happens when the last finalizer has gone. */
static json_t *marked(const json_t *base, const char *now)
{
	json_t *o = json_copy((json_t *)(uintptr_t)base);
	json_t *m = json_copy(metadata(base));

	json_object_set_new(m, "deletionTimestamp", json_string(now));
	json_object_set_new(m, "generation", json_integer(generation(base) + 1));
	json_object_set_new(o, "metadata", m);
	return o;
}

static enum err_code
check(const struct store_write *w, const json_t *base, int64_t base_revision, struct err *e)
{
	char key[OBJECT_KEY_TEXT];
	const char *uid = json_string_value(json_object_get(metadata(base), "uid"));

	object_key_text(w->key, key);
	if (w->verb == STORE_CREATE && base)
		return err_set(e, ERR_EXISTS, "%s already exists", key);
	if (w->verb != STORE_CREATE && !base)
		return err_set(e, ERR_NOT_FOUND, "%s not found", key);
	if (base && w->if_uid && (!uid || strcmp(uid, w->if_uid) != 0))
		return err_set(
			e, ERR_CONFLICT, "%s has uid %s, not %s: it is another object of that name",
			key, uid ? uid : "none", w->if_uid);
	if (base && w->if_revision && w->if_revision != base_revision)
		return err_set(
			e, ERR_CONFLICT,
			"%s has changed since revision %" PRId64 " (it is at %" PRId64
			" now): read it again, and try anew",
			key, w->if_revision, base_revision);
	return ERR_OK;
}

static enum change_op op_of(const struct store_write *w, const json_t *base, const json_t *o)
{
	if (!base)
		return CHANGE_ADD;
	if (w->verb == STORE_DELETE && !has_finalizers(base))
		return CHANGE_DELETE;
	if (w->verb != STORE_STATUS && is_deleting(o) && !has_finalizers(o))
		return CHANGE_DELETE;
	return json_equal(o, base) ? CHANGE_NONE : CHANGE_MODIFY;
}

enum err_code change_plan(
	const struct store_write *w, const json_t *base, int64_t base_revision, const char *now,
	const char *uid, struct change *ret, struct err *e)
{
	enum err_code code = check(w, base, base_revision, e);
	json_t *o = NULL;

	if (code != ERR_OK)
		return code;
	switch (w->verb) {
	case STORE_CREATE:
		o = added(w, now, uid);
		break;
	case STORE_UPDATE:
	case STORE_BOTH:
		o = updated(w, base);
		break;
	case STORE_STATUS:
		o = with_status(w, base);
		break;
	case STORE_DELETE:
		o = has_finalizers(base) && !is_deleting(base)
			? marked(base, now)
			: json_copy((json_t *)(uintptr_t)base);
		break;
	}
	*ret = (struct change){op_of(w, base, o), o};
	return ERR_OK;
}
