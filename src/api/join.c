#include "api/join.h"

#include <arpa/inet.h>

#include "api/auth.h"
#include "api/body.h"
#include "api/reply.h"
#include "api/status.h"
#include "base/log.h"

json_t *join_ca(struct call *c)
{
	reply_text(c, 200, "application/x-pem-file", str_of(c->api->ca->cert_pem));
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
	json_t *status = join_read_text(body, "token", true, &j->token);

	if (!status)
		status = join_read_text(body, "csr", true, &j->csr);
	if (!status)
		status = join_read_label(body, "name", true, &j->name);
	if (!status)
		status = join_read_label(body, "zone", true, &j->zone);
	if (!status)
		status = join_read_text(body, "address", true, &j->address);
	if (!status && !is_address(j->address))
		status = status_bad_request(
			"address: \"%s\" is no IP address; members listen there", j->address);
	return status;
}

static json_t *token_check(struct joining *j)
{
	json_t *status = join_token_find(j->c, j->token, GROUP_HOSTS, j->name, &j->detail);
	const char *zone = jv_str_or(j->detail, "zone", "");

	if (status || !strcmp(zone, j->zone))
		return status;
	return status_new(
		403, "Forbidden", "the join token is for zone %s, not for %s", zone, j->zone);
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
	struct err e = {0};
	const char *certificate;
	enum err_code code;
	json_t *status;

	if (host_sign(c, j->csr, j->name, j->address, &certificate, &e))
		return status_bad_request("csr: %s", e.text);
	status = join_token_use(c, j->token);
	if (status)
		return status;
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
		status = join_check_no_other(c, "Host", j.name, "Gateway");
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
		status = join_read_text(body, "csr", true, &csr);
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
