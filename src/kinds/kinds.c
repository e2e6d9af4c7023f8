#include "kinds/kinds.h"

#include <ctype.h>
#include <strings.h>

#include "base/clock.h"
#include "base/embed.h"
#include "kinds/database.h"
#include "kinds/event.h"
#include "kinds/host_kind.h"
#include "kinds/member.h"
#include "kinds/namespace.h"
#include "kinds/parameter.h"
#include "kinds/secret_kind.h"

extern const struct embed kinds_files[];

/* The rules of each kind; what stands in its file is added at load. */
static struct kind kinds[] = {
	{.name = "Database",
	 .prepare = database_prepare,
	 .check = database_check,
	 .check_delete = database_check_delete},
	{.name = "Member", .check = member_kind_check, .check_delete = member_check_delete},
	{.name = "Host", .check = host_kind_check},
	{.name = "Gateway"},
	{.name = "Namespace", .prepare = namespace_prepare},
	{.name = "Secret",
	 .prepare = secret_kind_prepare,
	 .check = secret_kind_check,
	 .column = secret_kind_column},
	{.name = "Event", .check = event_check, .column = event_column},
};

static bool is_loaded;
static json_t *docs[ARRAY_LEN(kinds)]; /* kept for ever: the kinds point into them */
static struct arena kinds_arena; /* names made at load; lives as long as the program */

static enum err_code file_load(const char *name, json_t **ret, struct err *e)
{
	for (const struct embed *f = kinds_files; f->name; f++) {
		if (strcasecmp(f->name, name) != 0)
			continue;
		if (jv_parse(f->bytes, f->bytes.n, ret, e))
			return err_wrap(e, "kinds/%s", f->name);
		return ERR_OK;
	}
	return err_set(e, ERR_INTERNAL, "kinds/%s is missing in the program", name);
}

static void kind_describe(struct kind *k, const json_t *doc)
{
	k->group = jv_str_or(doc, "group", "");
	k->version = jv_str_or(doc, "version", "");
	k->plural = jv_str_or(doc, "plural", "");
	k->singular = jv_str_or(doc, "singular", "");
	k->api_version =
		*k->group ? arena_printf(&kinds_arena, "%s/%s", k->group, k->version) : k->version;
	k->resource =
		*k->group ? arena_printf(&kinds_arena, "%s.%s", k->plural, k->group) : k->plural;
	k->short_names = jv_at(doc, "shortNames");
	k->categories = jv_at(doc, "categories");
	k->is_namespaced = !strcmp(jv_str_or(doc, "scope", ""), "Namespaced");
	k->has_status = jv_bool(doc, "hasStatus", false);
	k->columns = jv_at(doc, "columns");
}

static enum err_code kind_load(struct kind *k, struct err *e)
{
	char file[80];
	json_t *doc;
	enum err_code code;

	snprintf(file, sizeof(file), "%s.json", k->name);
	code = file_load(file, &doc, e);
	if (code)
		return code;
	if (strcmp(jv_str_or(doc, "kind", ""), k->name) != 0)
		return err_set(e, ERR_INTERNAL, "kinds/%s is not of kind %s", file, k->name);
	docs[k - kinds] = doc;
	kind_describe(k, doc);
	if (schema_load(json_object_get(doc, "schema"), &k->schema, e))
		return err_wrap(e, "kinds/%s", file);
	return ERR_OK;
}

enum err_code kinds_init(struct err *e)
{
	enum err_code code;

	if (is_loaded)
		return ERR_OK;
	code = parameter_init(e);
	for (size_t i = 0; i < ARRAY_LEN(kinds) && !code; i++)
		code = kind_load(&kinds[i], e);
	is_loaded = !code;
	return code;
}

const struct kind *kinds_all(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(kinds);
	return kinds;
}

const json_t *kind_objectmeta(void)
{
	return schema_at(kinds[0].schema, "metadata");
}

const struct kind *kind_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

static bool has_alias(const struct kind *k, const char *alias)
{
	json_t *one;
	size_t i;

	if (!strcasecmp(alias, k->plural) || !strcasecmp(alias, k->singular) ||
	    !strcasecmp(alias, k->name))
		return true;
	json_array_foreach (k->short_names, i, one)
		if (!strcasecmp(alias, json_string_value(one)))
			return true;
	return false;
}

