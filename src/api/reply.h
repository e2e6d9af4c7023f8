/*
 * Answers: values in the form that the caller accepts. Each is given once a call.
 */
#ifndef SLIPWAY_API_REPLY_H
#define SLIPWAY_API_REPLY_H

#include "api/call.h"

/* JSON, or YAML where that was asked for. */
void reply_value(struct call *c, int status, const json_t *value);

/* An object as itself, as a table of one row, or as its metadata. NULL, or the Status of a query
 * that makes no sense. */
json_t *reply_object(struct call *c, int status, const json_t *object);

/* Takes the Status over. */
void reply_status(struct call *c, json_t *status);

void reply_text(struct call *c, int status, const char *content_type, struct str text);

/* Warning: 299 - "text" */
void reply_warn(struct call *c, const char *text);

#endif
