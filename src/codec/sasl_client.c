#include <sodium.h>

#include "codec/sasl_part.h"

struct sasl_client {
	enum sasl_step step;
	bool is_tls;
	unsigned char binding[SASL_BINDING_MAX];
	size_t binding_n;
	unsigned char signature[SCRAM_KEY]; /* that the server must show */
	struct buf password;
	struct buf nonce; /* ours */
	struct buf gs2_header;
	struct buf bare; /* the first message behind its header */
};

/* --- life */
struct sasl_client *sasl_client_new(struct str password, struct str binding, bool is_tls)
{
	struct sasl_client *c = mem_alloc(sizeof(*c));

	assert(binding.n <= SASL_BINDING_MAX && (is_tls || !binding.n));
	c->is_tls = is_tls;
	if (binding.n)
		memcpy(c->binding, binding.p, binding.n);
	c->binding_n = binding.n;
	buf_str(&c->password, password);
	sasl_put_nonce(&c->nonce);
	return c;
}

void sasl_client_set_nonce(struct sasl_client *c, struct str nonce)
{
	assert(c->step == SASL_STEP_FIRST && sasl_is_nonce(nonce));
	buf_clear(&c->nonce);
	buf_str(&c->nonce, nonce);
}

static void password_drop(struct sasl_client *c)
{
	if (c->password.p)
		sodium_memzero(c->password.p, c->password.cap);
	buf_done(&c->password);
}

void sasl_client_free(struct sasl_client *c)
{
	if (!c)
		return;
	password_drop(c);
	buf_done(&c->nonce);
	buf_done(&c->gs2_header);
	buf_done(&c->bare);
	sodium_memzero(c, sizeof(*c));
	free(c);
}

/* --- the first message */
static bool has_mechanism(struct str offered, const char *name)
{
	struct str one;

	while (offered.n && str_split(&offered, '\0', &one))
		if (str_is(one, name))
			return true;
	return false;
}

/* The mechanism and the header for it: bound where both can; "y" where only we can, so that a
 * server whose offer somebody took away notices. */
static const char *choose(struct sasl_client *c, struct str offered, const char **ret_mechanism)
{
	bool has_plus = has_mechanism(offered, SASL_PLUS);

	if (has_plus && !c->is_tls)
		return "the server offers channel binding without TLS";
	if (has_plus && c->binding_n) {
		*ret_mechanism = SASL_PLUS;
		buf_puts(&c->gs2_header, "p=" SASL_BINDING_TYPE ",,");
		return NULL;
	}
	if (!has_mechanism(offered, SASL_PLAIN))
		return "the server offers no mechanism that we speak (" SASL_PLAIN ")";
	*ret_mechanism = SASL_PLAIN;
	buf_puts(&c->gs2_header, c->binding_n ? "y,," : "n,,");
	return NULL;
}

enum sasl_status sasl_client_first(
	struct sasl_client *c, struct str offered, const char **ret_mechanism, struct buf *ret,
	struct err *e)
{
	bool is_expected = c->step == SASL_STEP_FIRST;
	const char *why;

	c->step = SASL_STEP_OVER;
	if (!is_expected)
		return sasl_bad(e, "the exchange has begun already");
	if (!c->password.n)
		return sasl_bad(e, "the server asks for a password, but there is none");
	why = choose(c, offered, ret_mechanism);
	if (why)
		return sasl_bad(e, why);
	buf_puts(&c->bare, "n=,r=");
	buf_str(&c->bare, buf_view(&c->nonce));
	buf_str(ret, buf_view(&c->gs2_header));
	buf_str(ret, buf_view(&c->bare));
	c->step = SASL_STEP_FINAL;
	return SASL_GO_ON;
}

