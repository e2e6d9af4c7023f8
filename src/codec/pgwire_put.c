#include <openssl/evp.h>

#include "codec/pgwire.h"

enum {
	MAX_BODY = INT32_MAX - 4, /* lengths are signed on the wire, and count themselves */
	MD5_BYTES = 16,
	OID_TEXT = 25,
};

/* --- pieces */
static void be32_set(char *p, uint32_t v)
{
	p[0] = (char)(v >> 24);
	p[1] = (char)(v >> 16);
	p[2] = (char)(v >> 8);
	p[3] = (char)v;
}

void pgw_put_u16(struct buf *b, uint16_t v)
{
	char p[2] = {(char)(v >> 8), (char)v};

	buf_add(b, p, sizeof(p));
}

void pgw_put_u32(struct buf *b, uint32_t v)
{
	char p[4];

	be32_set(p, v);
	buf_add(b, p, sizeof(p));
}

/* Cut at a NUL byte that should not be there: what is behind it must not become another field. */
void pgw_put_text(struct buf *b, struct str s)
{
	if (s.n)
		buf_add(b, s.p, strnlen(s.p, s.n));
	buf_putc(b, '\0');
}

static void put_cstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

/* p NULL: NULL, which is a length of -1 and no bytes. */
static void put_value(struct buf *b, struct str v)
{
	assert(v.n <= MAX_BODY);
	pgw_put_u32(b, v.p ? (uint32_t)v.n : UINT32_MAX);
	if (v.p)
		buf_str(b, v);
}

