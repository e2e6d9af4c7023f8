/*
 * The platform's certificates in a data folder: the authority (made once), the certificate that
 * `serve` shows, which is renewed after two thirds of its life or when its names change, and that
 * of the gateway beside it.
 */
#ifndef SLIPWAY_APP_PKI_H
#define SLIPWAY_APP_PKI_H

#include "app/folder.h"
#include "net/ca.h"

struct pki {
	struct ca_cert ca, server;
};

/* hosts: the names and addresses that clients call us by; ends in NULL. Texts live in the arena.
 * *ret_is_new: the server certificate was issued by this call. */
enum err_code pki_open(
	struct arena *a, const struct folder *f, const char *const *hosts, struct pki *ret,
	bool *ret_is_new, struct err *e);

/* The certificate of this machine's gateway under the same authority: ca.crt, gateway.crt and
 * gateway.key in the folder at path, which is made. Issued anew after two thirds of its life, or
 * for other names. */
enum err_code pki_gateway(
	struct arena *a, const struct folder *f, const char *path, const char *const *hosts,
	struct err *e);

#endif
