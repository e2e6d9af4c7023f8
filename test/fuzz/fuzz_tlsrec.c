/* A server's end of TLS 1.3 behind its handshake gets records of an enemy who knows the keys: type,
 * length, bytes. In pieces or at once they come to the same, and only data gives plain bytes. */
#include "base/arena.h"
#include "fuzz.h"
#include "net/tlsrec.h"

static const unsigned char secret_a[TLSREC_SECRET_MAX] = {1};
static const unsigned char secret_b[TLSREC_SECRET_MAX] = {2};

/* As many records as the input has; type 1 stands for bytes that are not encrypted at all. */
static void write_all(struct tlsrec *client, const uint8_t *p, size_t n, struct buf *ret)
{
	while (n >= 2) {
		size_t k = MIN(n - 2, (size_t)p[1]);

		if (p[0] == 1)
			buf_add(ret, p + 2, k);
		else
			tlsrec_put(client, p[0], (const char *)p + 2, k, ret);
		p += 2 + k;
		n -= 2 + k;
	}
}

static enum tlsio_status
feed(struct tlsrec_pool *pool, unsigned int suite, struct str in, size_t piece, struct buf *ret)
{
	struct tlsrec *server = tlsrec_new(pool, suite, secret_a, secret_b);
	struct buf send = {0};
	enum tlsio_status status = TLSIO_OK;
	struct err e = {0};

	for (size_t at = 0; at < in.n && status == TLSIO_OK; at += piece)
		status = tlsrec_feed(server, in.p + at, MIN(piece, in.n - at), ret, &send, &e);
	assert((status == TLSIO_BROKEN) == (e.text[0] != '\0'));
	assert(send.n <= in.n + 64); /* no more than one answer to one record */
	buf_done(&send);
	tlsrec_free(server);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct tlsrec_pool pool;
	unsigned int suite = 0x1301 + (n ? data[0] % 3u : 0);
	struct tlsrec *client = tlsrec_new(&pool, suite, secret_b, secret_a);
	struct buf wire = {0}, whole = {0}, pieces = {0};
	enum tlsio_status status;

	if (n)
		write_all(client, data + 1, n - 1, &wire);
	status = feed(&pool, suite, buf_view(&wire), SIZE_MAX / 2, &whole);
	assert(status == feed(&pool, suite, buf_view(&wire), n ? 1 + data[0] / 3u : 1, &pieces));
	assert(str_eq(buf_view(&whole), buf_view(&pieces)) && whole.n <= n);
	tlsrec_free(client);
	buf_done(&wire);
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
