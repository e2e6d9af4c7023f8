#include "api/kubepb.h"

#include "base/clock.h"
#include "base/secret.h"

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* How a field of a message becomes a field of an object. */
enum shape {
	SHAPE_TEXT,
	SHAPE_TEXTS, /* repeated */
	SHAPE_INT,
	SHAPE_BOOL,
	SHAPE_TIME, /* {seconds = 1, nanos = 2} */
	SHAPE_MESSAGE,
	SHAPE_MESSAGES, /* repeated */
	SHAPE_MAP, /* of texts: repeated {key = 1, value = 2} */
	SHAPE_BYTES_MAP, /* the same of bytes, in base64 */
	SHAPE_JSON, /* {Raw = 1}, whose bytes are JSON */
};

struct field {
	unsigned number;
	const char *name;
	enum shape shape;
	const struct field *of; /* of SHAPE_MESSAGE and its like; tables end with number 0 */
};

static const struct field owner[] = {
	{1, "kind", SHAPE_TEXT, NULL},
	{3, "name", SHAPE_TEXT, NULL},
	{4, "uid", SHAPE_TEXT, NULL},
	{5, "apiVersion", SHAPE_TEXT, NULL},
	{6, "controller", SHAPE_BOOL, NULL},
	{7, "blockOwnerDeletion", SHAPE_BOOL, NULL},
	{0},
};

static const struct field managed[] = {
	{1, "manager", SHAPE_TEXT, NULL},     {2, "operation", SHAPE_TEXT, NULL},
	{3, "apiVersion", SHAPE_TEXT, NULL},  {4, "time", SHAPE_TIME, NULL},
	{6, "fieldsType", SHAPE_TEXT, NULL},  {7, "fieldsV1", SHAPE_JSON, NULL},
	{8, "subresource", SHAPE_TEXT, NULL}, {0},
};

static const struct field metadata[] = {
	{1, "name", SHAPE_TEXT, NULL},
	{2, "generateName", SHAPE_TEXT, NULL},
	{3, "namespace", SHAPE_TEXT, NULL},
	{5, "uid", SHAPE_TEXT, NULL},
	{6, "resourceVersion", SHAPE_TEXT, NULL},
	{7, "generation", SHAPE_INT, NULL},
	{8, "creationTimestamp", SHAPE_TIME, NULL},
	{9, "deletionTimestamp", SHAPE_TIME, NULL},
	{10, "deletionGracePeriodSeconds", SHAPE_INT, NULL},
	{11, "labels", SHAPE_MAP, NULL},
	{12, "annotations", SHAPE_MAP, NULL},
	{13, "ownerReferences", SHAPE_MESSAGES, owner},
	{14, "finalizers", SHAPE_TEXTS, NULL},
	{17, "managedFields", SHAPE_MESSAGES, managed},
	{0},
};

static const struct field namespace_spec[] = {{1, "finalizers", SHAPE_TEXTS, NULL}, {0}};
static const struct field namespace_status[] = {{1, "phase", SHAPE_TEXT, NULL}, {0}};
static const struct field namespace[] = {
	{1, "metadata", SHAPE_MESSAGE, metadata},
	{2, "spec", SHAPE_MESSAGE, namespace_spec},
	{3, "status", SHAPE_MESSAGE, namespace_status},
	{0},
};

static const struct field secret[] = {
	{1, "metadata", SHAPE_MESSAGE, metadata},
	{2, "data", SHAPE_BYTES_MAP, NULL},
	{3, "type", SHAPE_TEXT, NULL},
	{4, "stringData", SHAPE_MAP, NULL},
	{5, "immutable", SHAPE_BOOL, NULL},
	{0},
};

static const struct field reference[] = {
	{1, "kind", SHAPE_TEXT, NULL},       {2, "namespace", SHAPE_TEXT, NULL},
	{3, "name", SHAPE_TEXT, NULL},       {4, "uid", SHAPE_TEXT, NULL},
	{5, "apiVersion", SHAPE_TEXT, NULL}, {6, "resourceVersion", SHAPE_TEXT, NULL},
	{7, "fieldPath", SHAPE_TEXT, NULL},  {0},
};

