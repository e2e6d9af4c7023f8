/*
 * Pair: a certificate and its key as two files of a folder, NAME.crt and NAME.key, of which another
 * pair takes the place so that a kill at any moment leaves two that belong together.
 *
 * Blocking. Fault point: "pair.rename".
 */
#ifndef SLIPWAY_NET_PAIR_H
#define SLIPWAY_NET_PAIR_H

#include "base/err.h"

bool pair_fits(const char *cert_pem, const char *key_pem);

/* ERR_INVALID: they do not belong together; nothing has changed. */
enum err_code pair_replace(
	const char *folder, const char *name, const char *cert_pem, const char *key_pem,
	struct err *e);

/* Goes on where a pair_replace was cut short. Before the files are read at start. */
enum err_code pair_repair(const char *folder, const char *name, struct err *e);

#endif
