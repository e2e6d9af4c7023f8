#include "api/selector.h"

#include <ctype.h>

enum { LABEL_NAME_MAX = 63, LABEL_PREFIX_MAX = 253, SELECTOR_TERMS_MAX = 200 };

#define NAME_RULE                                                                                  \
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and "  \
	"end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "  \
	"used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define VALUE_RULE                                                                                 \
	"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' "   \
	"or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "      \
	"'my_value',  or '12345', regex used for validation is "                                   \
	"'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

static bool is_word(struct str s)
{
	if (!s.n || !isalnum((unsigned char)s.p[0]) || !isalnum((unsigned char)s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr("-_.", s.p[i]))
			return false;
	return true;
}

const char *selector_label_name_problem(const char *name)
{
	struct str word = str_of(name), prefix = {0};
	const char *slash = strchr(name, '/');

	if (slash) {
		prefix = (struct str){name, (size_t)(slash - name)};
		word = str_of(slash + 1);
		if (!prefix.n || prefix.n > LABEL_PREFIX_MAX)
			return "prefix part must be non-empty";
		for (size_t i = 0; i < prefix.n; i++)
			if (!islower((unsigned char)prefix.p[i]) &&
			    !isdigit((unsigned char)prefix.p[i]) && !strchr("-.", prefix.p[i]))
				return "prefix part a lowercase RFC 1123 subdomain must consist of "
				       "lower case alphanumeric characters, '-' or '.', and must "
				       "start and end with an alphanumeric character (e.g. "
				       "'example.com', regex used for validation is "
				       "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-"
				       "9])?)*')";
		if (strchr(slash + 1, '/'))
			return "a valid label key must consist of a name with an optional DNS "
			       "subdomain prefix and '/' (e.g. 'example.com/MyName')";
	}
	if (!word.n)
		return "name part must be non-empty";
	if (word.n > LABEL_NAME_MAX)
		return "name part must be no more than 63 bytes";
	return is_word(word) ? NULL : NAME_RULE;
}

const char *selector_label_value_problem(const char *value)
{
	if (strlen(value) > LABEL_NAME_MAX)
		return "must be no more than 63 bytes";
	return !*value || is_word(str_of(value)) ? NULL : VALUE_RULE;
}

/* What is left of the text, and where the last error was seen. */
struct scan {
	struct str rest;
	struct arena *arena;
	struct err *err;
};

static void skip_space(struct scan *s)
{
	while (s->rest.n && strchr(" \t\n\r", *s->rest.p))
		s->rest.p++, s->rest.n--;
}

static bool take(struct scan *s, const char *symbol)
{
	skip_space(s);
	return str_cut_prefix(&s->rest, symbol);
}

/* A run of bytes that are no symbol; may be empty. */
static const char *take_word(struct scan *s)
{
	const char *start;

	skip_space(s);
	start = s->rest.p;
	while (s->rest.n && !strchr("!=<>(), \t\n\r", *s->rest.p))
		s->rest.p++, s->rest.n--;
	return arena_strndup(s->arena, start, (size_t)(s->rest.p - start));
}

static enum err_code unexpected(struct scan *s, const char *wanted)
{
	struct str found = s->rest;

	return err_set(
		s->err, ERR_INVALID, "unable to parse requirement: found '%.*s', expected: %s",
		(int)MIN(found.n, (size_t)40), found.n ? found.p : "", wanted);
}

static enum err_code add_value(struct scan *s, json_t *values, const char *key, const char *value)
{
	const char *problem = selector_label_value_problem(value);

	if (problem)
		return err_set(
			s->err, ERR_INVALID,
			"unable to parse requirement: values[%zu][%s]: Invalid value: \"%s\": %s",
			json_array_size(values), key, value, problem);
	json_array_append_new(values, json_string(value));
	return ERR_OK;
}

/* "(a, b)" */
static enum err_code take_set(struct scan *s, const char *key, json_t *values)
{
	enum err_code code;

	if (!take(s, "("))
		return unexpected(s, "'('");
	do {
		code = add_value(s, values, key, take_word(s));
		if (code)
			return code;
	} while (take(s, ","));
	return take(s, ")") ? ERR_OK : unexpected(s, "',' or ')'");
}

static enum err_code take_number(struct scan *s, const char *key, json_t *values)
{
	const char *word = take_word(s);
	int64_t n;

	if (!str_to_i64(str_of(word), &n))
		return err_set(
			s->err, ERR_INVALID,
			"unable to parse requirement: values[0][%s]: Invalid value: \"%s\": for "
			"'Gt', 'Lt' operators, the value must be an integer",
			key, word);
	return add_value(s, values, key, word);
}

/* What stands behind a key; "in" and "notin" are words, so a space must be before them. */
static enum err_code
take_condition(struct scan *s, const char *key, const char **ret_op, json_t *values)
{
	struct scan before;

	skip_space(s);
	if (!s->rest.n || *s->rest.p == ',') {
		*ret_op = "exists";
		return ERR_OK;
	}
	if (take(s, ">") || take(s, "<")) {
		*ret_op = s->rest.p[-1] == '>' ? ">" : "<";
		return take_number(s, key, values);
	}
	if (take(s, "!=")) {
		*ret_op = "!=";
		return add_value(s, values, key, take_word(s));
	}
	if (take(s, "==") || take(s, "=")) {
		*ret_op = "=";
		return add_value(s, values, key, take_word(s));
	}
	before = *s;
	*ret_op = take_word(s);
	if (!strcmp(*ret_op, "in") || !strcmp(*ret_op, "notin"))
		return take_set(s, key, values);
	return unexpected(&before, "',' or 'in', 'notin', '=', '==', '!=', '>', '<'");
}

static enum err_code take_term(struct scan *s, json_t *terms)
{
	bool is_absent = take(s, "!");
	const char *key = take_word(s), *op = "!";
	const char *problem = selector_label_name_problem(key);
	CLEANUP(jv_drop) json_t *values = json_array();
	enum err_code code = ERR_OK;

	if (!*key)
		return unexpected(s, "identifier");
	if (problem)
		return err_set(
			s->err, ERR_INVALID,
			"unable to parse requirement: <nil>: Invalid value: \"%s\": %s", key,
			problem);
	if (!is_absent)
		code = take_condition(s, key, &op, values);
	if (code)
		return code;
	json_array_append_new(
		terms, json_pack("{s:s, s:s, s:O}", "key", key, "op", op, "values", values));
	return ERR_OK;
}

static enum err_code take_terms(struct scan *s, json_t *terms)
{
	enum err_code code;

	skip_space(s);
	if (!s->rest.n)
		return ERR_OK;
	do {
		if (json_array_size(terms) == SELECTOR_TERMS_MAX)
			return err_set(
				s->err, ERR_LIMIT, "a selector has at most %d requirements",
				SELECTOR_TERMS_MAX);
		code = take_term(s, terms);
		if (code)
			return code;
	} while (take(s, ","));
	skip_space(s);
	return s->rest.n ? unexpected(s, "',' or 'end of string'") : ERR_OK;
}

enum err_code selector_labels(struct str text, json_t **ret, struct err *e)
{
	struct arena a = {0};
	struct scan s = {.rest = text, .arena = &a, .err = e};
	json_t *terms = json_array();
	enum err_code code = take_terms(&s, terms);

	arena_done(&a);
	if (code)
		json_decref(terms);
	else
		*ret = terms;
	return code;
}

static bool has_value(const json_t *values, const char *value)
{
	json_t *one;
	size_t i;

	json_array_foreach (values, i, one)
		if (!strcmp(json_string_value(one), value))
			return true;
	return false;
}

static bool compares(const char *value, const char *op, const char *bound)
{
	int64_t a, b;

	return str_to_i64(str_of(value), &a) && str_to_i64(str_of(bound), &b) &&
		(*op == '>' ? a > b : a < b);
}

static bool term_matches(const json_t *term, const char *value)
{
	const char *op = jv_str_or(term, "op", "");
	const json_t *values = json_object_get(term, "values");

	if (!strcmp(op, "!"))
		return !value;
	if (!strcmp(op, "!=") || !strcmp(op, "notin"))
		return !value || !has_value(values, value);
	if (!value)
		return false;
	if (!strcmp(op, "exists"))
		return true;
	if (*op == '>' || *op == '<')
		return compares(value, op, jv_str_or(term, "values.0", ""));
	return has_value(values, value);
}

bool selector_labels_match(const json_t *labels, const json_t *object)
{
	const json_t *own = jv_at(object, "metadata.labels");
	json_t *term;
	size_t i;

	json_array_foreach (labels, i, term) {
		const char *key = jv_str_or(term, "key", "");

		if (!term_matches(term, json_string_value(json_object_get(own, key))))
			return false;
	}
	return true;
}

json_t *selector_take_numeric(json_t *labels)
{
	json_t *taken = NULL;

	for (size_t i = json_array_size(labels); i-- > 0;) {
		json_t *term = json_array_get(labels, i);
		const char *op = jv_str_or(term, "op", "");

		if (*op != '>' && *op != '<')
			continue;
		if (!taken)
			taken = json_array();
		json_array_append(taken, term);
		json_array_remove(labels, i);
	}
	return taken;
}

/* Which fields a kind can be selected by, beside its name and namespace. */
static const struct {
	const char *kind, *field;
} fields[] = {
	{"Event", "involvedObject.kind"},
	{"Event", "involvedObject.namespace"},
	{"Event", "involvedObject.name"},
	{"Event", "involvedObject.uid"},
	{"Event", "involvedObject.apiVersion"},
	{"Event", "involvedObject.resourceVersion"},
	{"Event", "involvedObject.fieldPath"},
	{"Event", "reason"},
	{"Event", "reportingComponent"},
	{"Event", "source"},
	{"Event", "type"},
	{"Secret", "type"},
	{"Namespace", "status.phase"},
	{"Member", "spec.database"},
	{"Member", "spec.host"},
};

static bool is_field(const struct kind *k, const char *field)
{
	if (!strcmp(field, "metadata.name") || !strcmp(field, "metadata.namespace"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!strcmp(fields[i].kind, k->name) && !strcmp(fields[i].field, field))
			return true;
	return false;
}

/* One of "a=b", "a==b", "a!=b". */
static enum err_code
field_term(struct arena *a, const struct kind *k, struct str text, json_t **ret, struct err *e)
{
	char *field = arena_strndup(a, text.p, text.n), *eq = strchr(field, '=');
	const char *op = "=", *value;

	if (!eq)
		return err_set(
			e, ERR_INVALID, "invalid selector: '%s'; can't understand '%s'", field,
			field);
	value = eq[1] == '=' ? eq + 2 : eq + 1;
	if (eq > field && eq[-1] == '!') {
		op = "!=";
		eq--;
	}
	*eq = 0;
	if (!is_field(k, field)) {
		if (*k->group || !strcmp(k->name, "Event"))
			return err_set(e, ERR_INVALID, "field label not supported: %s", field);
		return err_set(
			e, ERR_INVALID,
			"\"%s\" is not a known field selector: only \"metadata.name\", "
			"\"metadata.namespace\"",
			field);
	}
	*ret = json_pack("{s:s, s:s, s:s}", "field", field, "op", op, "value", value);
	return ERR_OK;
}

enum err_code selector_fields(const struct kind *k, struct str text, json_t **ret, struct err *e)
{
	json_t *terms = json_array(), *term = NULL;
	struct arena a = {0};
	struct str part;
	enum err_code code = ERR_OK;

	while (!code && text.n && str_split(&text, ',', &part)) {
		if (!part.n)
			continue;
		code = field_term(&a, k, part, &term, e);
		if (!code)
			json_array_append_new(terms, term);
	}
	arena_done(&a);
	if (code)
		json_decref(terms);
	else
		*ret = terms;
	return code;
}

/* "source" of an event is source.component, or who reports it. */
static const char *field_of(const json_t *object, const char *field)
{
	if (!strcmp(field, "source"))
		return jv_str_or(
			object, "source.component", jv_str_or(object, "reportingComponent", ""));
	return jv_str_or(object, field, "");
}

bool selector_fields_match(const json_t *terms, const json_t *object)
{
	json_t *term;
	size_t i;

	json_array_foreach (terms, i, term) {
		bool is_equal =
			!strcmp(field_of(object, jv_str_or(term, "field", "")),
				jv_str_or(term, "value", ""));

		if (is_equal != !strcmp(jv_str_or(term, "op", ""), "="))
			return false;
	}
	return true;
}

const char *selector_field_value(const json_t *terms, const char *field)
{
	json_t *term;
	size_t i;

	json_array_foreach (terms, i, term)
		if (!strcmp(jv_str_or(term, "op", ""), "=") &&
		    !strcmp(jv_str_or(term, "field", ""), field))
			return jv_str(term, "value");
	return NULL;
}
