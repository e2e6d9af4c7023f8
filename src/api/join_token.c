#include "api/join_token.h"

#include "api/auth.h"
#include "api/body.h"
#include "api/reply.h"
#include "api/status.h"
#include "base/clock.h"
#include "kinds/gateway.h"

/* The field's text, or a Status that names it. */
json_t *join_read_text(const json_t *body, const char *field, bool is_required, const char **ret)
{
	const json_t *v = jv_at(body, field);

	*ret = json_string_value(v);
	if ((!v && !is_required) || (*ret && **ret))
		return NULL;
	return status_bad_request("%s: a text is wanted", field);
}

json_t *join_read_label(const json_t *body, const char *field, bool is_required, const char **ret)
{
	json_t *status = join_read_text(body, field, is_required, ret);

	if (status || !*ret || kind_name_is_ok(*ret))
		return status;
	return status_bad_request(
		"%s: \"%s\" is no name: lower case letters, digits and '-', at most %d", field,
		*ret, KIND_NAME_MAX);
}

/* Tokens. */

static json_t *read_ttl(const json_t *body, int64_t *ret)
{
	*ret = jv_int(body, "ttlSeconds", JOIN_TTL_S);
	if (*ret > 0 && *ret <= JOIN_TTL_MAX_S)
		return NULL;
	return status_bad_request("ttlSeconds: from 1 to %d", JOIN_TTL_MAX_S);
}

static enum err_code token_text(struct call *c, const char **ret, struct err *e)
{
	struct secret s = {0};
	const char *pin;
	enum err_code code = ca_fingerprint(c->arena, c->api->ca->cert_pem, &pin, e);

	if (code)
		return code;
	secret_random(&s, JOIN_SECRET_CHARS);
	*ret = arena_printf(
		c->arena, "%.*s.%.*s", (int)s.n, (const char *)s.p, JOIN_PIN_CHARS, pin);
	secret_done(&s);
	return ERR_OK;
}

/* What is wanted of a token. */
struct wish {
	const char *zone, *name; /* NULL: any */
	const json_t *hosts; /* of a gateway: how clients call it; NULL: none */
	bool is_gateway;
	int64_t ttl_s;
};

static enum err_code
token_make(struct call *c, const struct wish *w, const char **ret, struct err *e)
{
	struct store_token t = {0};
	CLEANUP(jv_drop)
	json_t *detail = json_pack(
		"{s:s*, s:s*, s:O*}", "zone", w->zone, "name", w->name, "hosts", w->hosts);
	struct str text = jv_text(c->arena, detail);
	enum err_code code = token_text(c, ret, e);

	if (code)
		return code;
	if (text.n >= sizeof(t.detail))
		return err_set(e, ERR_LIMIT, "hosts: too many for one token");
	snprintf(t.group, sizeof(t.group), "%s", w->is_gateway ? GROUP_GATEWAYS : GROUP_HOSTS);
	snprintf(t.subject, sizeof(t.subject), "%s", w->name ? w->name : "");
	snprintf(t.detail, sizeof(t.detail), "%s", text.p);
	return store_token_put(c->api->store, "join", str_of(*ret), &t, w->ttl_s, e);
}

static json_t *read_hosts(const json_t *body, const json_t **ret)
{
	json_t *hosts = jv_at(body, "hosts"), *one;
	size_t i;

	*ret = hosts;
	if (hosts && !json_is_array(hosts))
		return status_bad_request("hosts: a list of names and addresses is wanted");
	json_array_foreach (hosts, i, one)
		if (!gateway_is_host(json_string_value(one)))
			return status_bad_request("hosts: a name or an address is wanted");
	return NULL;
}

static json_t *wish_read(const json_t *body, struct wish *ret)
{
	json_t *status;

	ret->is_gateway = jv_bool(body, "gateway", false);
	status = join_read_label(body, "zone", !ret->is_gateway, &ret->zone);
	if (!status)
		status = join_read_label(body, "name", false, &ret->name);
	if (!status)
		status = read_hosts(body, &ret->hosts);
	if (!status)
		status = read_ttl(body, &ret->ttl_s);
	return status;
}

json_t *join_tokens(struct call *c)
{
	CLEANUP(jv_drop) json_t *body = NULL;
	CLEANUP(jv_drop) json_t *answer = NULL;
	struct wish w = {0};
	char expires[CLOCK_TEXT];
	const char *token;
	struct err e = {0};
	json_t *status = body_read(c, false, &body);

	if (!status)
		status = wish_read(body, &w);
	if (status)
		return status;
	if (token_make(c, &w, &token, &e))
		return e.code == ERR_LIMIT ? status_bad_request("%s", e.text)
					   : status_of_err(kind_by_name("Host"), NULL, e.code, &e);
	clock_text_s(clock_wall_us() + w.ttl_s * 1000000, expires);
	answer = json_pack("{s:s, s:s}", "token", token, "expires", expires);
	reply_value(c, 201, answer);
	return NULL;
}

static json_t *token_refused(void)
{
	return status_new(
		401, "Unauthorized",
		"the join token is unknown, used up or too old: make a new one");
}

static json_t *token_status(enum err_code code, const struct err *e)
{
	if (code == ERR_UNAVAILABLE || code == ERR_TIMEOUT)
		return status_unavailable(1);
	if (code == ERR_INTERNAL)
		return status_internal(e->text);
	return token_refused();
}

json_t *join_token_find(
	struct call *c, const char *token, const char *group, const char *name, json_t **ret_detail)
{
	bool is_gateway = !strcmp(group, GROUP_GATEWAYS);
	CLEANUP(jv_drop) json_t *detail = NULL;
	struct store_token t = {0};
	struct err e = {0};
	enum err_code code = store_token_find(c->api->store, "join", str_of(token), &t, &e);
	const char *wanted;

	if (code)
		return token_status(code, &e);
	if (jv_parse(str_of(t.detail), sizeof(t.detail), &detail, &e))
		return token_refused();
	if (strcmp(t.group, group) != 0)
		return status_new(
			403, "Forbidden", "the join token is for a %s, not for a %s",
			is_gateway ? "host" : "gateway", is_gateway ? "gateway" : "host");
	wanted = jv_str(detail, "name");
	if (wanted && strcmp(wanted, name) != 0)
		return status_new(
			403, "Forbidden", "the join token is for %s %s, not for %s",
			is_gateway ? "gateway" : "host", wanted, name);
	*ret_detail = json_incref(detail);
	return NULL;
}

json_t *join_token_use(struct call *c, const char *token)
{
	struct store_token spent = {0};
	struct err e = {0};
	enum err_code code = store_token_use(c->api->store, "join", str_of(token), &spent, &e);

	return code ? token_status(code, &e) : NULL;
}

json_t *join_check_no_other(struct call *c, const char *kind, const char *name, const char *other)
{
	const struct kind *k = kind_by_name(kind);
	CLEANUP(jv_drop) json_t *live = NULL;
	struct err e = {0};
	enum err_code code =
		store_get(c->api->store, (struct store_key){other, "", name}, &live, &e);

	if (code == ERR_NOT_FOUND)
		return NULL;
	if (code)
		return status_of_err(k, name, code, &e);
	return status_conflict(
		k, name,
		arena_printf(
			c->arena,
			"there is a %s of that name; some servers know a certificate by "
			"its name alone",
			other));
}
