#include "net/tlsrec.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "base/arena.h"

enum {
	HEAD = 5,
	TAG = 16,
	IV = 12,
	KEY_MAX = 32,
	CIPHERED_MAX = TLSREC_PLAIN_MAX + 256,
	STREAK_MAX = 32, /* records in a row that carry no data */
	LABEL_MAX = 32,
};

enum { TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_DATA = 23 };
enum { LEVEL_WARNING = 1, LEVEL_FATAL = 2, HANDSHAKE_KEY_UPDATE = 24 };

/* RFC 8446, appendix B.4. */
static const struct suite {
	unsigned int id;
	const EVP_CIPHER *(*cipher)(void);
	const EVP_MD *(*md)(void);
	size_t key_n, secret_n;
} suites[] = {
	{0x1301, EVP_aes_128_gcm, EVP_sha256, 16, 32},
	{0x1302, EVP_aes_256_gcm, EVP_sha384, 32, 48},
	{0x1303, EVP_chacha20_poly1305, EVP_sha256, 32, 32},
};

/* One direction. */
struct dir {
	uint64_t records; /* under this key: the next one's number */
	unsigned int slot; /* where its keyed cipher was last */
	unsigned char secret[TLSREC_SECRET_MAX];
	unsigned char key[KEY_MAX];
	unsigned char iv[IV];
	bool is_out;
};

struct tlsrec {
	struct tlsrec_pool *pool;
	const struct suite *suite;
	struct dir in, out;
	struct buf part; /* of a record that is not whole yet */
	unsigned int streak; /* records without data since the last with some */
};

/* --- keys */
/* RFC 8446, section 7.1, with an empty context: one block of HKDF is enough for each of ours. */
static void
expand(const struct suite *s, const unsigned char *secret, const char *label, void *ret, size_t n)
{
	unsigned char info[4 + LABEL_MAX], block[EVP_MAX_MD_SIZE];
	size_t label_n = strlen(label), at = 0;
	unsigned char *ok;

	assert(label_n + 4 + 1 <= sizeof(info) && n <= s->secret_n);
	info[at++] = 0;
	info[at++] = (unsigned char)n;
	info[at++] = (unsigned char)label_n;
	memcpy(info + at, label, label_n);
	at += label_n;
	info[at++] = 0;
	info[at++] = 1; /* the first block */
	ok = HMAC(s->md(), secret, (int)s->secret_n, info, at, block, NULL);
	assert(ok);
	memcpy(ret, block, n);
	OPENSSL_cleanse(block, sizeof(block));
}

static void slot_drop(struct tlsrec_pool *p, const struct dir *d)
{
	if (p->slots[d->slot].owner == d)
		p->slots[d->slot].owner = NULL;
}

static void keys_make(struct tlsrec *r, struct dir *d)
{
	expand(r->suite, d->secret, "tls13 key", d->key, r->suite->key_n);
	expand(r->suite, d->secret, "tls13 iv", d->iv, IV);
	d->records = 0;
	slot_drop(r->pool, d);
}

static void keys_renew(struct tlsrec *r, struct dir *d)
{
	expand(r->suite, d->secret, "tls13 traffic upd", d->secret, r->suite->secret_n);
	keys_make(r, d);
}

/* The number of the record, and that it is next. */
static void iv_next(struct dir *d, unsigned char ret[IV])
{
	memcpy(ret, d->iv, IV);
	for (int i = 0; i < 8; i++)
		ret[IV - 1 - i] ^= (unsigned char)(d->records >> (8 * i));
	d->records++;
}

/* A cipher with the direction's key, begun for its next record. */
static EVP_CIPHER_CTX *cipher_begin(struct tlsrec *r, struct dir *d)
{
	struct tlsrec_pool *p = r->pool;
	struct tlsrec_slot *s = &p->slots[d->slot];
	unsigned char iv[IV];
	int ok;

	iv_next(d, iv);
	if (s->owner == d) {
		ok = EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, iv, d->is_out);
		assert(ok);
		return s->cipher;
	}
	d->slot = p->next;
	p->next = (p->next + 1) % TLSREC_SLOTS;
	s = &p->slots[d->slot];
	if (!s->cipher)
		s->cipher = EVP_CIPHER_CTX_new();
	assert(s->cipher);
	ok = EVP_CipherInit_ex(s->cipher, r->suite->cipher(), NULL, d->key, iv, d->is_out);
	assert(ok);
	s->owner = d;
	return s->cipher;
}

