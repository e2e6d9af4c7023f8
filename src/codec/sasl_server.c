#include <sodium.h>

#include "codec/sasl_part.h"

enum { MOCK_SALT = 16 };

struct sasl_server {
	enum sasl_step step;
	bool has_binding; /* the client chose -PLUS */
	bool is_real[SASL_VERIFIERS_MAX]; /* the others are mocks, that nothing proves */
	struct scram verifiers[SASL_VERIFIERS_MAX];
	unsigned char binding[SASL_BINDING_MAX];
	size_t binding_n;
	struct buf server_nonce;
	struct buf nonce; /* the client's and ours */
	struct buf gs2_header;
	struct buf auth; /* RFC 5802's AuthMessage, as far as it goes */
};

/* --- life */
static void keyed_hash(
	const unsigned char secret[32], const char *what, struct str user,
	unsigned char ret[SCRAM_KEY])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, secret, 32);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)what, strlen(what) + 1);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)user.p, user.n);
	crypto_auth_hmacsha256_final(&st, ret);
	sodium_memzero(&st, sizeof(st));
}

static void mock_make(struct str user, const unsigned char secret[32], struct scram *ret)
{
	unsigned char salt[SCRAM_KEY];

	*ret = (struct scram){.iterations = SCRAM_ITERATIONS, .salt_n = MOCK_SALT};
	keyed_hash(secret, "salt", user, salt);
	memcpy(ret->salt, salt, MOCK_SALT);
	keyed_hash(secret, "stored key", user, ret->stored_key);
	keyed_hash(secret, "server key", user, ret->server_key);
}

struct sasl_server *sasl_server_new(
	struct str user, const struct scram *verifiers, size_t n, struct str binding,
	const unsigned char secret[32])
{
	struct sasl_server *s = mem_alloc(sizeof(*s));
	struct scram mock;

	assert(n <= SASL_VERIFIERS_MAX && binding.n <= SASL_BINDING_MAX);
	mock_make(user, secret, &mock); /* for all roles: it takes its time */
	for (size_t i = 0; i < SASL_VERIFIERS_MAX; i++) {
		s->is_real[i] = i < n;
		s->verifiers[i] = s->is_real[i] ? verifiers[i] : mock;
	}
	if (binding.n)
		memcpy(s->binding, binding.p, binding.n);
	s->binding_n = binding.n;
	sasl_put_nonce(&s->server_nonce);
	return s;
}

void sasl_server_set_nonce(struct sasl_server *s, struct str nonce)
{
	assert(s->step == SASL_STEP_FIRST && sasl_is_nonce(nonce));
	buf_clear(&s->server_nonce);
	buf_str(&s->server_nonce, nonce);
}

