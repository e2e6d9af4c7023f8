#include "kinds/hold.h"

enum { HOLD_TEXT_MAX = 1000 };

const char *hold_asked(const json_t *database)
{
	return json_string_value(
		json_object_get(jv_at(database, "metadata.annotations"), HOLD_ANNOTATION));
}

static const char *word_of(const char *word)
{
	static const char *const words[] = {"wait", "refuse", "end"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i], word))
			return words[i];
	return NULL;
}

enum err_code hold_parse(const char *text, struct hold *ret, struct err *e)
{
	CLEANUP(jv_drop) json_t *v = NULL;
	struct hold h;
	enum err_code code = jv_parse(str_of(text), HOLD_TEXT_MAX, &v, e);

	if (code)
		return err_set(e, ERR_INVALID, "want a JSON object such as {\"drainMs\":5000}");
	h.drain_ms = jv_int(v, "drainMs", HOLD_DRAIN_MS);
	h.on_drain = word_of(jv_str_or(v, "onDrain", "wait"));
	if (!json_is_object(v) || (jv_at(v, "drainMs") && !json_is_integer(jv_at(v, "drainMs"))) ||
	    h.drain_ms < 0 || h.drain_ms > HOLD_DRAIN_MAX_MS)
		return err_set(
			e, ERR_INVALID, "want an object whose drainMs is from 0 to %d",
			HOLD_DRAIN_MAX_MS);
	if (!h.on_drain)
		return err_set(e, ERR_INVALID, "onDrain must be wait, refuse or end");
	*ret = h;
	return ERR_OK;
}
