/* Join: agent_join of agent.h. */
#include <ctype.h>
#include <stdio.h>

#include "agent/agent.h"
#include "agent/identity.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "codec/jv.h"
#include "http/client.h"
#include "net/ca.h"

enum { PIN_DIGITS = 32, ANSWER_MAX = 256 << 10, CALL_MS = 15 * 1000 };

/* The digits behind the last dot. */
static enum err_code pin_of(const char *token, const char **ret, struct err *e)
{
	const char *dot = strrchr(token, '.');
	size_t n = dot ? strspn(dot + 1, "0123456789abcdefABCDEF") : 0;

	if (!dot || dot == token || n != PIN_DIGITS || dot[1 + n])
		return err_set(
			e, ERR_INVALID,
			"this is no join token: want a secret, a dot and %d hex digits",
			PIN_DIGITS);
	*ret = dot + 1;
	return ERR_OK;
}

static void reply_drop(struct http_reply *r)
{
	buf_done(&r->body);
}

static enum err_code client_call(
	const struct http_client_conf *conf, const char *method, const char *path, struct str body,
	struct http_reply *ret, struct err *e)
{
	struct http_client *c;
	enum err_code code = http_client_new(conf, &c, e);

	if (code)
		return code;
	code = http_client_call(c, method, path, body.p ? "application/json" : NULL, body, ret, e);
	http_client_free(c);
	return code;
}

/* What the other end says is wrong: its Status object's message. */
static enum err_code refused(const struct http_reply *r, const char *what, struct err *e)
{
	CLEANUP(jv_drop) json_t *json = NULL;
	const char *message = NULL;

	if (jv_parse(buf_view(&r->body), ANSWER_MAX, &json, NULL) == ERR_OK)
		message = jv_str(json, "message");
	return err_set(
		e, r->status == 401 || r->status == 403 ? ERR_FORBIDDEN : ERR_INVALID,
		"%s: the platform answered %d%s%.300s", what, r->status, message ? ": " : "",
		message ? message : "");
}

/* Trusts nothing that it gets but for its fingerprint. */
static enum err_code
ca_fetch(struct arena *a, const struct agent_join *j, const char **ret, struct err *e)
{
	const struct http_client_conf conf = {
		.base_url = j->url, .timeout_ms = CALL_MS, .accept = "*/*", .trusts_anyone = true};
	CLEANUP(reply_drop) struct http_reply r = {0};
	const char *pin = NULL, *fingerprint, *pem;
	enum err_code code = pin_of(j->token, &pin, e);

	if (!code)
		code = client_call(&conf, "GET", "/agent/v1/ca", (struct str){0}, &r, e);
	if (code)
		return code;
	if (r.status != 200)
		return refused(&r, "fetch the CA's certificate", e);
	pem = arena_strndup(a, r.body.p ? r.body.p : "", r.body.n);
	code = ca_fingerprint(a, pem, &fingerprint, e);
	if (code)
		return code;
	if (strncasecmp(fingerprint, pin, PIN_DIGITS) != 0)
		return err_set(
			e, ERR_FORBIDDEN,
			"%s is not the platform that made this token (its CA is another one): "
			"nothing was sent to it",
			j->url);
	*ret = pem;
	return ERR_OK;
}

static enum err_code join_call(
	struct arena *a, const struct agent_join *j, const char *ca_pem, const char *csr,
	json_t **ret, struct err *e)
{
	const struct http_client_conf conf = {
		.base_url = j->url, .ca_pem = ca_pem, .timeout_ms = CALL_MS};
	CLEANUP(jv_drop)
	json_t *body = json_pack(
		"{ss ss ss ss ss}", "token", j->token, "csr", csr, "name", j->name, "zone", j->zone,
		"address", j->address);
	CLEANUP(reply_drop) struct http_reply r = {0};
	enum err_code code;

	if (!body)
		return err_set(e, ERR_INVALID, "name, zone or address is not UTF-8");
	code = client_call(&conf, "POST", "/agent/v1/join", jv_text(a, body), &r, e);
	if (code)
		return code;
	if (r.status != 201)
		return refused(&r, "join", e);
	return jv_parse(buf_view(&r.body), ANSWER_MAX, ret, e);
}

/* Has this folder joined, with a certificate that is still good? One that was away for too long
 * joins again, as the host that it was. */
static enum err_code look(struct arena *a, const struct agent_join *j, bool *ret, struct err *e)
{
	struct identity was;
	int64_t not_after_s;
	int percent;

	*ret = false;
	if (!file_exists(arena_printf(a, "%s/agent.json", j->data)))
		return ERR_OK;
	*ret = true;
	if (identity_load(a, j->data, &was, NULL) ||
	    ca_life(was.cert_pem, &not_after_s, &percent, NULL) ||
	    not_after_s > clock_wall_us() / 1000000)
		return ERR_OK;
	if (strcmp(was.name, j->name) != 0)
		return err_set(
			e, ERR_CONFLICT,
			"the certificate of host %s, which '%s' is of, has expired: join again as "
			"that host, with --name %s and a token for it",
			was.name, j->data, was.name);
	*ret = false;
	return ERR_OK;
}

enum err_code agent_join(const struct agent_join *j, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(jv_drop) json_t *answer = NULL;
	struct identity id = {
		.name = j->name, .zone = j->zone, .address = j->address, .url = j->url};
	const char *csr;
	bool has_joined;
	enum err_code code = look(&a, j, &has_joined, e);

	if (code || has_joined)
		return code;
	code = dir_make(j->data, 0700, e);
	if (!code)
		code = ca_fetch(&a, j, &id.ca_pem, e);
	if (!code)
		code = ca_request(&a, j->name, &id.key_pem, &csr, e);
	if (!code)
		code = join_call(&a, j, id.ca_pem, csr, &answer, e);
	if (code)
		return code;
	id.cert_pem = jv_str(answer, "certificate");
	id.name = jv_str_or(answer, "name", j->name);
	if (!id.cert_pem)
		return err_set(e, ERR_INVALID, "join: the platform sent no certificate");
	return identity_save(j->data, &id, e);
}