const struct kind *kind_by_alias(const char *alias)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];
		struct str name = str_of(alias), group;
		char plain[KIND_NAME_MAX + 1];

		if (has_alias(k, alias))
			return k;
		if (!str_split(&name, '.', &group) || group.n > KIND_NAME_MAX)
			continue;
		memcpy(plain, group.p, group.n);
		plain[group.n] = 0;
		if (*k->group && str_is(name, k->group) && has_alias(k, plain))
			return k;
	}
	return NULL;
}

const struct kind *kind_by_resource(const char *group, const char *version, const char *plural)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].group, group) && !strcmp(kinds[i].version, version) &&
		    !strcmp(kinds[i].plural, plural))
			return &kinds[i];
	return NULL;
}

static bool is_label_end(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Labels of RFC 1123, with dots between them; no dots: one label. */
static bool is_dns_name(const char *name, bool has_dots)
{
	char before = '.';

	for (const char *c = name; *c; before = *c++) {
		bool is_edge = before == '.' || c[1] == 0 || c[1] == '.';

		if (*c == '.' ? !has_dots || before == '.' || !c[1]
			      : !is_label_end(*c) && (*c != '-' || is_edge))
			return false;
	}
	return *name != 0;
}

bool kind_name_is_ok(const char *name)
{
	return is_dns_name(name, false) && strlen(name) <= KIND_NAME_MAX;
}

static bool has_label_name(const struct kind *k)
{
	static const char *const names[] = {"Database", "Member", "Namespace"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(k->name, names[i]))
			return true;
	return false;
}

const char *kind_name_problem(const struct kind *k, const char *name)
{
	if (has_label_name(k)) {
		if (!is_dns_name(name, false))
			return "a lowercase RFC 1123 label must consist of lower case alphanumeric "
			       "characters or '-', and must start and end with an alphanumeric "
			       "character (e.g. 'my-name',  or '123-abc', regex used for "
			       "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
		return strlen(name) > KIND_NAME_MAX ? "must be no more than 63 characters" : NULL;
	}
	if (!is_dns_name(name, true))
		return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
		       "characters, '-' or '.', and must start and end with an alphanumeric "
		       "character (e.g. 'example.com', regex used for validation is "
		       "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
	return strlen(name) > KIND_LONG_NAME_MAX ? "must be no more than 253 characters" : NULL;
}

/* "status.conditions[Ready].status": in brackets stands the type of an entry of a list. */
static const json_t *column_at(const json_t *object, const char *path)
{
	struct str rest = str_of(path), part;

	while (object && str_split(&rest, '.', &part)) {
		struct str name, type = part;
		json_t *list, *one;
		size_t i;

		str_split(&type, '[', &name);
		object = json_object_getn(object, name.p, name.n);
		if (!type.p || !str_cut_suffix(&type, "]"))
			continue;
		list = (json_t *)(uintptr_t)object;
		object = NULL;
		json_array_foreach (list, i, one)
			if (str_is(type, jv_str_or(one, "type", "")))
				object = one;
	}
	return object;
}

static json_t *age_of(const json_t *value)
{
	char text[CLOCK_TEXT];
	int64_t at;

	if (!json_is_string(value) || clock_parse(str_of(json_string_value(value)), &at, NULL))
		return json_string("<unknown>");
	return json_string(clock_age(clock_wall_us() - at, text));
}

json_t *kind_column(const struct kind *k, const json_t *column, const json_t *object)
{
	const char *name = jv_str_or(column, "name", "");
	const char *type = jv_str_or(column, "type", "");
	json_t *cell = k->column ? k->column(object, name) : NULL;
	const json_t *value;

	if (cell)
		return cell;
	value = column_at(object, jv_str_or(column, "path", ""));
	if (!strcmp(type, "date"))
		return age_of(value);
	if (!value || (json_is_object(value) || json_is_array(value)))
		return json_null();
	return json_copy((json_t *)(uintptr_t)value);
}
