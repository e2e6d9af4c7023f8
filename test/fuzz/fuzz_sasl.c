/* Both ends get messages from an enemy: a byte that says which, then texts. None of it logs in, an
 * end that is through is through, and what is refused adds nothing. */
#include "codec/sasl.h"
#include "fuzz.h"

static const unsigned char secret[32] = "secret";

static void
check(enum sasl_status status, const struct buf *out, size_t before, const struct err *e)
{
	assert(status != SASL_DONE && (status == SASL_GO_ON) == (out->n > before));
	assert((status == SASL_GO_ON) == (e->text[0] == '\0'));
}

static void server_run(struct str in, bool has_tls)
{
	struct scram v = {.iterations = 1, .salt = "salt", .salt_n = 4, .stored_key = {1}};
	struct str binding = has_tls ? STR("hash") : STR(""), rest = in,
		   mechanism = fuzz_cut(&rest), first = fuzz_cut(&rest);
	struct sasl_server *s = sasl_server_new(STR("app"), &v, 1, binding, secret);
	CLEANUP(buf_done) struct buf out = {0};
	struct err e = {0};
	size_t before;

	sasl_server_set_nonce(s, STR("n"));
	check(sasl_server_first(s, mechanism, first, &out, &e), &out, 0, &e);
	before = out.n;
	e = (struct err){0};
	check(sasl_server_final(s, rest, &out, &e), &out, before, &e);
	assert(sasl_server_final(s, rest, &out, &e) == SASL_BAD);
	sasl_server_free(s);
}

static bool is_slow(struct str in)
{
	return in.n && memmem(in.p, in.n, "i=", 2) && memmem(in.p, in.n, "0000", 4);
}

static void client_run(struct str in, bool has_tls)
{
	struct str rest = in, offer = fuzz_cut(&rest), challenge = fuzz_cut(&rest);
	struct sasl_client *c =
		sasl_client_new(STR("pencil"), has_tls ? STR("hash") : STR(""), has_tls);
	CLEANUP(buf_done) struct buf out = {0};
	const char *mechanism;
	struct err e = {0};
	size_t before;

	sasl_client_set_nonce(c, STR("n"));
	check(sasl_client_first(c, offer, &mechanism, &out, &e), &out, 0, &e);
	before = out.n;
	e = (struct err){0};
	if (!is_slow(challenge))
		check(sasl_client_next(c, challenge, &out, &e), &out, before, &e);
	assert(sasl_client_final(c, rest, &e) != SASL_DONE);
	assert(sasl_client_final(c, rest, &e) == SASL_BAD);
	sasl_client_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = {(const char *)data + 1, n - 1};

	if (!n)
		return 0;
	if (data[0] & 1)
		server_run(in, data[0] & 2);
	else
		client_run(in, data[0] & 2);
	return 0;
}
