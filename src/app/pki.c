#include "app/pki.h"

#include "base/file.h"
#include "base/log.h"

enum { SERVER_DAYS = 90, RENEW_PERCENT = 67, PEM_MAX = 64 * 1024 };

static enum err_code read_text(
	struct arena *a, const struct folder *f, const char *name, const char **ret, struct err *e)
{
	enum err_code code;
	struct str text;

	code = file_read(a, folder_file(a, f, name), PEM_MAX, &text, e);
	if (!code)
		*ret = text.p;
	return code;
}

static enum err_code
write_text(struct arena *a, const struct folder *f, const char *name, const char *s, struct err *e)
{
	return file_write(folder_file(a, f, name), 0600, str_of(s), e);
}

/* The certificate is written last: where it is, the key is too. */
static enum err_code write_pair(
	struct arena *a, const struct folder *f, const char *name, const struct ca_cert *c,
	struct err *e)
{
	enum err_code code = write_text(a, f, arena_printf(a, "%s.key", name), c->key_pem, e);

	if (!code)
		code = write_text(a, f, arena_printf(a, "%s.crt", name), c->cert_pem, e);
	return code;
}

static enum err_code read_pair(
	struct arena *a, const struct folder *f, const char *name, struct ca_cert *ret,
	struct err *e)
{
	enum err_code code;
	struct ca_cert c;

	code = read_text(a, f, arena_printf(a, "%s.crt", name), &c.cert_pem, e);
	if (!code)
		code = read_text(a, f, arena_printf(a, "%s.key", name), &c.key_pem, e);
	if (!code)
		*ret = c;
	return code;
}

static enum err_code
ca_open(struct arena *a, const struct folder *f, struct ca_cert *ret, struct err *e)
{
	enum err_code code = read_pair(a, f, "ca", ret, e);

	if (code != ERR_NOT_FOUND || file_exists(folder_file(a, f, "ca.crt")))
		return code;
	code = ca_new(a, "Slipway CA", ret, e);
	return code ? code : write_pair(a, f, "ca", ret, e);
}

/* A certificate of ours: where it is kept, and whom it is for. */
struct own {
	const struct folder *folder;
	const char *file; /* <file>.crt, .key, .names */
	const char *name, *group;
	const char *const *hosts;
};

static const char *names_file(struct arena *a, const struct own *o)
{
	return arena_printf(a, "%s.names", o->file);
}

/* What it is good for: its names, under this authority. */
static enum err_code
purpose(struct arena *a, const struct own *o, const struct ca_cert *ca, const char **ret,
	struct err *e)
{
	enum err_code code;
	const char *all;

	code = ca_fingerprint(a, ca->cert_pem, &all, e);
	if (code)
		return code;
	for (const char *const *host = o->hosts; *host; host++)
		all = arena_printf(a, "%s\n%s", all, *host);
	*ret = all;
	return ERR_OK;
}

static bool is_good(struct arena *a, const struct own *o, const char *wanted, struct ca_cert *ret)
{
	const char *its;
	int64_t end;
	int percent;

	return !read_text(a, o->folder, names_file(a, o), &its, NULL) && strcmp(its, wanted) == 0 &&
		!read_pair(a, o->folder, o->file, ret, NULL) &&
		!ca_life(ret->cert_pem, &end, &percent, NULL) && percent < RENEW_PERCENT;
}

static enum err_code
issue(struct arena *a, const struct own *o, const char *wanted, const struct ca_cert *ca,
      struct ca_cert *ret, struct err *e)
{
	const struct ca_name name = {
		.name = o->name,
		.group = o->group,
		.hosts = o->hosts,
		.days = SERVER_DAYS,
	};
	enum err_code code;

	/* without its names a pair is not used: none that is half written ever is */
	code = file_remove(folder_file(a, o->folder, names_file(a, o)), e);
	if (!code)
		code = ca_issue(a, ca, &name, ret, e);
	if (!code)
		code = write_pair(a, o->folder, o->file, ret, e);
	if (!code)
		code = write_text(a, o->folder, names_file(a, o), wanted, e);
	if (!code)
		log_info("certificate issued", "name=%s days=%d", o->name, SERVER_DAYS);
	return code;
}

static enum err_code own_open(
	struct arena *a, const struct own *o, const struct ca_cert *ca, struct ca_cert *ret,
	bool *ret_is_new, struct err *e)
{
	const char *wanted;
	enum err_code code = purpose(a, o, ca, &wanted, e);
	bool is_new;

	if (code)
		return code;
	is_new = !is_good(a, o, wanted, ret);
	if (is_new)
		code = issue(a, o, wanted, ca, ret, e);
	if (!code)
		*ret_is_new = is_new;
	return code;
}

enum err_code pki_open(
	struct arena *a, const struct folder *f, const char *const *hosts, struct pki *ret,
	bool *ret_is_new, struct err *e)
{
	const struct own server = {f, "server", "slipway", "slipway:servers", hosts};
	enum err_code code;
	struct pki p;

	code = ca_open(a, f, &p.ca, e);
	if (!code)
		code = own_open(a, &server, &p.ca, &p.server, ret_is_new, e);
	if (!code)
		*ret = p;
	return code;
}

enum err_code pki_gateway(
	struct arena *a, const struct folder *f, const char *path, const char *const *hosts,
	struct err *e)
{
	const struct folder its = {.path = path, .lock_fd = -1};
	const struct own gateway = {&its, "gateway", "gateway", "slipway:gateways", hosts};
	struct ca_cert ca, pair;
	enum err_code code;
	bool is_new;

	code = dir_make(path, 0700, e);
	if (!code)
		code = ca_open(a, f, &ca, e);
	if (!code)
		code = write_text(a, &its, "ca.crt", ca.cert_pem, e);
	if (!code)
		code = own_open(a, &gateway, &ca, &pair, &is_new, e);
	return code;
}
