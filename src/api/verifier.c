#include "api/verifier.h"

#include <stdlib.h>

#include "base/secret.h"
#include "kinds/credential.h"

static char *label_of(const json_t *secret, const char *key)
{
	const char *text =
		json_string_value(json_object_get(jv_at(secret, "metadata.labels"), key));

	return mem_strdup(text ? text : "");
}

static char *text_of(const json_t *secret, const char *key)
{
	const char *text = json_string_value(json_object_get(jv_at(secret, "data"), key));
	struct arena a = {0};
	struct str bytes;
	char *ret = NULL;

	if (text && !secret_unbase64(&a, str_of(text), &bytes, NULL))
		ret = mem_printf(STR_FMT, STR_ARG(bytes));
	arena_done(&a);
	return ret;
}

void verifier_read(struct str text, struct verifier *ret)
{
	CLEANUP(jv_drop) json_t *o = NULL;

	/* most Secrets are others: they need not be parsed */
	if (!memmem(text.p, text.n, CREDENTIAL_TYPE_VERIFIER, strlen(CREDENTIAL_TYPE_VERIFIER)) ||
	    jv_parse(text, SIZE_MAX, &o, NULL) ||
	    strcmp(jv_str_or(o, "type", ""), CREDENTIAL_TYPE_VERIFIER) != 0)
		return;
	*ret = (struct verifier){
		.database = label_of(o, CREDENTIAL_LABEL_DATABASE),
		.role = label_of(o, CREDENTIAL_LABEL_ROLE),
		.current = text_of(o, CREDENTIAL_VERIFIER),
		.next = text_of(o, CREDENTIAL_VERIFIER_NEXT),
	};
	str_to_i64(str_of(jv_str_or(o, "metadata.resourceVersion", "0")), &ret->revision);
}

void verifier_done(struct verifier *v)
{
	free(v->database);
	free(v->role);
	free(v->current);
	free(v->next);
	*v = (struct verifier){0};
}
