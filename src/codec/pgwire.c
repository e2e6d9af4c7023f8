#include "codec/pgwire.h"

enum {
	START_HEAD = 8, /* length and code */
	CANCEL_HEAD = 12, /* and the process id */
	CANCEL_KEY_MIN = 4,
};

static const struct str no_str = {NULL, 0};

/* --- pieces */
static uint32_t be32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void skip(struct str *rest, size_t n)
{
	rest->p += n;
	rest->n -= n;
}

bool pgw_get_u8(struct str *rest, uint8_t *ret)
{
	if (rest->n < 1)
		return false;
	*ret = (uint8_t)rest->p[0];
	skip(rest, 1);
	return true;
}

bool pgw_get_u16(struct str *rest, uint16_t *ret)
{
	const unsigned char *u = (const unsigned char *)rest->p;

	if (rest->n < 2)
		return false;
	*ret = (uint16_t)(u[0] << 8 | u[1]);
	skip(rest, 2);
	return true;
}

bool pgw_get_u32(struct str *rest, uint32_t *ret)
{
	if (rest->n < 4)
		return false;
	*ret = be32(rest->p);
	skip(rest, 4);
	return true;
}

bool pgw_get_text(struct str *rest, struct str *ret)
{
	const char *end = rest->n ? memchr(rest->p, '\0', rest->n) : NULL;

	if (!end)
		return false;
	*ret = (struct str){rest->p, (size_t)(end - rest->p)};
	skip(rest, ret->n + 1);
	return true;
}

bool pgw_get_bytes(struct str *rest, size_t n, struct str *ret)
{
	if (rest->n < n)
		return false;
	*ret = (struct str){rest->p, n};
	skip(rest, n);
	return true;
}

/* --- messages */
enum pgw_status pgw_next(struct str in, uint32_t max, struct pgw_msg *ret, size_t *ret_used)
{
	char type;
	uint32_t body;
	enum pgw_status status = pgw_head(in.p, in.n, max, &type, &body);

	if (status != PGW_MSG)
		return status;
	if (in.n - PGW_HEAD < body)
		return PGW_MORE;
	*ret = (struct pgw_msg){type, {in.p + PGW_HEAD, body}};
	*ret_used = PGW_HEAD + (size_t)body;
	return PGW_MSG;
}

/* --- the first packet */
bool pgw_param_next(struct str *rest, struct str *ret_name, struct str *ret_value)
{
	struct str r = *rest, name, value;

	if (!pgw_get_text(&r, &name) || !name.n || !pgw_get_text(&r, &value))
		return false;
	*rest = r;
	*ret_name = name;
	*ret_value = value;
	return true;
}

struct str pgw_param(struct str params, const char *name)
{
	struct str found = no_str, n, value;

	while (pgw_param_next(&params, &n, &value))
		if (str_is(n, name))
			found = value;
	return found;
}

static enum pgw_status bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return PGW_BAD;
}

/* Pairs of names and values, then one NUL byte that ends the packet. */
static enum pgw_status session_read(struct str body, struct pgw_start *ret, const char **ret_why)
{
	struct str rest = body, name, value;

	if (ret->version >> 16 != 3)
		return bad(ret_why, "unsupported frontend protocol: this server speaks 3.0 to 3.2");
	while (pgw_param_next(&rest, &name, &value))
		;
	if (rest.n != 1 || rest.p[0] != '\0')
		return bad(
			ret_why,
			"invalid startup packet layout: expected pairs of names and values, "
			"and a terminator as last byte");
	ret->params = (struct str){body.p, body.n - 1};
	if (!pgw_param(ret->params, "user").n)
		return bad(ret_why, "no PostgreSQL user name specified in startup packet");
	return PGW_MSG;
}

static enum pgw_status cancel_read(struct str body, struct pgw_start *ret, const char **ret_why)
{
	if (!pgw_get_u32(&body, &ret->pid) || body.n < CANCEL_KEY_MIN || body.n > PGW_KEY_MAX)
		return bad(ret_why, "invalid length of a cancel request");
	ret->key = body;
	return PGW_MSG;
}

