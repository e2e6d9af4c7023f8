/*
 * The parts of SCRAM messages (RFC 5802, section 7) that both ends of codec/sasl read and write.
 * For sasl_server.c and sasl_client.c alone. Pure; parts point into the message.
 */
#ifndef SLIPWAY_CODEC_SASL_PART_H
#define SLIPWAY_CODEC_SASL_PART_H

#include "codec/sasl.h"

#define SASL_PLAIN "SCRAM-SHA-256"
#define SASL_PLUS "SCRAM-SHA-256-PLUS"
#define SASL_BINDING_TYPE "tls-server-end-point"

enum sasl_step { SASL_STEP_FIRST, SASL_STEP_FINAL, SASL_STEP_PROOF, SASL_STEP_OVER };

/* The next "x=value"; *rest moves behind its comma, or says its end by a NULL pointer. */
bool sasl_attr(struct str *rest, char *ret_name, struct str *ret_value);
/* The same, of that name. */
bool sasl_attr_of(struct str *rest, char name, struct str *ret_value);
/* Extensions, which are read over: attributes until the end, none of them mandatory ("m="). */
bool sasl_extensions(struct str rest);

/* Printable ASCII but for the comma, and not empty. */
bool sasl_is_nonce(struct str s);
/* Of a length within bounds, and without a NUL byte. */
bool sasl_is_message(struct str s);
void sasl_put_nonce(struct buf *b); /* SASL_NONCE characters from the kernel */
void sasl_put_base64(struct buf *b, struct str bytes);
/* 1 to max bytes in base64, strictly; a key, which has SCRAM_KEY. */
bool sasl_get_base64(struct str text, size_t max, unsigned char *ret, size_t *ret_n);
bool sasl_get_key(struct str text, unsigned char ret[SCRAM_KEY]);

/* The channel binding as the client's final message says it: the GS2 header and the data. */
void sasl_put_binding(struct buf *b, struct str gs2_header, struct str data);

/* SASL_BAD with a sentence. */
enum sasl_status sasl_bad(struct err *e, const char *why);

#endif
