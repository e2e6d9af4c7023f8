/* A server is fed bytes before its handshake, in pieces that the first byte chooses: it never gives
 * plain bytes of them, never says much, and once it is broken it stays so. */
#include "base/arena.h"
#include "fuzz.h"
#include "net/ca.h"
#include "net/tlsio.h"

static struct tlsio_ctx *server(void)
{
	static struct tlsio_ctx *c;
	struct ca_name name = {"gateway", NULL, NULL, 90};
	struct arena a = {0};
	struct ca_cert ca, cert;
	struct err e;

	if (!c) {
		enum err_code code = ca_new(&a, "fuzz", &ca, &e);
		struct tlsio_conf conf = {.alpn = "postgresql", .is_server = true};

		assert(!code);
		code = ca_issue(&a, &ca, &name, &cert, &e);
		assert(!code);
		conf.cert_pem = cert.cert_pem;
		conf.key_pem = cert.key_pem;
		code = tlsio_ctx_new(&conf, &c, &e);
		assert(!code);
		arena_done(&a);
	}
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct tlsio *t = tlsio_new(server(), NULL, false);
	struct buf plain = {0}, send = {0};
	size_t piece = n ? (size_t)data[0] + 1 : 1;
	bool is_over = false;

	for (size_t at = MIN(n, (size_t)1); at < n; at += piece) {
		struct err e = {0};
		enum tlsio_status status = tlsio_feed(
			t, (const char *)data + at, MIN(piece, n - at), &plain, &send, &e);

		assert(!is_over || status != TLSIO_OK);
		assert((status == TLSIO_BROKEN) == (e.text[0] != '\0'));
		is_over = status != TLSIO_OK;
	}
	assert(!tlsio_is_ready(t) && !plain.n && send.n < 8192);
	tlsio_free(t);
	buf_done(&plain);
	buf_done(&send);
	return 0;
}
