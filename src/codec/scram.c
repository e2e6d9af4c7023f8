#include "codec/scram.h"

#include <sodium.h>

#include "base/secret.h"

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || ((unsigned char)s.p[i] & 0x80))
			return false;
	return s.n > 0;
}

void scram_hmac(const unsigned char key[SCRAM_KEY], struct str text, unsigned char ret[SCRAM_KEY])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key, SCRAM_KEY);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)text.p, text.n);
	crypto_auth_hmacsha256_final(&st, ret);
	sodium_memzero(&st, sizeof(st));
}

/* RFC 5802's Hi(), which is PBKDF2 with one block. */
static void
salted_password(struct str password, const struct scram *s, unsigned char ret[SCRAM_KEY])
{
	static const unsigned char block[4] = {0, 0, 0, 1};
	crypto_auth_hmacsha256_state keyed, st;
	unsigned char u[SCRAM_KEY];

	crypto_auth_hmacsha256_init(&keyed, (const unsigned char *)password.p, password.n);
	st = keyed;
	crypto_auth_hmacsha256_update(&st, s->salt, s->salt_n);
	crypto_auth_hmacsha256_update(&st, block, sizeof(block));
	crypto_auth_hmacsha256_final(&st, u);
	memcpy(ret, u, SCRAM_KEY);
	for (int i = 1; i < s->iterations; i++) {
		st = keyed;
		crypto_auth_hmacsha256_update(&st, u, sizeof(u));
		crypto_auth_hmacsha256_final(&st, u);
		for (size_t k = 0; k < SCRAM_KEY; k++)
			ret[k] ^= u[k];
	}
	sodium_memzero(&keyed, sizeof(keyed));
	sodium_memzero(&st, sizeof(st));
	sodium_memzero(u, sizeof(u));
}

void scram_keys(struct str password, struct scram *s, unsigned char ret_client_key[SCRAM_KEY])
{
	unsigned char salted[SCRAM_KEY];

	salted_password(password, s, salted);
	scram_hmac(salted, STR("Client Key"), ret_client_key);
	crypto_hash_sha256(s->stored_key, ret_client_key, SCRAM_KEY);
	scram_hmac(salted, STR("Server Key"), s->server_key);
	sodium_memzero(salted, sizeof(salted));
}

/* Fills in the keys from salt and iterations. */
static void keys_derive(struct scram *s, struct str password)
{
	unsigned char client_key[SCRAM_KEY];

	scram_keys(password, s, client_key);
	sodium_memzero(client_key, sizeof(client_key));
}

static const char *base64(struct arena *a, const unsigned char *p, size_t n)
{
	return secret_base64(a, (struct str){(const char *)p, n});
}

const char *scram_verifier(struct arena *a, struct str password, struct str salt, int iterations)
{
	struct scram s = {.iterations = iterations, .salt_n = salt.n};

	if (!is_ascii(password) || !salt.n || salt.n > SCRAM_SALT_MAX || iterations < 1 ||
	    iterations > SCRAM_ITERATIONS_MAX)
		return NULL;
	memcpy(s.salt, salt.p, salt.n);
	keys_derive(&s, password);
	return arena_printf(
		a, "SCRAM-SHA-256$%d:%s$%s:%s", iterations, base64(a, s.salt, s.salt_n),
		base64(a, s.stored_key, SCRAM_KEY), base64(a, s.server_key, SCRAM_KEY));
}

/* At most max bytes of base64. */
static bool part_parse(struct str text, size_t max, unsigned char *ret, size_t *ret_n)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct str bytes;

	if (secret_unbase64(&a, text, &bytes, NULL) || !bytes.n || bytes.n > max)
		return false;
	memcpy(ret, bytes.p, bytes.n);
	*ret_n = bytes.n;
	return true;
}

static bool key_parse(struct str text, unsigned char ret[SCRAM_KEY])
{
	size_t n;

	return part_parse(text, SCRAM_KEY, ret, &n) && n == SCRAM_KEY;
}

enum err_code scram_parse(struct str verifier, struct scram *ret, struct err *e)
{
	struct scram s = {0};
	struct str rest = verifier, head, iterations, stored;
	uint64_t n;

	if (!str_cut_prefix(&rest, "SCRAM-SHA-256$") || !str_split(&rest, '$', &head) ||
	    !str_split(&head, ':', &iterations) || !str_to_u64(iterations, &n) || !n ||
	    !str_split(&rest, ':', &stored) || !key_parse(stored, s.stored_key) ||
	    !key_parse(rest, s.server_key))
		return err_set(e, ERR_INVALID, "this is no SCRAM-SHA-256 verifier");
	if (n > SCRAM_ITERATIONS_MAX || !part_parse(head, SCRAM_SALT_MAX, s.salt, &s.salt_n))
		return err_set(
			e, ERR_LIMIT,
			"a SCRAM-SHA-256 verifier has 1 to %d iterations and %d bytes of salt",
			SCRAM_ITERATIONS_MAX, SCRAM_SALT_MAX);
	s.iterations = (int)n;
	*ret = s;
	return ERR_OK;
}

bool scram_check(struct str verifier, struct str password)
{
	struct scram want, is;

	if (scram_parse(verifier, &want, NULL) || !is_ascii(password))
		return false;
	is = want;
	keys_derive(&is, password);
	return sodium_memcmp(is.stored_key, want.stored_key, SCRAM_KEY) == 0 &&
		sodium_memcmp(is.server_key, want.server_key, SCRAM_KEY) == 0;
}
