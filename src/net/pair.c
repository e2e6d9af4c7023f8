#include "net/pair.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/file.h"

enum { PEM_MAX = 64 << 10 };

/* The four files that there may be. */
struct pair_files {
	struct arena arena;
	const char *folder, *cert, *key, *new_cert, *new_key;
};

static void files_done(struct pair_files *f)
{
	arena_done(&f->arena);
}

static void files_of(struct pair_files *f, const char *folder, const char *name)
{
	f->folder = folder;
	f->cert = arena_printf(&f->arena, "%s/%s.crt", folder, name);
	f->key = arena_printf(&f->arena, "%s/%s.key", folder, name);
	f->new_cert = arena_printf(&f->arena, "%s.new", f->cert);
	f->new_key = arena_printf(&f->arena, "%s.new", f->key);
}

bool pair_fits(const char *cert_pem, const char *key_pem)
{
	BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1), *key_bio = BIO_new_mem_buf(key_pem, -1);
	X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
	bool ret = cert && key && X509_check_private_key(cert, key) == 1;

	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	return ret;
}

static enum err_code
rename_durably(const struct pair_files *f, const char *from, const char *to, struct err *e)
{
	if (fault_hit("pair.rename") || rename(from, to) < 0)
		return err_os(e, "give '%s' its name", from);
	return file_sync(f->folder, e);
}

/* Both new files are whole: now they are the pair. */
static enum err_code pair_switch(const struct pair_files *f, struct err *e)
{
	enum err_code code = ERR_OK;

	if (file_exists(f->new_cert))
		code = rename_durably(f, f->new_cert, f->cert, e);
	return code ? code : rename_durably(f, f->new_key, f->key, e);
}

/* The key's new file is written first and renamed last, so it alone is either the beginning or the
 * end of a switch: of the end, it fits the certificate in place. */
enum err_code pair_repair(const char *folder, const char *name, struct err *e)
{
	CLEANUP(files_done) struct pair_files f = {0};
	struct str cert, key;

	files_of(&f, folder, name);
	if (!file_exists(f.new_key))
		return ERR_OK;
	if (file_exists(f.new_cert))
		return pair_switch(&f, e);
	if (!file_read(&f.arena, f.cert, PEM_MAX, &cert, NULL) &&
	    !file_read(&f.arena, f.new_key, PEM_MAX, &key, NULL) && pair_fits(cert.p, key.p))
		return pair_switch(&f, e);
	return file_remove(f.new_key, e);
}

enum err_code pair_replace(
	const char *folder, const char *name, const char *cert_pem, const char *key_pem,
	struct err *e)
{
	CLEANUP(files_done) struct pair_files f = {0};
	enum err_code code;

	if (!pair_fits(cert_pem, key_pem))
		return err_set(e, ERR_INVALID, "the new certificate is not for the key we made");
	files_of(&f, folder, name);
	code = file_write(f.new_key, 0600, str_of(key_pem), e);
	if (!code)
		code = file_write(f.new_cert, 0600, str_of(cert_pem), e);
	return code ? code : pair_switch(&f, e);
}
