#include "api/openapi_pb.h"

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2 };

static void put_varint(struct buf *out, uint64_t n)
{
	for (; n > 127; n >>= 7)
		buf_putc(out, (char)(n | 128));
	buf_putc(out, (char)n);
}

static void put_tag(struct buf *out, unsigned field, enum wire wire)
{
	put_varint(out, (uint64_t)field << 3 | wire);
}

static void put_bytes(struct buf *out, unsigned field, struct str bytes)
{
	put_tag(out, field, WIRE_BYTES);
	put_varint(out, bytes.n);
	buf_str(out, bytes);
}

/* Puts what is in the message, and empties it. */
static void put_message(struct buf *out, unsigned field, struct buf *message)
{
	put_bytes(out, field, buf_view(message));
	buf_done(message);
}

/* openapi.v2.Any: a value as YAML, which JSON is. */
static void put_any(struct buf *out, unsigned field, const json_t *value)
{
	struct buf text = {0}, any = {0};

	jv_print(&text, value, false);
	put_bytes(&any, 2, buf_view(&text));
	buf_done(&text);
	put_message(out, field, &any);
}

/* How a JSON field becomes a field of a message. */
enum shape {
	SHAPE_TEXT,
	SHAPE_TEXTS, /* repeated */
	SHAPE_BOOL,
	SHAPE_INT,
	SHAPE_DOUBLE,
	SHAPE_MESSAGE,
	SHAPE_MESSAGES, /* repeated */
	SHAPE_ANYS, /* repeated Any */
	SHAPE_NAMED, /* a message of {name = 1, value = 2}, repeated under number 1 */
	SHAPE_NAMED_PATHS, /* the same under number 2 */
	SHAPE_TYPE, /* TypeItem */
	SHAPE_ITEMS, /* ItemsItem */
	SHAPE_EXTRA, /* AdditionalPropertiesItem */
	SHAPE_PARAMETERS, /* repeated ParametersItem */
};

struct message;

struct field {
	const char *name;
	unsigned number;
	enum shape shape;
	const struct message *of; /* of SHAPE_MESSAGE and its like */
};

struct message {
	const struct field *fields; /* ends with one without a name */
	unsigned extensions; /* number of vendor_extension; 0: none */
};

static void put_value(struct buf *out, const struct message *m, const json_t *value);

static const struct message schema;

static const struct field schema_fields[] = {
	{"$ref", 1, SHAPE_TEXT, NULL},
	{"format", 2, SHAPE_TEXT, NULL},
	{"description", 4, SHAPE_TEXT, NULL},
	{"maximum", 7, SHAPE_DOUBLE, NULL},
	{"minimum", 9, SHAPE_DOUBLE, NULL},
	{"maxLength", 11, SHAPE_INT, NULL},
	{"minLength", 12, SHAPE_INT, NULL},
	{"pattern", 13, SHAPE_TEXT, NULL},
	{"maxItems", 14, SHAPE_INT, NULL},
	{"minItems", 15, SHAPE_INT, NULL},
	{"maxProperties", 17, SHAPE_INT, NULL},
	{"required", 19, SHAPE_TEXTS, NULL},
	{"enum", 20, SHAPE_ANYS, NULL},
	{"additionalProperties", 21, SHAPE_EXTRA, NULL},
	{"type", 22, SHAPE_TYPE, NULL},
	{"items", 23, SHAPE_ITEMS, NULL},
	{"allOf", 24, SHAPE_MESSAGES, &schema},
	{"properties", 25, SHAPE_NAMED, &schema},
	{0},
};
static const struct message schema = {schema_fields, 31};

static const struct field query_fields[] = {
	{"in", 2, SHAPE_TEXT, NULL},
	{"description", 3, SHAPE_TEXT, NULL},
	{"name", 4, SHAPE_TEXT, NULL},
	{"type", 6, SHAPE_TEXT, NULL},
	{0},
};
static const struct message query_parameter = {query_fields, 23};

static const struct field path_fields[] = {
	{"required", 1, SHAPE_BOOL, NULL},    {"in", 2, SHAPE_TEXT, NULL},
	{"description", 3, SHAPE_TEXT, NULL}, {"name", 4, SHAPE_TEXT, NULL},
	{"type", 5, SHAPE_TEXT, NULL},        {0},
};
static const struct message path_parameter = {path_fields, 22};

static const struct field body_fields[] = {
	{"name", 2, SHAPE_TEXT, NULL},
	{"in", 3, SHAPE_TEXT, NULL},
	{"required", 4, SHAPE_BOOL, NULL},
	{"schema", 5, SHAPE_MESSAGE, &schema},
	{0},
};
static const struct message body_parameter = {body_fields, 6};

static const struct field operation_fields[] = {
	{"description", 3, SHAPE_TEXT, NULL},
	{"operationId", 5, SHAPE_TEXT, NULL},
	{"consumes", 7, SHAPE_TEXTS, NULL},
	{"parameters", 8, SHAPE_PARAMETERS, NULL},
	{0},
};
static const struct message operation = {operation_fields, 13};

static const struct field item_fields[] = {
	{"get", 2, SHAPE_MESSAGE, &operation},
	{"put", 3, SHAPE_MESSAGE, &operation},
	{"post", 4, SHAPE_MESSAGE, &operation},
	{"delete", 5, SHAPE_MESSAGE, &operation},
	{"patch", 8, SHAPE_MESSAGE, &operation},
	{"parameters", 9, SHAPE_PARAMETERS, NULL},
	{0},
};
static const struct message path_item = {item_fields, 10};