void sasl_server_free(struct sasl_server *s)
{
	if (!s)
		return;
	buf_done(&s->server_nonce);
	buf_done(&s->nonce);
	buf_done(&s->gs2_header);
	buf_done(&s->auth);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

/* --- the first message */
static bool mechanism_read(struct sasl_server *s, struct str mechanism)
{
	s->has_binding = str_is(mechanism, SASL_PLUS);
	return s->has_binding ? s->binding_n > 0 : str_is(mechanism, SASL_PLAIN);
}

/* What is wrong with the client's word on channel binding (RFC 5802, section 6), or NULL. */
static const char *flag_check(const struct sasl_server *s, struct str flag)
{
	if (str_is(flag, "n"))
		return s->has_binding ? SASL_PLUS " without channel binding" : NULL;
	if (str_is(flag, "y")) /* where we offered it, somebody between us took the offer away */
		return s->binding_n ? "the client thinks that this server does not support channel "
				      "binding, but it does"
				    : NULL;
	if (!str_cut_prefix(&flag, "p="))
		return "the channel binding flag is none of n, y and p";
	if (!s->has_binding)
		return "channel binding without " SASL_PLUS;
	return str_is(flag, SASL_BINDING_TYPE) ? NULL : "channel binding of an unknown type";
}

/* "n,,": the flag, and no authorization identity. *rest becomes what stands behind it. */
static const char *gs2_header_read(struct sasl_server *s, struct str *rest)
{
	const char *begin = rest->p, *why;
	struct str flag, identity;

	if (!str_split(rest, ',', &flag) || !str_split(rest, ',', &identity) || !rest->p)
		return "the first message has no header";
	why = flag_check(s, flag);
	if (!why && identity.n)
		why = "authorization identities are not supported";
	if (!why)
		buf_add(&s->gs2_header, begin, (size_t)(rest->p - begin));
	return why;
}

static const char *first_read(struct sasl_server *s, struct str in)
{
	struct str bare, rest = in, name, nonce;
	const char *why = gs2_header_read(s, &rest);

	if (why)
		return why;
	bare = rest;
	if (str_starts(rest, "m="))
		return "mandatory extensions are not supported";
	if (!sasl_attr_of(&rest, 'n', &name) || !sasl_attr_of(&rest, 'r', &nonce))
		return "the first message does not say a name and a nonce";
	if (!sasl_is_nonce(nonce))
		return "the client's nonce is not printable";
	if (!sasl_extensions(rest))
		return "the first message does not end in extensions";
	buf_str(&s->nonce, nonce);
	buf_str(&s->nonce, buf_view(&s->server_nonce));
	buf_str(&s->auth, bare);
	return NULL;
}

enum sasl_status sasl_server_first(
	struct sasl_server *s, struct str mechanism, struct str in, struct buf *ret, struct err *e)
{
	const struct scram *v = &s->verifiers[0];
	bool is_expected = s->step == SASL_STEP_FIRST;
	const char *why;
	size_t begin;

	s->step = SASL_STEP_OVER;
	if (!is_expected || !sasl_is_message(in))
		return sasl_bad(e, "not a first message");
	if (!mechanism_read(s, mechanism))
		return sasl_bad(e, "the client chose a mechanism that was not offered");
	why = first_read(s, in);
	if (why)
		return sasl_bad(e, why);
	begin = ret->n;
	buf_puts(ret, "r=");
	buf_str(ret, buf_view(&s->nonce));
	buf_puts(ret, ",s=");
	sasl_put_base64(ret, (struct str){(const char *)v->salt, v->salt_n});
	buf_printf(ret, ",i=%d", v->iterations);
	buf_putc(&s->auth, ',');
	buf_add(&s->auth, ret->p + begin, ret->n - begin);
	s->step = SASL_STEP_FINAL;
	return SASL_GO_ON;
}

/* --- the final message */
static bool binding_check(const struct sasl_server *s, struct str said)
{
	CLEANUP(buf_done) struct buf want = {0};
	struct str data = {(const char *)s->binding, s->has_binding ? s->binding_n : 0};

	sasl_put_binding(&want, buf_view(&s->gs2_header), data);
	return str_eq(buf_view(&want), said);
}

/* The proof stands last, and *ret_unproven is all before it. */
static bool proof_read(struct str in, struct str rest, struct str *ret_unproven, unsigned char *ret)
{
	struct str value;
	char name;

	while (rest.p) {
		const char *begin = rest.p;

		if (!sasl_attr(&rest, &name, &value) || name == 'm')
			return false;
		if (name != 'p')
			continue;
		*ret_unproven = (struct str){in.p, (size_t)(begin - in.p) - 1};
		return !rest.p && sasl_get_key(value, ret);
	}
	return false;
}

/* The client has what hashes to the stored key (RFC 5802, section 3). */
static bool is_proven(const struct scram *v, struct str auth, const unsigned char proof[SCRAM_KEY])
{
	unsigned char key[SCRAM_KEY], hash[SCRAM_KEY];
	bool ok;

	scram_hmac(v->stored_key, auth, key);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		key[i] ^= proof[i];
	crypto_hash_sha256(hash, key, sizeof(key));
	ok = sodium_memcmp(hash, v->stored_key, SCRAM_KEY) == 0;
	sodium_memzero(key, sizeof(key));
	return ok;
}

static enum sasl_status
verify(const struct sasl_server *s, const unsigned char *proof, struct buf *ret, struct err *e)
{
	struct str auth = buf_view(&s->auth);
	const struct scram *proven = NULL;
	unsigned char signature[SCRAM_KEY];

	for (size_t i = 0; i < SASL_VERIFIERS_MAX; i++) { /* all of them: in equal time */
		bool ok = is_proven(&s->verifiers[i], auth, proof);

		if (ok && s->is_real[i])
			proven = &s->verifiers[i];
	}
	if (!proven) {
		err_set(e, ERR_UNAUTHORIZED, "password authentication failed");
		return SASL_WRONG;
	}
	scram_hmac(proven->server_key, auth, signature);
	buf_puts(ret, "v=");
	sasl_put_base64(ret, (struct str){(const char *)signature, sizeof(signature)});
	return SASL_DONE;
}

enum sasl_status
sasl_server_final(struct sasl_server *s, struct str in, struct buf *ret, struct err *e)
{
	struct str rest = in, binding, nonce, unproven;
	unsigned char proof[SCRAM_KEY];
	bool is_expected = s->step == SASL_STEP_FINAL;

	s->step = SASL_STEP_OVER;
	if (!is_expected || !sasl_is_message(in))
		return sasl_bad(e, "not a final message");
	if (!sasl_attr_of(&rest, 'c', &binding) || !sasl_attr_of(&rest, 'r', &nonce))
		return sasl_bad(e, "the final message does not say a channel binding and a nonce");
	if (!binding_check(s, binding))
		return sasl_bad(e, "the channel binding is another");
	if (!str_eq(nonce, buf_view(&s->nonce)))
		return sasl_bad(e, "the nonce is another");
	if (!proof_read(in, rest, &unproven, proof))
		return sasl_bad(e, "the final message does not end in a proof");
	buf_putc(&s->auth, ',');
	buf_str(&s->auth, unproven);
	return verify(s, proof, ret, e);
}
