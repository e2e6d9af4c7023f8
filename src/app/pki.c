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

/* What a server certificate is good for: its names, under this authority. */
static enum err_code
purpose(struct arena *a, const char *const *hosts, const struct ca_cert *ca, const char **ret,
	struct err *e)
{
	enum err_code code;
	const char *all;

	code = ca_fingerprint(a, ca->cert_pem, &all, e);
	if (code)
		return code;
	for (; *hosts; hosts++)
		all = arena_printf(a, "%s\n%s", all, *hosts);
	*ret = all;
	return ERR_OK;
}

static bool
is_good(struct arena *a, const struct folder *f, const char *wanted, struct ca_cert *ret)
{
	const char *its;
	int64_t end;
	int percent;

	return !read_text(a, f, "server.names", &its, NULL) && strcmp(its, wanted) == 0 &&
		!read_pair(a, f, "server", ret, NULL) &&
		!ca_life(ret->cert_pem, &end, &percent, NULL) && percent < RENEW_PERCENT;
}

static enum err_code
issue(struct arena *a, const struct folder *f, const char *const *hosts, const char *wanted,
      struct pki *p, struct err *e)
{
	const struct ca_name name = {
		.name = "slipway",
		.group = "slipway:servers",
		.hosts = hosts,
		.days = SERVER_DAYS,
	};
	enum err_code code;

	/* without its names a pair is not used: none that is half written ever is */
	code = file_remove(folder_file(a, f, "server.names"), e);
	if (!code)
		code = ca_issue(a, &p->ca, &name, &p->server, e);
	if (!code)
		code = write_pair(a, f, "server", &p->server, e);
	if (!code)
		code = write_text(a, f, "server.names", wanted, e);
	if (!code)
		log_info("server certificate issued", "days=%d", SERVER_DAYS);
	return code;
}

enum err_code pki_open(
	struct arena *a, const struct folder *f, const char *const *hosts, struct pki *ret,
	bool *ret_is_new, struct err *e)
{
	const char *wanted;
	enum err_code code;
	bool is_new;
	struct pki p;

	code = ca_open(a, f, &p.ca, e);
	if (!code)
		code = purpose(a, hosts, &p.ca, &wanted, e);
	if (code)
		return code;
	is_new = !is_good(a, f, wanted, &p.server);
	if (is_new)
		code = issue(a, f, hosts, wanted, &p, e);
	if (code)
		return code;
	*ret = p;
	*ret_is_new = is_new;
	return ERR_OK;
}