/* A request for encryption is its code and nothing else: what comes behind it, before we answered,
 * must not be taken for something that was said under encryption. That is the caller's to check. */
static enum pgw_status encryption_read(struct str body, const char **ret_why)
{
	return body.n ? bad(ret_why, "invalid length of a request for encryption") : PGW_MSG;
}

static enum pgw_status
body_read(uint32_t code, struct str body, struct pgw_start *ret, const char **ret_why)
{
	switch (code) {
	case PGW_CODE_SSL:
		ret->kind = PGW_START_SSL;
		return encryption_read(body, ret_why);
	case PGW_CODE_GSS:
		ret->kind = PGW_START_GSS;
		return encryption_read(body, ret_why);
	case PGW_CODE_CANCEL:
		ret->kind = PGW_START_CANCEL;
		return cancel_read(body, ret, ret_why);
	default:
		ret->kind = PGW_START_SESSION;
		ret->version = code;
		return session_read(body, ret, ret_why);
	}
}

enum pgw_status
pgw_start_next(struct str in, struct pgw_start *ret, size_t *ret_used, const char **ret_why)
{
	struct pgw_start start = {0};
	uint32_t len;
	enum pgw_status status;

	if (in.n < 4)
		return PGW_MORE;
	len = be32(in.p); /* counts itself */
	if (len < START_HEAD || len - 4 > PGW_START_MAX)
		return bad(ret_why, "invalid length of startup packet");
	if (in.n < len)
		return PGW_MORE;
	status = body_read(
		be32(in.p + 4), (struct str){in.p + START_HEAD, len - START_HEAD}, &start, ret_why);
	if (status != PGW_MSG)
		return status;
	*ret = start;
	*ret_used = len;
	return PGW_MSG;
}

/* --- bodies */
struct str pgw_field(struct str body, char field)
{
	struct str value;
	uint8_t f;

	while (pgw_get_u8(&body, &f) && f && pgw_get_text(&body, &value))
		if ((char)f == field)
			return value;
	return no_str;
}

bool pgw_row(struct str body, uint16_t *ret_columns, struct str *ret_rest)
{
	struct str rest = body;

	if (!pgw_get_u16(&rest, ret_columns))
		return false;
	*ret_rest = rest;
	return true;
}

bool pgw_row_next(struct str *rest, struct str *ret_value)
{
	struct str r = *rest, value = no_str;
	uint32_t n;

	if (!pgw_get_u32(&r, &n) || (n != UINT32_MAX && !pgw_get_bytes(&r, n, &value)))
		return false;
	*rest = r;
	*ret_value = value;
	return true;
}

bool pgw_parse_read(
	struct str body, struct str *ret_name, struct str *ret_query, struct str *ret_types)
{
	struct str rest = body, name, query, types;
	uint16_t n;

	if (!pgw_get_text(&rest, &name) || !pgw_get_text(&rest, &query))
		return false;
	types = rest;
	if (!pgw_get_u16(&rest, &n) || rest.n != (size_t)n * 4)
		return false;
	*ret_name = name;
	*ret_query = query;
	*ret_types = types;
	return true;
}

bool pgw_bind_read(
	struct str body, struct str *ret_portal, struct str *ret_statement, struct str *ret_rest)
{
	struct str rest = body, portal, statement;

	if (!pgw_get_text(&rest, &portal) || !pgw_get_text(&rest, &statement))
		return false;
	*ret_portal = portal;
	*ret_statement = statement;
	*ret_rest = rest;
	return true;
}

bool pgw_target_read(struct str body, char *ret_kind, struct str *ret_name)
{
	struct str rest = body, name;
	uint8_t kind;

	if (!pgw_get_u8(&rest, &kind) || (kind != 'S' && kind != 'P') ||
	    !pgw_get_text(&rest, &name) || rest.n)
		return false;
	*ret_kind = (char)kind;
	*ret_name = name;
	return true;
}