static const struct field event_source[] = {
	{1, "component", SHAPE_TEXT, NULL}, {2, "host", SHAPE_TEXT, NULL}, {0}};
static const struct field event[] = {
	{1, "metadata", SHAPE_MESSAGE, metadata},
	{2, "involvedObject", SHAPE_MESSAGE, reference},
	{3, "reason", SHAPE_TEXT, NULL},
	{4, "message", SHAPE_TEXT, NULL},
	{5, "source", SHAPE_MESSAGE, event_source},
	{6, "firstTimestamp", SHAPE_TIME, NULL},
	{7, "lastTimestamp", SHAPE_TIME, NULL},
	{8, "count", SHAPE_INT, NULL},
	{9, "type", SHAPE_TEXT, NULL},
	{10, "eventTime", SHAPE_TIME, NULL},
	{12, "action", SHAPE_TEXT, NULL},
	{14, "reportingComponent", SHAPE_TEXT, NULL},
	{15, "reportingInstance", SHAPE_TEXT, NULL},
	{0},
};

static const struct field preconditions[] = {
	{1, "uid", SHAPE_TEXT, NULL}, {2, "resourceVersion", SHAPE_TEXT, NULL}, {0}};
static const struct field delete_options[] = {
	{1, "gracePeriodSeconds", SHAPE_INT, NULL},
	{2, "preconditions", SHAPE_MESSAGE, preconditions},
	{4, "propagationPolicy", SHAPE_TEXT, NULL},
	{5, "dryRun", SHAPE_TEXTS, NULL},
	{0},
};

static const struct field resource_attributes[] = {
	{1, "namespace", SHAPE_TEXT, NULL}, {2, "verb", SHAPE_TEXT, NULL},
	{3, "group", SHAPE_TEXT, NULL},     {4, "version", SHAPE_TEXT, NULL},
	{5, "resource", SHAPE_TEXT, NULL},  {6, "subresource", SHAPE_TEXT, NULL},
	{7, "name", SHAPE_TEXT, NULL},      {0},
};
static const struct field path_attributes[] = {
	{1, "path", SHAPE_TEXT, NULL}, {2, "verb", SHAPE_TEXT, NULL}, {0}};
static const struct field access_spec[] = {
	{1, "resourceAttributes", SHAPE_MESSAGE, resource_attributes},
	{2, "nonResourceAttributes", SHAPE_MESSAGE, path_attributes},
	{0},
};
static const struct field access_review[] = {
	{1, "metadata", SHAPE_MESSAGE, metadata}, {2, "spec", SHAPE_MESSAGE, access_spec}, {0}};

static const struct field rules_spec[] = {{1, "namespace", SHAPE_TEXT, NULL}, {0}};
static const struct field rules_review[] = {
	{1, "metadata", SHAPE_MESSAGE, metadata}, {2, "spec", SHAPE_MESSAGE, rules_spec}, {0}};
static const struct field self_review[] = {{1, "metadata", SHAPE_MESSAGE, metadata}, {0}};

static const struct {
	const char *kind;
	const struct field *fields;
} kinds[] = {
	{"Namespace", namespace},
	{"Secret", secret},
	{"Event", event},
	{"DeleteOptions", delete_options},
	{"SelfSubjectAccessReview", access_review},
	{"SelfSubjectRulesReview", rules_review},
	{"SelfSubjectReview", self_review},
};

/* One field as it stands on the wire. */
struct entry {
	unsigned number;
	enum wire wire;
	uint64_t n; /* of WIRE_VARINT */
	struct str bytes; /* of WIRE_BYTES */
};

static bool take_varint(struct str *in, uint64_t *ret)
{
	uint64_t n = 0;

	for (int shift = 0; shift < 64 && in->n; shift += 7) {
		unsigned char c = (unsigned char)*in->p;

		in->p++, in->n--;
		n |= (uint64_t)(c & 127) << shift;
		if (!(c & 128)) {
			*ret = n;
			return true;
		}
	}
	return false;
}

