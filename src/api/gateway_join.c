#include "api/gateway_join.h"

#include "api/auth.h"
#include "api/body.h"
#include "api/join_token.h"
#include "api/reply.h"
#include "api/status.h"
#include "base/log.h"
#include "kinds/gateway.h"

enum { HOSTS_MAX = 16 };

struct joining {
	struct call *c;
	const char *token, *csr, *name, *address;
	json_t *detail; /* of the token; owned */
};

static json_t *joining_read(struct joining *j, const json_t *body)
{
	json_t *status = join_read_text(body, "token", true, &j->token);

	if (!status)
		status = join_read_text(body, "csr", true, &j->csr);
	if (!status)
		status = join_read_label(body, "name", true, &j->name);
	if (!status)
		status = join_read_text(body, "address", false, &j->address);
	if (!status && j->address && !gateway_is_address(j->address))
		status = status_bad_request(
			"address: \"%s\" is no IP address; clients connect there", j->address);
	return status;
}

/* The names in its certificate, by which clients may call it, are what an operator has said (in the
 * token, kept in the row) and its address: it cannot ask for the name of something else. */
static enum err_code
sign(struct call *c, const char *csr, const char *name, const json_t *said, const char **ret,
     struct err *e)
{
	const char *hosts[HOSTS_MAX + 2] = {name};
	const struct ca_name n = {
		.name = name, .group = GROUP_GATEWAYS, .hosts = hosts, .days = JOIN_DAYS};
	json_t *one;
	size_t i;

	json_array_foreach ((json_t *)(uintptr_t)said, i, one)
		if (i < HOSTS_MAX && gateway_is_host(json_string_value(one)))
			hosts[1 + i] = json_string_value(one);
	return ca_sign(c->arena, c->api->ca, csr, &n, ret, e);
}

/* One that is there may join anew with a token that names it, or as long as it was never heard. */
static json_t *row_check(struct joining *j)
{
	const struct kind *k = kind_by_name("Gateway");
	CLEANUP(jv_drop) json_t *live = NULL;
	struct err e = {0};
	enum err_code code =
		store_get(j->c->api->store, (struct store_key){k->name, "", j->name}, &live, &e);

	if (code == ERR_NOT_FOUND)
		return NULL;
	if (code)
		return status_of_err(k, j->name, code, &e);
	if (jv_str(j->detail, "name") || !jv_str(live, "status.version"))
		return NULL;
	return status_conflict(
		k, j->name,
		"it has joined already; take another name, or make a token that names this "
		"gateway");
}

static json_t *hosts_of(const struct joining *j)
{
	json_t *said = jv_at(j->detail, "hosts"), *ret = said ? json_copy(said) : json_array();

	if (j->address)
		json_array_append_new(ret, json_string(j->address));
	return ret;
}

static enum err_code row_put(struct joining *j, const json_t *hosts, struct err *e)
{
	const struct kind *k = kind_by_name("Gateway");
	CLEANUP(jv_drop)
	json_t *o = json_pack(
		"{s:s, s:s, s:{s:s}, s:{s:O}}", "apiVersion", k->api_version, "kind", k->name,
		"metadata", "name", j->name, "spec", "hosts", hosts);
	struct store_write w = {.verb = STORE_CREATE, .key = {k->name, "", j->name}, .object = o};
	enum err_code code = store_write(j->c->api->store, &w, 1, e);

	json_decref(w.ret);
	w.ret = NULL;
	if (code == ERR_EXISTS) {
		w.verb = STORE_UPDATE;
		code = store_write(j->c->api->store, &w, 1, e);
		json_decref(w.ret);
	}
	return code;
}

static json_t *admit(struct joining *j)
{
	struct call *c = j->c;
	CLEANUP(jv_drop) json_t *hosts = hosts_of(j);
	CLEANUP(jv_drop) json_t *answer = NULL;
	struct err e = {0};
	const char *certificate;
	enum err_code code;
	json_t *status;

	if (sign(c, j->csr, j->name, hosts, &certificate, &e))
		return status_bad_request("csr: %s", e.text);
	status = join_token_use(c, j->token);
	if (status)
		return status;
	code = row_put(j, hosts, &e);
	if (code)
		return status_of_err(kind_by_name("Gateway"), j->name, code, &e);
	log_info("gateway joined", "gateway=%s", j->name);
	answer = json_pack(
		"{s:s, s:s, s:s}", "name", j->name, "certificate", certificate, "ca",
		c->api->ca->cert_pem);
	reply_value(c, 201, answer);
	return NULL;
}

json_t *gateway_join(struct call *c)
{
	CLEANUP(jv_drop) json_t *body = NULL;
	struct joining j = {.c = c};
	json_t *status = body_read(c, false, &body);

	if (!status)
		status = joining_read(&j, body);
	if (!status)
		status = join_token_find(c, j.token, GROUP_GATEWAYS, j.name, &j.detail);
	if (!status)
		status = row_check(&j);
	if (!status)
		status = join_check_no_other(c, "Gateway", j.name, "Host");
	if (!status)
		status = admit(&j);
	json_decref(j.detail);
	return status;
}

json_t *gateway_renew(struct call *c)
{
	const struct kind *k = kind_by_name("Gateway");
	CLEANUP(jv_drop) json_t *body = NULL;
	CLEANUP(jv_drop) json_t *row = NULL;
	CLEANUP(jv_drop) json_t *local = json_pack("[s, s]", "localhost", "127.0.0.1");
	CLEANUP(jv_drop) json_t *answer = NULL;
	const char *csr, *certificate;
	const json_t *hosts;
	struct err e = {0};
	json_t *status = body_read(c, false, &body);
	enum err_code code;

	if (!status)
		status = join_read_text(body, "csr", true, &csr);
	if (status)
		return status;
	code = store_get(c->api->store, (struct store_key){k->name, "", c->user.name}, &row, &e);
	if (code)
		return status_of_err(k, c->user.name, code, &e);
	hosts = jv_at(row, "spec.hosts");
	/* one that never joined is the one of this machine */
	if (sign(c, csr, c->user.name, hosts ? hosts : local, &certificate, &e))
		return status_bad_request("csr: %s", e.text);
	answer = json_pack("{s:s}", "certificate", certificate);
	reply_value(c, 200, answer);
	return NULL;
}
