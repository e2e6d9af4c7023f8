#include "api/join.h"

#include <arpa/inet.h>

#include "api/auth.h"
#include "api/body.h"
#include "api/reply.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/log.h"

json_t *join_ca(struct call *c)
{
	reply_text(c, 200, "application/x-pem-file", str_of(c->api->ca->cert_pem));
	return NULL;
}

/* The field's text, or a Status that names it. */
static json_t *read_text(const json_t *body, const char *field, bool is_required, const char **ret)
{
	const json_t *v = jv_at(body, field);

	*ret = json_string_value(v);
	if ((!v && !is_required) || (*ret && **ret))
		return NULL;
	return status_bad_request("%s: a text is wanted", field);
}

static json_t *read_label(const json_t *body, const char *field, bool is_required, const char **ret)
{
	json_t *status = read_text(body, field, is_required, ret);

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

static enum err_code token_make(
	struct call *c, const char *zone, const char *name, int64_t ttl_s, const char **ret,
	struct err *e)
{
	struct store_token t = {.group = GROUP_HOSTS};
	CLEANUP(jv_drop) json_t *detail = json_pack("{s:s, s:s*}", "zone", zone, "name", name);
	enum err_code code = token_text(c, ret, e);

	if (code)
		return code;
	snprintf(t.subject, sizeof(t.subject), "%s", name ? name : "");
	snprintf(t.detail, sizeof(t.detail), "%s", jv_text(c->arena, detail).p);
	return store_token_put(c->api->store, "join", str_of(*ret), &t, ttl_s, e);
}

json_t *join_tokens(struct call *c)
{
	CLEANUP(jv_drop) json_t *body = NULL;
	CLEANUP(jv_drop) json_t *answer = NULL;
	const char *zone, *name, *token;
	char expires[CLOCK_TEXT];
	struct err e = {0};
	int64_t ttl_s;
	json_t *status = body_read(c, false, &body);

	if (!status)
		status = read_label(body, "zone", true, &zone);
	if (!status)
		status = read_label(body, "name", false, &name);
	if (!status)
		status = read_ttl(body, &ttl_s);
	if (status)
		return status;
	if (token_make(c, zone, name, ttl_s, &token, &e))
		return status_of_err(kind_by_name("Host"), NULL, e.code, &e);
	clock_text_s(clock_wall_us() + ttl_s * 1000000, expires);
	answer = json_pack("{s:s, s:s}", "token", token, "expires", expires);
	reply_value(c, 201, answer);
	return NULL;
}

/* Join. */

struct joining {
	struct call *c;
	const char *token, *csr, *name, *zone, *address;
	json_t *detail; /* of the token; owned */
};

static bool is_address(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static json_t *joining_read(struct joining *j, const json_t *body)
{
	json_t *status = read_text(body, "token", true, &j->token);

	if (!status)
		status = read_text(body, "csr", true, &j->csr);
	if (!status)
		status = read_label(body, "name", true, &j->name);
	if (!status)
		status = read_label(body, "zone", true, &j->zone);
	if (!status)
		status = read_text(body, "address", true, &j->address);
	if (!status && !is_address(j->address))
		status = status_bad_request(
			"address: \"%s\" is no IP address; members listen there", j->address);
	return status;
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

/* Is the token for such a host? It is not spent yet: who errs may try again. */
static json_t *token_check(struct joining *j)
{
	struct store_token t = {0};
	struct err e = {0};
	const char *zone, *name;
	enum err_code code = store_token_find(j->c->api->store, "join", str_of(j->token), &t, &e);

	if (code)
		return token_status(code, &e);
	if (jv_parse(str_of(t.detail), sizeof(t.detail), &j->detail, &e))
		return token_refused();
	zone = jv_str_or(j->detail, "zone", "");
	name = jv_str(j->detail, "name");
	if (strcmp(zone, j->zone) != 0)
		return status_new(
			403, "Forbidden", "the join token is for zone %s, not for %s", zone,
			j->zone);
	if (name && strcmp(name, j->name) != 0)
		return status_new(
			403, "Forbidden", "the join token is for host %s, not for %s", name,
			j->name);
	return NULL;
}

/* A host that is there may join anew (it lost its disk, or our answer) with a token that names it,
 * or as long as it was never heard. */
static json_t *host_check(struct joining *j)
{
	const struct kind *k = kind_by_name("Host");
	CLEANUP(jv_drop) json_t *live = NULL;
	struct err e = {0};
	enum err_code code =
		store_get(j->c->api->store, (struct store_key){k->name, "", j->name}, &live, &e);

	if (code == ERR_NOT_FOUND)
		return NULL;
	if (code)
		return status_of_err(k, j->name, code, &e);
	if (strcmp(jv_str_or(live, "spec.zone", ""), j->zone) != 0)
		return status_conflict(k, j->name, "it is there already, in another zone");
	if (jv_str(j->detail, "name") || !jv_str(live, "status.agentVersion"))
		return NULL;
	return status_conflict(
		k, j->name,
		"it has joined already; take another name, or make a token that names this host");
}

static enum err_code host_sign(
	struct call *c, const char *csr, const char *name, const char *address, const char **ret,
	struct err *e)
{
	const char *const hosts[] = {name, address, NULL};
	const struct ca_name n = {
		.name = name, .group = GROUP_HOSTS, .hosts = hosts, .days = JOIN_DAYS};

	return ca_sign(c->arena, c->api->ca, csr, &n, ret, e);
}

static enum err_code host_create(struct joining *j, struct err *e)
{
	const struct kind *k = kind_by_name("Host");
	CLEANUP(jv_drop)
	json_t *o = json_pack(
		"{s:s, s:s, s:{s:s}, s:{s:s, s:b}, s:{s:s}}", "apiVersion", k->api_version, "kind",
		k->name, "metadata", "name", j->name, "spec", "zone", j->zone, "unschedulable", 0,
		"status", "address", j->address);
	struct store_write w = {.verb = STORE_CREATE, .key = {k->name, "", j->name}, .object = o};
	enum err_code code = store_write(j->c->api->store, &w, 1, e);

	json_decref(w.ret);
	return code == ERR_EXISTS ? ERR_OK : code;
}

static json_t *join_admitted(struct joining *j)
{
	struct call *c = j->c;
	CLEANUP(jv_drop) json_t *answer = NULL;
	struct store_token spent = {0};
	struct err e = {0};
	const char *certificate;
	enum err_code code;

	if (host_sign(c, j->csr, j->name, j->address, &certificate, &e))
		return status_bad_request("csr: %s", e.text);
	code = store_token_use(c->api->store, "join", str_of(j->token), &spent, &e);
	if (code)
		return token_status(code, &e);
	code = host_create(j, &e);
	if (code)
		return status_of_err(kind_by_name("Host"), j->name, code, &e);
	log_info("host joined", "host=%s zone=%s address=%s", j->name, j->zone, j->address);
	answer = json_pack(
		"{s:s, s:s, s:s}", "name", j->name, "certificate", certificate, "ca",
		c->api->ca->cert_pem);
	reply_value(c, 201, answer);
	return NULL;
}

json_t *join_handle(struct call *c)
{
	CLEANUP(jv_drop) json_t *body = NULL;
	struct joining j = {.c = c};
	json_t *status = body_read(c, false, &body);

	if (!status)
		status = joining_read(&j, body);
	if (!status)
		status = token_check(&j);
	if (!status)
		status = host_check(&j);
	if (!status)
		status = join_admitted(&j);
	json_decref(j.detail);
	return status;
}

json_t *join_renew(struct call *c)
{
	const struct kind *k = kind_by_name("Host");
	CLEANUP(jv_drop) json_t *body = NULL;
	CLEANUP(jv_drop) json_t *host = NULL;
	CLEANUP(jv_drop) json_t *answer = NULL;
	const char *csr, *certificate;
	struct err e = {0};
	json_t *status = body_read(c, false, &body);
	enum err_code code;

	if (!status)
		status = read_text(body, "csr", true, &csr);
	if (status)
		return status;
	code = store_get(c->api->store, (struct store_key){k->name, "", c->user.name}, &host, &e);
	if (code)
		return status_of_err(k, c->user.name, code, &e);
	if (host_sign(
		    c, csr, c->user.name, jv_str_or(host, "status.address", "127.0.0.1"),
		    &certificate, &e))
		return status_bad_request("csr: %s", e.text);
	answer = json_pack("{s:s}", "certificate", certificate);
	reply_value(c, 200, answer);
	return NULL;
}