static bool take_bytes(struct str *in, uint64_t n, struct str *ret)
{
	if (n > in->n)
		return false;
	*ret = (struct str){in->p, (size_t)n};
	in->p += n;
	in->n -= (size_t)n;
	return true;
}

static bool take_entry(struct str *in, struct entry *ret)
{
	uint64_t tag, n;

	*ret = (struct entry){0};
	if (!take_varint(in, &tag) || tag >> 3 > UINT32_MAX || !(tag >> 3))
		return false;
	ret->number = (unsigned)(tag >> 3);
	ret->wire = (enum wire)(tag & 7);
	switch (ret->wire) {
	case WIRE_VARINT:
		return take_varint(in, &ret->n);
	case WIRE_64:
		return take_bytes(in, 8, &ret->bytes);
	case WIRE_32:
		return take_bytes(in, 4, &ret->bytes);
	case WIRE_BYTES:
		return take_varint(in, &n) && take_bytes(in, n, &ret->bytes);
	}
	return false;
}

/* The readers below say false for bytes that are no such thing; *o is then half filled in. */

static json_t *text_of(struct str bytes)
{
	return memchr(bytes.p, 0, bytes.n) ? NULL : json_stringn(bytes.p, bytes.n);
}

static bool read_message(struct str in, const struct field *fields, json_t *o);

static bool read_time(struct str in, json_t **ret)
{
	int64_t seconds = 0, nanos = 0;
	char text[CLOCK_TEXT];
	struct entry e;

	while (in.n) {
		if (!take_entry(&in, &e))
			return false;
		if (e.number == 1)
			seconds = (int64_t)e.n;
		else if (e.number == 2)
			nanos = (int64_t)e.n;
	}
	if (seconds < 0 || seconds > INT64_C(253402300799) || nanos < 0 || nanos > 999999999)
		return false;
	*ret = seconds ? json_string(clock_text_s(seconds * 1000000, text)) : NULL;
	return true;
}

/* Puts {key = 1, value = 2} into map. */
static bool read_pair(struct str in, json_t *map, bool is_bytes)
{
	struct str key = {"", 0}, value = {"", 0};
	struct arena a = {0};
	struct entry e;
	json_t *v;
	bool is_ok;

	while (in.n) {
		if (!take_entry(&in, &e))
			return false;
		if (e.wire == WIRE_BYTES && e.number == 1)
			key = e.bytes;
		else if (e.wire == WIRE_BYTES && e.number == 2)
			value = e.bytes;
	}
	v = is_bytes ? json_string(secret_base64(&a, value)) : text_of(value);
	arena_done(&a);
	is_ok = v && !memchr(key.p, 0, key.n);
	if (!is_ok)
		json_decref(v);
	return is_ok && !json_object_setn_new(map, key.p, key.n, v);
}

static json_t *child(json_t *o, const char *name, json_t *fresh)
{
	if (json_object_get(o, name)) {
		json_decref(fresh);
		return json_object_get(o, name);
	}
	json_object_set_new(o, name, fresh);
	return fresh;
}

static bool read_json(struct str in, const char *name, json_t *o)
{
	json_t *v = NULL;
	struct entry e;

	while (in.n) {
		if (!take_entry(&in, &e))
			return false;
		if (e.number != 1 || e.wire != WIRE_BYTES)
			continue;
		if (jv_parse(e.bytes, SIZE_MAX, &v, NULL))
			return false;
		json_object_set_new(o, name, v);
	}
	return true;
}

static bool read_sub(const struct field *f, struct str bytes, json_t *o)
{
	json_t *sub = json_object();
	bool is_ok = read_message(bytes, f->of, sub);

	if (f->shape == SHAPE_MESSAGES)
		json_array_append(child(o, f->name, json_array()), sub);
	else if (json_object_size(sub))
		json_object_set(o, f->name, sub);
	json_decref(sub);
	return is_ok;
}

