#include "api/accept.h"

#include <strings.h>

/* One parameter of a media type, as "as" of "application/json;as=Table;g=meta.k8s.io". */
static struct str param_of(struct str entry, const char *name)
{
	struct str part, key;

	str_split(&entry, ';', &part); /* the media type itself */
	while (str_split(&entry, ';', &part)) {
		part = str_trim(part);
		str_split(&part, '=', &key);
		if (str_is(key, name))
			return str_trim(part);
	}
	return (struct str){"", 0};
}

static const struct {
	const char *as, *group, *version;
	bool is_discovery;
	enum form form;
} forms[] = {
	{"", "", "", false, FORM_OBJECT},
	{"Table", "meta.k8s.io", "v1", false, FORM_TABLE},
	{"PartialObjectMetadata", "meta.k8s.io", "v1", false, FORM_METADATA},
	{"PartialObjectMetadataList", "meta.k8s.io", "v1", false, FORM_METADATA},
	{"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2", true, FORM_DISCOVERY},
	{"APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1", true, FORM_DISCOVERY_BETA},
};

static bool is_any(struct str type)
{
	return str_is(type, "*/*") || str_is(type, "application/*");
}

static bool is_yaml(struct str type)
{
	return str_is(type, "application/yaml") || str_is(type, "application/x-yaml") ||
		str_is(type, "text/yaml");
}

static enum form form_of(struct str entry, bool is_discovery)
{
	struct str as = param_of(entry, "as"), g = param_of(entry, "g"), v = param_of(entry, "v");

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (str_is(as, forms[i].as) && (!as.n || str_is(g, forms[i].group)) &&
		    (!as.n || str_is(v, forms[i].version)) &&
		    (!as.n || forms[i].is_discovery == is_discovery))
			return forms[i].form;
	return FORM_NONE;
}

struct accept accept_parse(const char *header, bool is_discovery)
{
	struct str rest = str_of(header), entry;

	if (!header || !*header)
		return (struct accept){FORM_OBJECT, false};
	while (str_split(&rest, ',', &entry)) {
		struct str all = entry, type;
		enum form form;

		str_split(&all, ';', &type);
		type = str_trim(type);
		if (!is_any(type) && !is_yaml(type) && !str_is(type, "application/json"))
			continue;
		form = form_of(entry, is_discovery);
		if (form != FORM_NONE)
			return (struct accept){form, is_yaml(type)};
	}
	return (struct accept){FORM_NONE, false};
}
