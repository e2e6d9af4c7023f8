/* Reading: libyaml's events into values. The reader stands on an event; each function that reads a
 * value begins at its first event and ends at its last. */
#include "codec/yaml.h"

#include <yaml.h>

#include "base/map.h"
#include "codec/yaml_scalar.h"

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	struct map anchors; /* values, counted; of one document */
	size_t alias_nodes; /* that aliases have been expanded to so far */
	struct err *e;
};

static enum err_code refuse(struct reader *r, const char *what)
{
	const yaml_mark_t *at = &r->event.start_mark;

	return err_set(
		r->e, ERR_INVALID, "invalid YAML: line %zu, column %zu: %s", at->line + 1,
		at->column + 1, what);
}

static enum err_code next(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;

	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return ERR_OK;
	if (p->error == YAML_READER_ERROR)
		return err_set(
			r->e, ERR_INVALID, "invalid YAML: byte %zu: %s", p->problem_offset,
			p->problem);
	return err_set(
		r->e, ERR_INVALID, "invalid YAML: line %zu, column %zu: %s%s%s",
		p->problem_mark.line + 1, p->problem_mark.column + 1, p->context ? p->context : "",
		p->context ? ", " : "", p->problem ? p->problem : "out of memory");
}

/* Anchors. */

static void anchors_clear(struct reader *r)
{
	map_for_each (slot, &r->anchors)
		json_decref(slot->value);
	map_done(&r->anchors);
}

/* A value is known by its anchor once it is complete: it cannot hold itself. */
static void anchor_put(struct reader *r, const char *name, json_t *value)
{
	if (name)
		json_decref(map_put(&r->anchors, str_of(name), json_incref(value)));
}

static size_t count_nodes(const json_t *v)
{
	size_t n = 1, i;
	const char *name;
	json_t *item;

	json_array_foreach (v, i, item)
		n += count_nodes(item);
	json_object_foreach ((json_t *)v, name, item)
		n += count_nodes(item);
	return n;
}

static enum err_code alias_read(struct reader *r, int depth, json_t **ret)
{
	const char *name = (const char *)r->event.data.alias.anchor;
	const json_t *value = map_get(&r->anchors, str_of(name));

	if (!value)
		return refuse(r, "an alias without an anchor before it");
	r->alias_nodes += count_nodes(value);
	if (r->alias_nodes > YAML_ALIAS_MAX)
		return refuse(r, "aliases stand for too many values (at most 10000)");
	if (depth + jv_depth(value) > JV_DEPTH_MAX)
		return refuse(r, "nested too deep (at most 64 levels)");
	*ret = json_deep_copy(value);
	return ERR_OK;
}

/* Scalars. */

static bool tag_is(const unsigned char *tag, const char *name)
{
	struct str s = str_of((const char *)tag);

	return str_cut_prefix(&s, "tag:yaml.org,2002:") && str_is(s, name);
}

/* What the text means under a tag of the core schema; NULL: it does not fit. */
static json_t *tagged_make(const unsigned char *tag, struct str text)
{
	static const struct {
		const char *tag;
		json_type type;
	} types[] = {
		{"null", JSON_NULL},   {"bool", JSON_TRUE},  {"bool", JSON_FALSE},
		{"int", JSON_INTEGER}, {"float", JSON_REAL}, {"float", JSON_INTEGER},
	};
	CLEANUP(jv_drop) json_t *v = NULL;

	if (!strcmp((const char *)tag, "!") || tag_is(tag, "str"))
		return json_stringn(text.p, text.n);
	v = yaml_scalar_resolve(text);
	for (size_t i = 0; v && i < ARRAY_LEN(types); i++) {
		if (!tag_is(tag, types[i].tag) || json_typeof(v) != types[i].type)
			continue;
		return tag_is(tag, "float") ? json_real(json_number_value(v)) : json_incref(v);
	}
	return NULL;
}

static enum err_code scalar_read(struct reader *r, json_t **ret)
{
	const unsigned char *tag = r->event.data.scalar.tag;
	struct str text = {(const char *)r->event.data.scalar.value, r->event.data.scalar.length};
	json_t *v;

	if (text.n && memchr(text.p, '\0', text.n))
		return refuse(r, "a string with a NUL byte");
	if (tag)
		v = tagged_make(tag, text);
	else if (r->event.data.scalar.plain_implicit)
		v = yaml_scalar_resolve(text);
	else
		v = json_stringn(text.p, text.n);
	if (!v)
		return refuse(
			r,
			tag ? "a tag that is unknown or does not fit its value"
			    : "a number that fits no 64 bits (quote it to have a string)");
	anchor_put(r, (const char *)r->event.data.scalar.anchor, v);
	*ret = v;
	return ERR_OK;
}

/* Lists and mappings. */

static enum err_code value_read(struct reader *r, int depth, json_t **ret);

static enum err_code sequence_read(struct reader *r, int depth, json_t *list)
{
	enum err_code code;
	json_t *item;

	while (!(code = next(r)) && r->event.type != YAML_SEQUENCE_END_EVENT) {
		code = value_read(r, depth, &item);
		if (code)
			break;
		json_array_append_new(list, item);
	}
	return code;
}

/* Keys are scalars and become strings as they are written. *ret_is_merge: it is a plain "<<". */
static enum err_code
key_read(struct reader *r, struct arena *a, struct str *ret, bool *ret_is_merge)
{
	struct str text = {(const char *)r->event.data.scalar.value, r->event.data.scalar.length};

	if (r->event.type != YAML_SCALAR_EVENT)
		return refuse(r, "a key that is no scalar");
	if (text.n && memchr(text.p, '\0', text.n))
		return refuse(r, "a key with a NUL byte");
	if (r->event.data.scalar.tag && !tag_is(r->event.data.scalar.tag, "str"))
		return refuse(r, "a key with a tag");
	if (r->event.data.scalar.anchor)
		return refuse(r, "a key with an anchor");
	if (!text.n && r->event.data.scalar.plain_implicit)
		return refuse(r, "a value without a key");
	*ret_is_merge = r->event.data.scalar.plain_implicit && str_is(text, "<<");
	*ret = (struct str){arena_strndup(a, text.p, text.n), text.n};
	return ERR_OK;
}