/* Empty texts are sent for what was not set, and are left out. */
static bool read_text(const struct field *f, struct str bytes, json_t *o)
{
	json_t *v = text_of(bytes);

	if (!v)
		return false;
	if (f->shape == SHAPE_TEXTS)
		return !json_array_append_new(child(o, f->name, json_array()), v);
	if (bytes.n)
		json_object_set(o, f->name, v);
	json_decref(v);
	return true;
}

static bool read_bytes(const struct field *f, struct str bytes, json_t *o)
{
	json_t *time = NULL;
	bool is_ok;

	switch (f->shape) {
	case SHAPE_TEXT:
	case SHAPE_TEXTS:
		return read_text(f, bytes, o);
	case SHAPE_TIME:
		is_ok = read_time(bytes, &time);
		if (time)
			json_object_set_new(o, f->name, time);
		return is_ok;
	case SHAPE_MESSAGE:
	case SHAPE_MESSAGES:
		return read_sub(f, bytes, o);
	case SHAPE_MAP:
	case SHAPE_BYTES_MAP:
		return read_pair(
			bytes, child(o, f->name, json_object()), f->shape == SHAPE_BYTES_MAP);
	case SHAPE_JSON:
		return read_json(bytes, f->name, o);
	default:
		return false;
	}
}

static bool read_number(const struct field *f, uint64_t n, json_t *o)
{
	if (f->shape == SHAPE_BOOL)
		json_object_set_new(o, f->name, json_boolean(n != 0));
	else if (f->shape == SHAPE_INT && n)
		json_object_set_new(o, f->name, json_integer((json_int_t)n));
	return f->shape == SHAPE_BOOL || f->shape == SHAPE_INT;
}

static bool read_message(struct str in, const struct field *fields, json_t *o)
{
	struct entry e;

	while (in.n) {
		const struct field *f = fields;

		if (!take_entry(&in, &e))
			return false;
		while (f->number && f->number != e.number)
			f++;
		if (!f->number)
			continue;
		if (e.wire == WIRE_BYTES ? !read_bytes(f, e.bytes, o)
					 : e.wire != WIRE_VARINT || !read_number(f, e.n, o))
			return false;
	}
	return true;
}

/* runtime.Unknown {typeMeta = 1 {apiVersion = 1, kind = 2}, raw = 2} */
static const struct field type_meta[] = {
	{1, "apiVersion", SHAPE_TEXT, NULL}, {2, "kind", SHAPE_TEXT, NULL}, {0}};

static bool read_unknown(struct str in, json_t *o, struct str *ret_raw)
{
	struct entry e;

	*ret_raw = (struct str){"", 0};
	while (in.n) {
		if (!take_entry(&in, &e))
			return false;
		if (e.wire != WIRE_BYTES)
			continue;
		if (e.number == 1 && !read_message(e.bytes, type_meta, o))
			return false;
		if (e.number == 2)
			*ret_raw = e.bytes;
	}
	return true;
}

static const struct field *fields_of(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].kind, kind))
			return kinds[i].fields;
	return NULL;
}

enum err_code kubepb_read(struct str in, json_t **ret, struct err *e)
{
	static const char magic[] = {'k', '8', 's', 0};
	CLEANUP(jv_drop) json_t *o = json_object();
	const struct field *fields;
	struct str raw;

	if (in.n < sizeof(magic) || memcmp(in.p, magic, sizeof(magic)) != 0)
		return err_set(e, ERR_INVALID, "the protocol buffer does not begin with k8s");
	in.p += sizeof(magic);
	in.n -= sizeof(magic);
	if (!read_unknown(in, o, &raw))
		return err_set(e, ERR_INVALID, "the protocol buffer is broken");
	fields = fields_of(jv_str_or(o, "kind", ""));
	if (!fields)
		return err_set(
			e, ERR_INVALID, "objects of kind \"%s\" are not read as protocol buffers",
			jv_str_or(o, "kind", ""));
	if (!read_message(raw, fields, o))
		return err_set(
			e, ERR_INVALID, "the protocol buffer of a %s is broken",
			jv_str_or(o, "kind", ""));
	*ret = json_incref(o);
	return ERR_OK;
}