static void put_values(struct buf *b, const struct str *values, size_t n)
{
	assert(n <= UINT16_MAX);
	pgw_put_u16(b, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		put_value(b, values[i]);
}

/* --- messages */
size_t pgw_begin(struct buf *b, char type)
{
	size_t begin = b->n;
	char head[PGW_HEAD] = {type};

	buf_add(b, head, sizeof(head));
	return begin;
}

void pgw_end(struct buf *b, size_t begin)
{
	size_t n = b->n - begin - PGW_HEAD;

	assert(b->n >= begin + PGW_HEAD && n <= MAX_BODY);
	be32_set(b->p + begin + 1, (uint32_t)n + 4);
}

void pgw_put(struct buf *b, char type, struct str body)
{
	size_t begin;

	buf_reserve(b, PGW_HEAD + body.n);
	begin = pgw_begin(b, type);
	buf_str(b, body);
	pgw_end(b, begin);
}

static void put_cstr_message(struct buf *b, char type, const char *text)
{
	pgw_put(b, type, (struct str){text, strlen(text) + 1});
}

static void put_text_message(struct buf *b, char type, struct str text)
{
	size_t begin = pgw_begin(b, type);

	pgw_put_text(b, text);
	pgw_end(b, begin);
}

/* --- what a server says */
static void put_field(struct buf *b, char field, const char *text)
{
	if (!text)
		return;
	buf_putc(b, field);
	put_cstr(b, text);
}

static void put_report(struct buf *b, char type, const struct pgw_error *e)
{
	size_t begin = pgw_begin(b, type);

	put_field(b, 'S', e->severity);
	put_field(b, 'V', e->severity); /* never translated, since PostgreSQL 9.6 */
	put_field(b, 'C', e->sqlstate);
	put_field(b, 'M', e->message);
	put_field(b, 'D', e->detail);
	put_field(b, 'H', e->hint);
	buf_putc(b, '\0');
	pgw_end(b, begin);
}

void pgw_put_error(struct buf *b, const struct pgw_error *e)
{
	put_report(b, 'E', e);
}

void pgw_put_notice(struct buf *b, const struct pgw_error *e)
{
	put_report(b, 'N', e);
}

enum auth { AUTH_OK = 0, AUTH_SASL = 10, AUTH_SASL_CONTINUE = 11, AUTH_SASL_FINAL = 12 };

static void put_auth(struct buf *b, enum auth what, struct str data)
{
	size_t begin = pgw_begin(b, 'R');

	pgw_put_u32(b, what);
	buf_str(b, data);
	pgw_end(b, begin);
}

void pgw_put_auth_ok(struct buf *b)
{
	put_auth(b, AUTH_OK, STR(""));
}

void pgw_put_auth_sasl(struct buf *b, bool has_channel_binding)
{
	static const char both[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
	static const char plain[] = "SCRAM-SHA-256\0";

	if (has_channel_binding)
		put_auth(b, AUTH_SASL, (struct str){both, sizeof(both)});
	else
		put_auth(b, AUTH_SASL, (struct str){plain, sizeof(plain)});
}

void pgw_put_auth_sasl_continue(struct buf *b, struct str data)
{
	put_auth(b, AUTH_SASL_CONTINUE, data);
}

void pgw_put_auth_sasl_final(struct buf *b, struct str data)
{
	put_auth(b, AUTH_SASL_FINAL, data);
}

void pgw_put_parameter(struct buf *b, struct str name, struct str value)
{
	size_t begin = pgw_begin(b, 'S');

	pgw_put_text(b, name);
	pgw_put_text(b, value);
	pgw_end(b, begin);
}

void pgw_put_key(struct buf *b, uint32_t pid, struct str key)
{
	size_t begin = pgw_begin(b, 'K');

	pgw_put_u32(b, pid);
	buf_str(b, key);
	pgw_end(b, begin);
}

void pgw_put_negotiate(struct buf *b, uint32_t minor, struct str params)
{
	size_t begin = pgw_begin(b, 'v'), count_at;
	struct str name, value;
	uint32_t n = 0;

	pgw_put_u32(b, PGW_VERSION_3_0 | minor);
	count_at = b->n;
	pgw_put_u32(b, 0);
	while (pgw_param_next(&params, &name, &value)) {
		if (!str_starts(name, "_pq_."))
			continue;
		pgw_put_text(b, name);
		n++;
	}
	be32_set(b->p + count_at, n);
	pgw_end(b, begin);
}

void pgw_put_ready(struct buf *b, char status)
{
	pgw_put(b, 'Z', (struct str){&status, 1});
}

void pgw_put_complete(struct buf *b, const char *tag)
{
	put_cstr_message(b, 'C', tag);
}

void pgw_put_columns(struct buf *b, const char *const *names)
{
	size_t begin = pgw_begin(b, 'T'), n = 0;

	while (names[n])
		n++;
	assert(n <= UINT16_MAX);
	pgw_put_u16(b, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		put_cstr(b, names[i]);
		pgw_put_u32(b, 0); /* of no table */
		pgw_put_u16(b, 0); /* and no column of it */
		pgw_put_u32(b, OID_TEXT);
		pgw_put_u16(b, UINT16_MAX); /* of any length */
		pgw_put_u32(b, UINT32_MAX); /* no type modifier */
		pgw_put_u16(b, 0); /* as text */
	}
	pgw_end(b, begin);
}

void pgw_put_row(struct buf *b, const struct str *values, size_t n)
{
	size_t begin = pgw_begin(b, 'D');

	put_values(b, values, n);
	pgw_end(b, begin);
}

/* --- what a client says */
void pgw_put_ssl_request(struct buf *b)
{
	pgw_put_u32(b, 8);
	pgw_put_u32(b, PGW_CODE_SSL);
}

void pgw_put_cancel(struct buf *b, uint32_t pid, struct str key)
{
	assert(key.n <= MAX_BODY - 8);
	pgw_put_u32(b, (uint32_t)key.n + 12);
	pgw_put_u32(b, PGW_CODE_CANCEL);
	pgw_put_u32(b, pid);
	buf_str(b, key);
}

void pgw_put_start(struct buf *b, uint32_t version, struct str params)
{
	assert(params.n <= MAX_BODY - 5);
	pgw_put_u32(b, (uint32_t)params.n + 9);
	pgw_put_u32(b, version);
	buf_str(b, params);
	buf_putc(b, '\0');
}

void pgw_put_password(struct buf *b, struct str password)
{
	put_text_message(b, 'p', password);
}

static bool md5_hex(struct str a, struct str b, char ret[2 * MD5_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";
	CLEANUP(buf_done) struct buf in = {0};
	unsigned char md[MD5_BYTES];
	bool ok;

	buf_reserve(&in, a.n + b.n); /* once: no copy of a password is left behind */
	buf_str(&in, a);
	buf_str(&in, b);
	ok = EVP_Q_digest(NULL, "MD5", NULL, in.p, in.n, md, NULL) == 1;
	explicit_bzero(in.p, in.n);
	for (size_t i = 0; ok && i < MD5_BYTES; i++) {
		ret[2 * i] = digits[md[i] >> 4];
		ret[2 * i + 1] = digits[md[i] & 15];
	}
	ret[2 * MD5_BYTES] = '\0';
	return ok;
}

bool pgw_put_md5(struct buf *b, struct str user, struct str password, const unsigned char salt[4])
{
	char inner[2 * MD5_BYTES + 1], outer[3 + 2 * MD5_BYTES + 1] = "md5";
	bool ok = md5_hex(password, user, inner) &&
		md5_hex(str_of(inner), (struct str){(const char *)salt, 4}, outer + 3);

	if (ok)
		put_cstr_message(b, 'p', outer);
	explicit_bzero(inner, sizeof(inner));
	return ok;
}

void pgw_put_sasl_initial(struct buf *b, const char *mechanism, struct str data)
{
	size_t begin = pgw_begin(b, 'p');

	put_cstr(b, mechanism);
	put_value(b, data);
	pgw_end(b, begin);
}

void pgw_put_sasl_response(struct buf *b, struct str data)
{
	pgw_put(b, 'p', data);
}

void pgw_put_query(struct buf *b, struct str sql)
{
	put_text_message(b, 'Q', sql);
}

void pgw_put_parse(struct buf *b, struct str name, struct str query, struct str types)
{
	size_t begin = pgw_begin(b, 'P');

	pgw_put_text(b, name);
	pgw_put_text(b, query);
	if (types.n)
		buf_str(b, types);
	else
		pgw_put_u16(b, 0);
	pgw_end(b, begin);
}

void pgw_put_bind(
	struct buf *b, struct str portal, struct str statement, const struct str *values, size_t n)
{
	size_t begin = pgw_begin(b, 'B');

	pgw_put_text(b, portal);
	pgw_put_text(b, statement);
	pgw_put_u16(b, 0); /* all parameters are text */
	put_values(b, values, n);
	pgw_put_u16(b, 0); /* and all results */
	pgw_end(b, begin);
}

static void put_target(struct buf *b, char type, char kind, struct str name)
{
	size_t begin = pgw_begin(b, type);

	buf_putc(b, kind);
	pgw_put_text(b, name);
	pgw_end(b, begin);
}

void pgw_put_describe(struct buf *b, char kind, struct str name)
{
	put_target(b, 'D', kind, name);
}

void pgw_put_close(struct buf *b, char kind, struct str name)
{
	put_target(b, 'C', kind, name);
}

void pgw_put_execute(struct buf *b, struct str portal, uint32_t max_rows)
{
	size_t begin = pgw_begin(b, 'E');

	pgw_put_text(b, portal);
	pgw_put_u32(b, max_rows);
	pgw_end(b, begin);
}

void pgw_put_sync(struct buf *b)
{
	pgw_put(b, 'S', STR(""));
}

void pgw_put_terminate(struct buf *b)
{
	pgw_put(b, 'X', STR(""));
}