/* --- life */
struct tlsrec *tlsrec_new(
	struct tlsrec_pool *pool, unsigned int suite, const unsigned char client[TLSREC_SECRET_MAX],
	const unsigned char server[TLSREC_SECRET_MAX])
{
	struct tlsrec *r;
	size_t i = 0;

	while (i < ARRAY_LEN(suites) && suites[i].id != suite)
		i++;
	if (i == ARRAY_LEN(suites))
		return NULL;
	r = mem_alloc(sizeof(*r));
	r->pool = pool;
	r->suite = &suites[i];
	r->out.is_out = true;
	memcpy(r->in.secret, client, TLSREC_SECRET_MAX);
	memcpy(r->out.secret, server, TLSREC_SECRET_MAX);
	keys_make(r, &r->in);
	keys_make(r, &r->out);
	return r;
}

void tlsrec_free(struct tlsrec *r)
{
	if (!r)
		return;
	slot_drop(r->pool, &r->in);
	slot_drop(r->pool, &r->out);
	buf_done(&r->part);
	OPENSSL_cleanse(r, sizeof(*r));
	free(r);
}

size_t tlsrec_bytes(const struct tlsrec *r)
{
	return sizeof(*r) + r->part.cap;
}

void tlsrec_pool_done(struct tlsrec_pool *p)
{
	for (size_t i = 0; i < TLSREC_SLOTS; i++)
		EVP_CIPHER_CTX_free(p->slots[i].cipher);
}

/* --- writing */
void tlsrec_put(struct tlsrec *r, unsigned char type, const char *p, size_t n, struct buf *send)
{
	size_t inner = n + 1;
	unsigned char head[HEAD] = {
		TYPE_DATA, 3, 3, (unsigned char)((inner + TAG) >> 8), (unsigned char)(inner + TAG)};
	EVP_CIPHER_CTX *c = cipher_begin(r, &r->out);
	unsigned char *to;
	int got;

	assert(n <= TLSREC_PLAIN_MAX);
	buf_reserve(send, HEAD + inner + TAG);
	to = (unsigned char *)send->p + send->n;
	memcpy(to, head, HEAD);
	to += HEAD;
	got = EVP_EncryptUpdate(c, NULL, &(int){0}, head, HEAD) &&
		(!n || EVP_EncryptUpdate(c, to, &(int){0}, (const unsigned char *)p, (int)n)) &&
		EVP_EncryptUpdate(c, to + n, &(int){0}, &type, 1) &&
		EVP_EncryptFinal_ex(c, to + inner, &(int){0}) &&
		EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, to + inner);
	assert(got);
	send->n += HEAD + inner + TAG;
	send->p[send->n] = '\0';
}

/* Tells the other end, and writes by the next key from then on. */
static void out_renew(struct tlsrec *r, struct buf *send)
{
	static const char update[] = {HANDSHAKE_KEY_UPDATE, 0, 0, 1, 0};

	tlsrec_put(r, TYPE_HANDSHAKE, update, sizeof(update), send);
	keys_renew(r, &r->out);
}

void tlsrec_write(struct tlsrec *r, const char *p, size_t n, struct buf *send)
{
	uint64_t most = r->pool->new_key_after ? r->pool->new_key_after : TLSREC_NEW_KEY_AFTER;

	while (n) {
		size_t k = MIN(n, (size_t)TLSREC_PLAIN_MAX);

		if (r->out.records >= most)
			out_renew(r, send);
		tlsrec_put(r, TYPE_DATA, p, k, send);
		p += k;
		n -= k;
	}
}

static void alert(struct tlsrec *r, int level, int what, struct buf *send)
{
	char body[2] = {(char)level, (char)what};

	tlsrec_put(r, TYPE_ALERT, body, sizeof(body), send);
}

void tlsrec_close(struct tlsrec *r, struct buf *send)
{
	alert(r, LEVEL_WARNING, SSL_AD_CLOSE_NOTIFY, send);
}

/* --- reading */
/* Says so to both: to the other end by an alert. */
static enum tlsio_status broken(struct tlsrec *r, int what, struct buf *send, struct err *e)
{
	alert(r, LEVEL_FATAL, what, send);
	err_set(e, ERR_INVALID, "TLS connection: %s", SSL_alert_desc_string_long(what));
	return TLSIO_BROKEN;
}

static enum tlsio_status alert_read(const unsigned char *p, struct err *e)
{
	if (p[1] == SSL_AD_CLOSE_NOTIFY)
		return TLSIO_END;
	if (p[1] == SSL_AD_USER_CANCELLED)
		return TLSIO_OK;
	err_set(e, ERR_INVALID, "TLS connection: alert from the other end: %s",
		SSL_alert_desc_string_long(p[1]));
	return TLSIO_BROKEN;
}

/* A KeyUpdate, whole and alone in its record, as all known libraries send it. */
static bool update_read(struct tlsrec *r, const unsigned char *p, size_t n, struct buf *send)
{
	static const unsigned char head[] = {HANDSHAKE_KEY_UPDATE, 0, 0, 1};

	if (n != sizeof(head) + 1 || memcmp(p, head, sizeof(head)) != 0 || p[4] > 1)
		return false;
	keys_renew(r, &r->in);
	if (p[4])
		out_renew(r, send);
	return true;
}

