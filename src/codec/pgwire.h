/*
 * The PostgreSQL frontend/backend protocol 3.0 (documentation: chapter "Frontend/Backend Protocol",
 * sections "Message Formats" and "Message Flow"): bytes to messages and messages to bytes.
 *
 * Pure: no I/O, no state, no copy. What is read points into the caller's bytes; what is written
 * goes behind a struct buf. Lengths are checked before use, limits are parameters, nothing is
 * trusted: each reader says false or PGW_BAD for what the protocol does not allow.
 */
#ifndef SLIPWAY_CODEC_PGWIRE_H
#define SLIPWAY_CODEC_PGWIRE_H

#include "base/str.h"

enum {
	PGW_HEAD = 5, /* type byte and length of every message but a start */
	PGW_VERSION_3_0 = 3 << 16,
	PGW_VERSION_3_2 = 3 << 16 | 2,
	PGW_CODE_CANCEL = 1234 << 16 | 5678, /* what stands in place of a version */
	PGW_CODE_SSL = 1234 << 16 | 5679,
	PGW_CODE_GSS = 1234 << 16 | 5680,
	PGW_START_MAX = 10000, /* a startup packet behind its length (MAX_STARTUP_PACKET_LENGTH) */
	PGW_KEY_MAX = 256, /* a cancel key since protocol 3.2; 4 bytes before */
};

enum pgw_status {
	PGW_MORE, /* the bytes end within a message */
	PGW_MSG,
	PGW_BAD, /* no message of this protocol, or longer than max */
};

struct pgw_msg {
	char type;
	struct str body;
};

/* The head of a message: its type and the length of its body, which may not all be there yet. */
static inline enum pgw_status
pgw_head(const char *p, size_t n, uint32_t max, char *ret_type, uint32_t *ret_body)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t len;

	if (n < PGW_HEAD)
		return PGW_MORE;
	len = (uint32_t)u[1] << 24 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 8 | u[4];
	if (len < 4 || len - 4 > max)
		return PGW_BAD;
	*ret_type = p[0];
	*ret_body = len - 4;
	return PGW_MSG;
}

/* A whole message of at most max bytes of body; ret_used counts its head too. */
enum pgw_status pgw_next(struct str in, uint32_t max, struct pgw_msg *ret, size_t *ret_used);

/* The first packet of a connection, and those behind an SSLRequest or GSSENCRequest. */
enum pgw_start_kind {
	PGW_START_SSL,
	PGW_START_GSS,
	PGW_START_CANCEL,
	PGW_START_SESSION,
};

struct pgw_start {
	enum pgw_start_kind kind;
	uint32_t version; /* of a session: 3 << 16 | minor */
	uint32_t pid; /* of a cancel */
	struct str key; /* of a cancel */
	struct str params; /* of a session: pairs, for pgw_param_next and pgw_put_start */
};

/* PGW_BAD with *ret_why, a lasting sentence for the client, where it is none: too long, another
 * major version, parameters not in pairs, without a user, ... */
enum pgw_status
pgw_start_next(struct str in, struct pgw_start *ret, size_t *ret_used, const char **ret_why);
/* False at the end. Names and values are followed by a NUL byte: they are C strings too. */
bool pgw_param_next(struct str *rest, struct str *ret_name, struct str *ret_value);
/* The value of the last one of that name; p is NULL where there is none. */
struct str pgw_param(struct str params, const char *name);

/* Pieces of a body. They move *rest forward, or say false and leave it. */
bool pgw_get_u8(struct str *rest, uint8_t *ret);
bool pgw_get_u16(struct str *rest, uint16_t *ret);
bool pgw_get_u32(struct str *rest, uint32_t *ret);
bool pgw_get_text(struct str *rest, struct str *ret); /* up to a NUL byte, which must be there */
bool pgw_get_bytes(struct str *rest, size_t n, struct str *ret);

/* The fields of ErrorResponse and NoticeResponse: 'S' severity, 'C' SQLSTATE, 'M' message, ...
 * p is NULL where there is none. */
struct str pgw_field(struct str body, char field);

/* DataRow: each value in turn; p is NULL for NULL. pgw_row begins, and says how many; pgw_row_next
 * says false where the body has no further value, or one that is cut off. */
