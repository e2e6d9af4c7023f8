/*
 * Bodies: what a request carries, as a JSON value, and the options in its query.
 */
#ifndef SLIPWAY_API_BODY_H
#define SLIPWAY_API_BODY_H

#include "api/call.h"

enum { BODY_MAX = 3 << 19 /* 1.5 MiB */, MANAGER_MAX = 128 };

/* 413 where the body is larger than BODY_MAX, else NULL. */
json_t *body_check_size(struct call *c);

/* JSON or YAML by Content-Type: 415 for another one, 400 for a broken text. An empty body is
 * ERR-free NULL in *ret where may_be_empty. The value is the caller's. */
json_t *body_read(struct call *c, bool may_be_empty, json_t **ret);

/* The same whatever the Content-Type says: YAML, which JSON is too. */
json_t *body_read_yaml(struct call *c, json_t **ret);

enum validation { VALIDATION_WARN, VALIDATION_STRICT, VALIDATION_IGNORE };

struct options {
	bool is_dry; /* dryRun=All */
	enum validation validation;
	const char *manager; /* fieldManager, or the program that asks */
	bool has_manager; /* it was given */
	bool is_forced; /* force=true */
};

/* name: whose options ("CreateOptions"), for messages. 422 for a value that there is not. */
json_t *options_read(struct call *c, const char *name, struct options *ret);

#endif