/* What was in a record: it stands behind plain's bytes, and becomes one of them where it is data.
 */
static enum tlsio_status
content_take(struct tlsrec *r, size_t n, struct buf *plain, struct buf *send, struct err *e)
{
	const unsigned char *p = (const unsigned char *)plain->p + plain->n;
	unsigned char type;

	while (n && !p[n - 1]) /* padding */
		n--;
	if (!n)
		return broken(r, SSL_AD_UNEXPECTED_MESSAGE, send, e);
	type = p[--n];
	if (n > TLSREC_PLAIN_MAX)
		return broken(r, SSL_AD_RECORD_OVERFLOW, send, e);
	r->streak = type == TYPE_DATA && n ? 0 : r->streak + 1;
	if (r->streak > STREAK_MAX)
		return broken(r, SSL_AD_UNEXPECTED_MESSAGE, send, e);
	if (type == TYPE_DATA) {
		plain->n += n;
		return TLSIO_OK;
	}
	if (type == TYPE_ALERT && n == 2)
		return alert_read(p, e);
	if (type == TYPE_HANDSHAKE && update_read(r, p, n, send))
		return TLSIO_OK;
	return broken(r, SSL_AD_UNEXPECTED_MESSAGE, send, e);
}

/* Decrypts a whole record to behind plain's bytes. */
static bool
open_record(struct tlsrec *r, const unsigned char *record, size_t body, struct buf *plain)
{
	const unsigned char *from = record + HEAD;
	EVP_CIPHER_CTX *c = cipher_begin(r, &r->in);
	unsigned char tag[TAG], *to;
	size_t n = body - TAG;
	int got;

	buf_reserve(plain, n);
	to = (unsigned char *)plain->p + plain->n;
	memcpy(tag, from + n, TAG);
	return EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) &&
		EVP_DecryptUpdate(c, NULL, &got, record, HEAD) &&
		EVP_DecryptUpdate(c, to, &got, from, (int)n) &&
		EVP_DecryptFinal_ex(c, to + n, &got) > 0;
}

static size_t body_size(const char *record)
{
	const unsigned char *u = (const unsigned char *)record;

	return (size_t)u[3] << 8 | u[4];
}

static enum tlsio_status record_read(
	struct tlsrec *r, const char *record, struct buf *plain, struct buf *send, struct err *e)
{
	size_t body = body_size(record), before = plain->n;
	enum tlsio_status status;

	if (!open_record(r, (const unsigned char *)record, body, plain))
		status = broken(r, SSL_AD_BAD_RECORD_MAC, send, e);
	else
		status = content_take(r, body - TAG, plain, send, e);
	assert(plain->n >= before);
	plain->p[plain->n] = '\0';
	return status;
}

/* The alert for a head that no record of ours has, or 0. */
static int head_check(const char *record)
{
	size_t body = body_size(record);

	if (record[0] != TYPE_DATA)
		return SSL_AD_UNEXPECTED_MESSAGE;
	if (body > CIPHERED_MAX)
		return SSL_AD_RECORD_OVERFLOW;
	return body < TAG + 1 ? SSL_AD_BAD_RECORD_MAC : 0;
}

/* Moves bytes to the part until it has so many; false: there are not enough. */
static bool part_fill(struct tlsrec *r, struct str *in, size_t want)
{
	size_t n = MIN(in->n, want > r->part.n ? want - r->part.n : 0);

	buf_add(&r->part, in->p, n);
	in->p += n;
	in->n -= n;
	return r->part.n >= want;
}

/* The next whole record, in the input or in the part; NULL: there is none yet. */
static const char *record_next(struct tlsrec *r, struct str *in, int *ret_alert)
{
	const char *record = in->p;
	bool has_part = r->part.n > 0;

	if (has_part || in->n < HEAD) {
		if (!part_fill(r, in, HEAD))
			return NULL;
		record = r->part.p;
		has_part = true;
	}
	*ret_alert = head_check(record);
	if (*ret_alert)
		return NULL;
	if (has_part || in->n < HEAD + body_size(record))
		return part_fill(r, in, HEAD + body_size(record)) ? r->part.p : NULL;
	in->p += HEAD + body_size(record);
	in->n -= HEAD + body_size(record);
	return record;
}

enum tlsio_status tlsrec_feed(
	struct tlsrec *r, const char *p, size_t n, struct buf *plain, struct buf *send,
	struct err *e)
{
	struct str in = {p, n};
	enum tlsio_status status = TLSIO_OK;

	while (status == TLSIO_OK && in.n) {
		int what = 0;
		const char *record = record_next(r, &in, &what);

		if (what)
			return broken(r, what, send, e);
		if (!record)
			break;
		status = record_read(r, record, plain, send, e);
		buf_done(&r->part); /* none is kept between records */
	}
	return status;
}