/* The fields of a mapping, or of each of a list of them, that target does not have. */
static bool merge_keys(json_t *target, const json_t *from)
{
	const char *name;
	json_t *value;
	size_t i;

	json_array_foreach (from, i, value)
		if (!json_is_object(value) || !merge_keys(target, value))
			return false;
	json_object_foreach ((json_t *)from, name, value)
		if (!json_object_get(target, name))
			json_object_set_new(target, name, json_deep_copy(value));
	return json_is_object(from) || json_is_array(from);
}

static enum err_code
mapping_fields_read(struct reader *r, struct arena *a, int depth, json_t *object, json_t **merged)
{
	enum err_code code;
	struct str key = {0};
	bool is_merge = false;
	json_t *value;

	while (!(code = next(r)) && r->event.type != YAML_MAPPING_END_EVENT) {
		code = key_read(r, a, &key, &is_merge);
		if (code)
			break;
		if (is_merge ? *merged != NULL : json_object_get(object, key.p) != NULL)
			return refuse(r, arena_printf(a, "duplicate key \"%.100s\"", key.p));
		code = next(r);
		code = code ? code : value_read(r, depth, &value);
		if (code)
			break;
		if (is_merge)
			*merged = value;
		else
			json_object_setn_new(object, key.p, key.n, value);
	}
	return code;
}

static enum err_code mapping_read(struct reader *r, int depth, json_t *object)
{
	struct arena a = {0};
	json_t *merged = NULL;
	enum err_code code = mapping_fields_read(r, &a, depth, object, &merged);

	if (!code && merged && !merge_keys(object, merged))
		code = refuse(r, "<< wants a mapping or a list of them");
	json_decref(merged);
	arena_done(&a);
	return code;
}

static enum err_code collection_read(struct reader *r, int depth, json_t **ret)
{
	bool is_list = r->event.type == YAML_SEQUENCE_START_EVENT;
	const unsigned char *tag =
		is_list ? r->event.data.sequence_start.tag : r->event.data.mapping_start.tag;
	const unsigned char *name =
		is_list ? r->event.data.sequence_start.anchor : r->event.data.mapping_start.anchor;
	CLEANUP(mem_drop) char *anchor = name ? mem_strdup((const char *)name) : NULL;
	CLEANUP(jv_drop) json_t *v = is_list ? json_array() : json_object();
	enum err_code code;

	if (tag && strcmp((const char *)tag, "!") != 0 && !tag_is(tag, is_list ? "seq" : "map"))
		return refuse(r, "a tag that is unknown or does not fit its value");
	if (depth + 1 > JV_DEPTH_MAX)
		return refuse(r, "nested too deep (at most 64 levels)");
	code = is_list ? sequence_read(r, depth + 1, v) : mapping_read(r, depth + 1, v);
	if (code)
		return code;
	anchor_put(r, anchor, v);
	*ret = json_incref(v);
	return ERR_OK;
}

/* depth: levels above the value. */
static enum err_code value_read(struct reader *r, int depth, json_t **ret)
{
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		return scalar_read(r, ret);
	case YAML_ALIAS_EVENT:
		return alias_read(r, depth, ret);
	default:
		return collection_read(r, depth, ret);
	}
}

static enum err_code document_read(struct reader *r, json_t *docs)
{
	json_t *v;
	enum err_code code = next(r);

	code = code ? code : value_read(r, 0, &v);
	anchors_clear(r);
	if (code)
		return code;
	if (json_is_null(v))
		json_decref(v);
	else
		json_array_append_new(docs, v);
	return next(r); /* the document's end */
}

static enum err_code stream_read(struct reader *r, json_t *docs)
{
	enum err_code code = next(r); /* the stream's start */
	size_t n = 0;

	while (!code) {
		code = next(r);
		if (code || r->event.type == YAML_STREAM_END_EVENT)
			break;
		if (n++ == YAML_DOCS_MAX)
			return refuse(r, "too many documents (at most 10000)");
		code = document_read(r, docs);
	}
	return code;
}

/* libyaml knows no surrogate pairs ("\ud83d\ude00"): what is JSON is read as such. */
static bool json_read(struct str in, size_t max, json_t *docs)
{
	struct str text = str_trim(in);
	json_t *v;

	if (!text.n || !strchr("{[", text.p[0]) || jv_parse(text, max, &v, NULL))
		return false;
	json_array_append_new(docs, v);
	return true;
}

enum err_code yaml_parse(struct str in, size_t max, json_t **ret_docs, struct err *e)
{
	CLEANUP(jv_drop) json_t *docs = json_array();
	struct reader r = {.e = e};
	enum err_code code = ERR_OK;

	if (in.n > max)
		return err_set(
			e, ERR_LIMIT, "YAML text of %zu bytes is too large (at most %zu)", in.n,
			max);
	if (!json_read(in, max, docs)) {
		if (!yaml_parser_initialize(&r.parser))
			abort();
		yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(
			&r.parser, (const unsigned char *)(in.n ? in.p : ""), in.n);
		code = stream_read(&r, docs);
		anchors_clear(&r);
		yaml_event_delete(&r.event);
		yaml_parser_delete(&r.parser);
	}
	if (!code)
		*ret_docs = json_incref(docs);
	return code;
}