/* --- the final message */
static const char *server_first_read(
	const struct sasl_client *c, struct str in, struct str *ret_nonce, struct scram *ret)
{
	struct str salt, iterations;
	uint64_t n;

	if (str_starts(in, "m="))
		return "the server asks for an extension that we do not have";
	if (!sasl_attr_of(&in, 'r', ret_nonce) || !sasl_attr_of(&in, 's', &salt) ||
	    !sasl_attr_of(&in, 'i', &iterations) || !sasl_extensions(in))
		return "the server's first message does not say nonce, salt and iterations";
	if (!sasl_is_nonce(*ret_nonce) || ret_nonce->n <= c->nonce.n ||
	    memcmp(ret_nonce->p, c->nonce.p, c->nonce.n) != 0)
		return "the server's nonce does not begin with ours";
	if (!sasl_get_base64(salt, sizeof(ret->salt), ret->salt, &ret->salt_n))
		return "the server's salt is not base64, or too long";
	if (!str_to_u64(iterations, &n) || n < 1)
		return "the server's iteration count is no number";
	if (n > SASL_ITERATIONS_MAX)
		return "the server asks for more iterations than the most (100000)";
	ret->iterations = (int)n;
	return NULL;
}

/* The proof, by RFC 5802, section 3; and what the server must show for it. */
static void prove(struct sasl_client *c, struct scram *s, struct str auth, unsigned char *ret)
{
	unsigned char client_key[SCRAM_KEY];

	scram_keys(buf_view(&c->password), s, client_key);
	scram_hmac(s->stored_key, auth, ret);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		ret[i] ^= client_key[i];
	scram_hmac(s->server_key, auth, c->signature);
	sodium_memzero(client_key, sizeof(client_key));
	sodium_memzero(s, sizeof(*s));
	password_drop(c);
}

enum sasl_status
sasl_client_next(struct sasl_client *c, struct str in, struct buf *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf unproven = {0}, auth = {0};
	struct scram s = {0};
	unsigned char proof[SCRAM_KEY];
	struct str nonce;
	bool is_expected = c->step == SASL_STEP_FINAL;
	const char *why;

	c->step = SASL_STEP_OVER;
	if (!is_expected || !sasl_is_message(in))
		return sasl_bad(e, "not a server's first message");
	why = server_first_read(c, in, &nonce, &s);
	if (why)
		return sasl_bad(e, why);
	buf_puts(&unproven, "c=");
	sasl_put_binding(
		&unproven, buf_view(&c->gs2_header),
		(struct str){
			(const char *)c->binding, c->gs2_header.p[0] == 'p' ? c->binding_n : 0});
	buf_puts(&unproven, ",r=");
	buf_str(&unproven, nonce);
	buf_str(&auth, buf_view(&c->bare));
	buf_putc(&auth, ',');
	buf_str(&auth, in);
	buf_putc(&auth, ',');
	buf_str(&auth, buf_view(&unproven));
	prove(c, &s, buf_view(&auth), proof);
	buf_str(ret, buf_view(&unproven));
	buf_puts(ret, ",p=");
	sasl_put_base64(ret, (struct str){(const char *)proof, sizeof(proof)});
	c->step = SASL_STEP_PROOF;
	return SASL_GO_ON;
}

enum sasl_status sasl_client_final(struct sasl_client *c, struct str in, struct err *e)
{
	unsigned char signature[SCRAM_KEY];
	struct str value;
	bool is_expected = c->step == SASL_STEP_PROOF;

	c->step = SASL_STEP_OVER;
	if (!is_expected || !sasl_is_message(in))
		return sasl_bad(e, "not a server's final message");
	if (str_starts(in, "e=")) {
		err_set(e, ERR_UNAUTHORIZED, "SASL: the server says that the login failed");
		return SASL_WRONG;
	}
	if (!sasl_attr_of(&in, 'v', &value) || !sasl_extensions(in) ||
	    !sasl_get_key(value, signature))
		return sasl_bad(e, "the server's final message has no signature");
	if (sodium_memcmp(signature, c->signature, SCRAM_KEY) != 0) {
		err_set(e, ERR_UNAUTHORIZED,
			"SASL: the server does not know the password's verifier: it is not the "
			"one that it should be");
		return SASL_WRONG;
	}
	return SASL_DONE;
}