static const struct field info_fields[] = {
	{"title", 1, SHAPE_TEXT, NULL}, {"version", 2, SHAPE_TEXT, NULL}, {0}};
static const struct message info = {info_fields, 7};

static const struct field document_fields[] = {
	{"swagger", 1, SHAPE_TEXT, NULL},
	{"info", 2, SHAPE_MESSAGE, &info},
	{"paths", 8, SHAPE_NAMED_PATHS, &path_item},
	{"definitions", 9, SHAPE_NAMED, &schema},
	{0},
};
static const struct message document_message = {document_fields, 16};

static void put_text(struct buf *out, unsigned number, const json_t *v)
{
	if (json_is_string(v))
		put_bytes(out, number, (struct str){json_string_value(v), json_string_length(v)});
}

static void put_double(struct buf *out, unsigned number, double n)
{
	unsigned char bytes[sizeof(n)];
	uint64_t bits;

	memcpy(&bits, &n, sizeof(bits));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(bits >> 8 * i);
	put_tag(out, number, WIRE_64);
	buf_add(out, bytes, sizeof(bytes));
}

static void put_sub(struct buf *out, unsigned number, const struct message *m, const json_t *v)
{
	struct buf sub = {0};

	put_value(&sub, m, v);
	put_message(out, number, &sub);
}

/* {"name": value, …} as a message with an entry {name = 1, value = 2} for each, numbered `each`. */
static void
put_named(struct buf *out, unsigned number, unsigned each, const struct message *m, const json_t *v)
{
	struct buf all = {0};
	const char *name;
	json_t *one;

	json_object_foreach ((json_t *)(uintptr_t)v, name, one) {
		struct buf entry = {0};

		put_bytes(&entry, 1, str_of(name));
		put_sub(&entry, 2, m, one);
		put_message(&all, each, &entry);
	}
	put_message(out, number, &all);
}

/* A message with one field in it. */
static void put_wrapped(
	struct buf *out, unsigned number, unsigned inner, const struct message *m, const json_t *v)
{
	struct buf sub = {0};

	if (m)
		put_sub(&sub, inner, m, v);
	else if (json_is_boolean(v)) {
		put_tag(&sub, inner, WIRE_VARINT);
		put_varint(&sub, json_is_true(v));
	} else {
		put_text(&sub, inner, v);
	}
	put_message(out, number, &sub);
}

/* ParametersItem{1: Parameter{1: body | 2: NonBodyParameter{3: query | 4: path}}} */
static void put_parameter(struct buf *out, unsigned number, const json_t *v)
{
	const char *in = jv_str_or(v, "in", "");
	struct buf parameter = {0}, item = {0};

	if (!strcmp(in, "body"))
		put_sub(&parameter, 1, &body_parameter, v);
	else if (!strcmp(in, "path"))
		put_wrapped(&parameter, 2, 4, &path_parameter, v);
	else
		put_wrapped(&parameter, 2, 3, &query_parameter, v);
	put_message(&item, 1, &parameter);
	put_message(out, number, &item);
}

static void put_each(struct buf *out, const struct field *f, const json_t *list)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		if (f->shape == SHAPE_TEXTS)
			put_text(out, f->number, one);
		else if (f->shape == SHAPE_ANYS)
			put_any(out, f->number, one);
		else if (f->shape == SHAPE_PARAMETERS)
			put_parameter(out, f->number, one);
		else
			put_sub(out, f->number, f->of, one);
	}
}

static void put_field(struct buf *out, const struct field *f, const json_t *v)
{
	switch (f->shape) {
	case SHAPE_TEXT:
		put_text(out, f->number, v);
		break;
	case SHAPE_BOOL:
		put_tag(out, f->number, WIRE_VARINT);
		put_varint(out, json_is_true(v));
		break;
	case SHAPE_INT:
		put_tag(out, f->number, WIRE_VARINT);
		put_varint(out, (uint64_t)json_integer_value(v));
		break;
	case SHAPE_DOUBLE:
		put_double(out, f->number, json_number_value(v));
		break;
	case SHAPE_MESSAGE:
		put_sub(out, f->number, f->of, v);
		break;
	case SHAPE_NAMED:
		put_named(out, f->number, 1, f->of, v);
		break;
	case SHAPE_NAMED_PATHS:
		put_named(out, f->number, 2, f->of, v);
		break;
	case SHAPE_TYPE:
		put_wrapped(out, f->number, 1, NULL, v);
		break;
	case SHAPE_ITEMS:
		put_wrapped(out, f->number, 1, &schema, v);
		break;
	case SHAPE_EXTRA:
		put_wrapped(
			out, f->number, json_is_boolean(v) ? 2 : 1,
			json_is_boolean(v) ? NULL : &schema, v);
		break;
	default:
		put_each(out, f, v);
	}
}

static void put_extensions(struct buf *out, unsigned number, const json_t *value)
{
	const char *name;
	json_t *one;

	json_object_foreach ((json_t *)(uintptr_t)value, name, one) {
		struct buf entry = {0};

		if (strncmp(name, "x-", 2) != 0)
			continue;
		put_bytes(&entry, 1, str_of(name));
		put_any(&entry, 2, one);
		put_message(out, number, &entry);
	}
}

static void put_value(struct buf *out, const struct message *m, const json_t *value)
{
	for (const struct field *f = m->fields; f->name; f++) {
		const json_t *v = json_object_get(value, f->name);

		if (v)
			put_field(out, f, v);
	}
	put_extensions(out, m->extensions, value);
}

void openapi_pb_print(struct buf *out, const json_t *document)
{
	put_value(out, &document_message, document);
}