bool pgw_row(struct str body, uint16_t *ret_columns, struct str *ret_rest);
bool pgw_row_next(struct str *rest, struct str *ret_value);

/* Parse: name, query; types is the count and as many OIDs of parameter types, which is what
 * pgw_put_parse takes. */
bool pgw_parse_read(
	struct str body, struct str *ret_name, struct str *ret_query, struct str *ret_types);
/* Bind: rest is all behind the statement's name, unread: formats and values are the server's. */
bool pgw_bind_read(
	struct str body, struct str *ret_portal, struct str *ret_statement, struct str *ret_rest);
/* Describe and Close: 'S' or 'P', and the name. */
bool pgw_target_read(struct str body, char *ret_kind, struct str *ret_name);

/* --- writing: to either side */
/* A message whose body the caller adds: begin gives the place to hand to pgw_end. */
size_t pgw_begin(struct buf *b, char type);
void pgw_end(struct buf *b, size_t begin);
void pgw_put_u16(struct buf *b, uint16_t v);
void pgw_put_u32(struct buf *b, uint32_t v);
void pgw_put_text(struct buf *b, struct str s); /* and a NUL byte; s is cut at one of its own */
void pgw_put(struct buf *b, char type, struct str body); /* a whole message */

/* --- writing: what a server says */
struct pgw_error {
	const char *severity; /* "ERROR", "FATAL", "WARNING", … */
	const char *sqlstate; /* five characters */
	const char *message;
	const char *detail, *hint; /* may be NULL */
};
void pgw_put_error(struct buf *b, const struct pgw_error *e); /* ErrorResponse */
void pgw_put_notice(struct buf *b, const struct pgw_error *e); /* NoticeResponse */
void pgw_put_auth_ok(struct buf *b);
void pgw_put_auth_sasl(struct buf *b, bool has_channel_binding); /* the mechanisms offered */
void pgw_put_auth_sasl_continue(struct buf *b, struct str data);
void pgw_put_auth_sasl_final(struct buf *b, struct str data);
void pgw_put_parameter(struct buf *b, struct str name, struct str value);
void pgw_put_key(struct buf *b, uint32_t pid, struct str key);
/* NegotiateProtocolVersion: the minor of 3 that will be spoken (on the wire it is the whole
 * version, 3 << 16 | minor, as PostgreSQL says it), and the names of params that begin with _pq_.:
 * we know none of them. */
void pgw_put_negotiate(struct buf *b, uint32_t minor, struct str params);
void pgw_put_ready(struct buf *b, char status); /* 'I', 'T' or 'E' */
void pgw_put_complete(struct buf *b, const char *tag); /* CommandComplete */
/* RowDescription of text columns; names end in NULL. */
void pgw_put_columns(struct buf *b, const char *const *names);
void pgw_put_row(struct buf *b, const struct str *values, size_t n); /* p NULL: NULL */

/* --- writing: what a client says */
void pgw_put_ssl_request(struct buf *b);
void pgw_put_cancel(struct buf *b, uint32_t pid, struct str key);
/* params: pairs of names and values, each with its NUL byte, without the last NUL of the packet. */
void pgw_put_start(struct buf *b, uint32_t version, struct str params);
void pgw_put_password(struct buf *b, struct str password); /* PasswordMessage */
/* MD5PasswordMessage, for old external servers. False, and nothing written: this machine's OpenSSL
 * does no MD5 (FIPS). */
bool pgw_put_md5(struct buf *b, struct str user, struct str password, const unsigned char salt[4]);
void pgw_put_sasl_initial(struct buf *b, const char *mechanism, struct str data);
void pgw_put_sasl_response(struct buf *b, struct str data);
void pgw_put_query(struct buf *b, struct str sql);
/* types: as pgw_parse_read gave them; n 0: none. */
void pgw_put_parse(struct buf *b, struct str name, struct str query, struct str types);
/* Text parameters and text results; p NULL: NULL. */
void pgw_put_bind(
	struct buf *b, struct str portal, struct str statement, const struct str *values, size_t n);
void pgw_put_describe(struct buf *b, char kind, struct str name);
void pgw_put_execute(struct buf *b, struct str portal, uint32_t max_rows);
void pgw_put_close(struct buf *b, char kind, struct str name);
void pgw_put_sync(struct buf *b);
void pgw_put_terminate(struct buf *b);

#endif
