#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define SEALED_PREFIX "v1:"

enum {
	BASE64 = sodium_base64_VARIANT_ORIGINAL,
	BASE64_URL = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
	NONCE = crypto_secretbox_NONCEBYTES,
	MAC = crypto_secretbox_MACBYTES,
	KEY = crypto_secretbox_KEYBYTES,
};

struct secret_key {
	unsigned char bytes[KEY]; /* the whole struct is sodium_malloc'd */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	if (sodium_init() < 0)
		abort(); /* no entropy: nothing that we do would be safe */
}

/* sodium_malloc puts the bytes between guard pages and keeps them out of core dumps. */
static void *guarded_alloc(size_t n)
{
	void *p;

	pthread_once(&once, init);
	p = sodium_malloc(n ? n : 1);
	if (!p)
		abort();
	return p;
}

void secret_done(struct secret *s)
{
	sodium_free(s->p);
	*s = (struct secret){0};
}

void secret_set(struct secret *s, struct str bytes)
{
	unsigned char *p = guarded_alloc(bytes.n);

	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	secret_done(s);
	*s = (struct secret){p, bytes.n};
}

void secret_key_free(struct secret_key *k)
{
	sodium_free(k);
}

static enum err_code key_make(const char *path, struct secret_key *k, struct err *e)
{
	randombytes_buf(k->bytes, KEY);
	return file_write(path, 0600, (struct str){(const char *)k->bytes, KEY}, e);
}

static enum err_code key_read(const char *path, int fd, struct secret_key *k, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_os(e, "key file '%s'", path);
	if (st.st_mode & 077)
		return err_set(
			e, ERR_INVALID,
			"key file '%s' can be read by others (mode %03o): chmod 600 it", path,
			(unsigned)(st.st_mode & 0777));
	if (st.st_size != KEY || read(fd, k->bytes, KEY) != KEY)
		return err_set(
			e, ERR_INVALID,
			"key file '%s' has %lld bytes, want %d: restore it from a copy", path,
			(long long)st.st_size, KEY);
	return ERR_OK;
}

enum err_code secret_key_open(const char *path, struct secret_key **ret, struct err *e)
{
	CLEANUP(fd_drop) int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_missing = fd < 0 && errno == ENOENT;
	struct secret_key *k;
	enum err_code code;

	if (fd < 0 && !is_missing)
		return err_os(e, "key file '%s'", path);
	k = guarded_alloc(sizeof(*k));
	code = is_missing ? key_make(path, k, e) : key_read(path, fd, k, e);
	if (code != ERR_OK) {
		secret_key_free(k);
		return code;
	}
	*ret = k;
	return ERR_OK;
}

/*
 * secretbox has no associated data, so each context gets a key of its own: BLAKE2b of the context,
 * keyed with the platform's key. A box then opens in no other context.
 */
static void key_of_context(const struct secret_key *k, const char *context, unsigned char ret[KEY])
{
	crypto_generichash(
		ret, KEY, (const unsigned char *)context, strlen(context), k->bytes, KEY);
}

const char *
secret_seal(struct arena *a, const struct secret_key *k, const char *context, struct str clear)
{
	size_t n = NONCE + MAC + clear.n;
	size_t room = sizeof(SEALED_PREFIX) - 1 + sodium_base64_ENCODED_LEN(n, BASE64_URL);
	unsigned char *box = arena_alloc(a, n);
	unsigned char key[KEY];
	char *text = arena_alloc(a, room);

	key_of_context(k, context, key);
	randombytes_buf(box, NONCE);
	crypto_secretbox_easy(box + NONCE, (const unsigned char *)clear.p, clear.n, box, key);
	sodium_memzero(key, KEY);
	memcpy(text, SEALED_PREFIX, sizeof(SEALED_PREFIX) - 1);
	sodium_bin2base64(
		text + sizeof(SEALED_PREFIX) - 1, room - (sizeof(SEALED_PREFIX) - 1), box, n,
		BASE64_URL);
	return text;
}

enum err_code secret_open(
	const struct secret_key *k, const char *context, const char *sealed, struct secret *ret,
	struct err *e)
{
	CLEANUP(mem_drop) unsigned char *box = NULL;
	struct secret out = {0};
	unsigned char key[KEY];
	struct str in = str_of(sealed);
	size_t n;
	bool is_open;

	if (!str_cut_prefix(&in, SEALED_PREFIX))
		return err_set(e, ERR_INVALID, "'%s' is not sealed in a way known here", context);
	box = mem_alloc(in.n);
	if (sodium_base642bin(box, in.n, in.p, in.n, NULL, &n, NULL, BASE64_URL) < 0 ||
	    n < NONCE + MAC)
		return err_set(e, ERR_INVALID, "what is sealed for '%s' is damaged", context);
	out.n = n - NONCE - MAC;
	out.p = guarded_alloc(out.n);
	key_of_context(k, context, key);
	is_open = crypto_secretbox_open_easy(out.p, box + NONCE, n - NONCE, box, key) == 0;
	sodium_memzero(key, KEY);
	if (!is_open) {
		secret_done(&out);
		return err_set(
			e, ERR_INVALID,
			"'%s' does not open: it was sealed with another key file, or for another "
			"place",
			context);
	}
	secret_done(ret);
	*ret = out;
	return ERR_OK;
}

void secret_random(struct secret *ret, size_t n)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char *p = guarded_alloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)letters[randombytes_uniform(sizeof(letters) - 1)];
	secret_done(ret);
	*ret = (struct secret){p, n};
}

const char *secret_hash(struct arena *a, struct str s)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char *hex = arena_alloc(a, 2 * sizeof(hash) + 1);

	pthread_once(&once, init);
	crypto_hash_sha256(hash, (const unsigned char *)s.p, s.n);
	return sodium_bin2hex(hex, 2 * sizeof(hash) + 1, hash, sizeof(hash));
}

bool secret_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

char *secret_base64(struct arena *a, struct str bytes)
{
	size_t room = sodium_base64_ENCODED_LEN(bytes.n, BASE64);
	char *text = arena_alloc(a, room);

	return sodium_bin2base64(text, room, (const unsigned char *)bytes.p, bytes.n, BASE64);
}

enum err_code secret_unbase64(struct arena *a, struct str text, struct str *ret, struct err *e)
{
	char *bytes = arena_alloc(a, text.n + 1);
	size_t n;

	if (sodium_base642bin(
		    (unsigned char *)bytes, text.n, text.p, text.n, NULL, &n, NULL, BASE64) < 0)
		return err_set(e, ERR_INVALID, "this is not base64 with padding (RFC 4648)");
	bytes[n] = '\0';
	*ret = (struct str){bytes, n};
	return ERR_OK;
}
