#include "control/credentials.h"

#include "codec/scram.h"

enum { SALT_LENGTH = 16 };

static void put(json_t *data, const char *key, struct str value)
{
	struct arena a = {0};

	json_object_set_new(data, key, json_string(secret_base64(&a, value)));
	arena_done(&a);
}

static void put_text(json_t *data, const char *key, const char *text)
{
	put(data, key, str_of(text));
}

static void hosts_print(struct buf *b, const struct credentials_where *w)
{
	for (size_t i = 0; i < w->endpoints_n; i++) {
		const char *host = w->endpoints[i].host;
		bool is_v6 = strchr(host, ':') != NULL;

		buf_printf(
			b, "%s%s%s%s:%d", i ? "," : "", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
			w->endpoints[i].port);
	}
}

/* Names of the gateway hold a slash; all other characters stand for themselves. */
static void dbname_print(struct buf *b, const char *dbname)
{
	for (; *dbname; dbname++) {
		if (*dbname == '/')
			buf_puts(b, "%2F");
		else
			buf_putc(b, *dbname);
	}
}

/* sslmode=require checks no certificate, but needs no file beside the URI either; who has ca.crt
 * adds sslmode=verify-full and sslrootcert. */
static void
put_uri(json_t *data, const char *key, const struct credentials_where *w, const char *dbname,
	const struct secret *password)
{
	struct buf b = {0};

	buf_printf(&b, "postgresql://%s:", w->user);
	buf_add(&b, password->p, password->n);
	buf_putc(&b, '@');
	hosts_print(&b, w);
	buf_putc(&b, '/');
	dbname_print(&b, dbname);
	buf_printf(
		&b, "?%ssslmode=require", w->is_gateway ? "" : "target_session_attrs=read-write&");
	put(data, key, buf_view(&b));
	explicit_bzero(b.p, b.n);
	buf_done(&b);
}

static void put_jdbc_uri(
	json_t *data, const char *key, const struct credentials_where *w, const char *dbname,
	const struct secret *password)
{
	struct buf b = {0};

	buf_puts(&b, "jdbc:postgresql://");
	hosts_print(&b, w);
	buf_putc(&b, '/');
	dbname_print(&b, dbname);
	buf_printf(
		&b, "?user=%s&%ssslmode=require&password=", w->user,
		w->is_gateway ? "" : "targetServerType=primary&");
	buf_add(&b, password->p, password->n);
	put(data, key, buf_view(&b));
	explicit_bzero(b.p, b.n);
	buf_done(&b);
}

static void
put_read_only(json_t *data, const struct credentials_where *w, const struct secret *password)
{
	static const char *const keys[] = {"ro-dbname", "ro-uri", "ro-jdbc-uri"};

	for (size_t i = 0; i < ARRAY_LEN(keys) && !w->ro_dbname; i++)
		json_object_del(data, keys[i]);
	if (!w->ro_dbname)
		return;
	put_text(data, keys[0], w->ro_dbname);
	put_uri(data, keys[1], w, w->ro_dbname, password);
	put_jdbc_uri(data, keys[2], w, w->ro_dbname, password);
}

void credentials_fill(
	json_t *data, const struct credentials_where *w, const struct secret *password)
{
	char port[16];

	put_text(data, "user", w->user);
	put_text(data, "username", w->user);
	put_text(data, "dbname", w->dbname);
	put(data, "password", (struct str){(const char *)password->p, password->n});
	if (w->ca_pem)
		put_text(data, "ca.crt", w->ca_pem);
	put_read_only(data, w, password);
	if (!w->endpoints_n)
		return;
	snprintf(port, sizeof(port), "%d", w->endpoints[0].port);
	put_text(data, "host", w->endpoints[0].host);
	put_text(data, "port", port);
	put_uri(data, "uri", w, w->dbname, password);
	put_jdbc_uri(data, "jdbc-uri", w, w->dbname, password);
}

bool credentials_password(const json_t *secret, struct secret *ret)
{
	const char *text = json_string_value(json_object_get(jv_at(secret, "data"), "password"));
	struct arena a = {0};
	struct str clear;
	bool is_there = text && !secret_unbase64(&a, str_of(text), &clear, NULL) && clear.n;

	if (is_there)
		secret_set(ret, clear);
	arena_done(&a);
	return is_there;
}

const char *credentials_verifier(struct arena *a, const struct secret *password, int iterations)
{
	CLEANUP(secret_done) struct secret salt = {0};

	secret_random(&salt, SALT_LENGTH);
	return scram_verifier(
		a, (struct str){(const char *)password->p, password->n},
		(struct str){(const char *)salt.p, salt.n}, iterations);
}

const char *
credentials_verifier_like(struct arena *a, const struct secret *password, const char *like)
{
	struct scram s;

	if (!like || scram_parse(str_of(like), &s, NULL))
		return NULL;
	return scram_verifier(
		a, (struct str){(const char *)password->p, password->n},
		(struct str){(const char *)s.salt, s.salt_n}, s.iterations);
}
