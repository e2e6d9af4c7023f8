/* Addresses as people write them: "127.0.0.1:6443", "[::1]:0", and where to be reached from there.
 */
#ifndef SLIPWAY_APP_ADDRESS_H
#define SLIPWAY_APP_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct address {
	const char *host; /* an IP address */
	uint16_t port;
};

/* An IP address and a port. */
enum err_code address_parse(struct arena *a, const char *text, struct address *ret, struct err *e);

bool address_is_ip(const char *text);
bool address_is_any(const char *host); /* 0.0.0.0 or :: */

/* "https://127.0.0.1:6443", with brackets around IPv6. */
const char *address_url(struct arena *a, const char *host, uint16_t port);

/* ERR_CONFLICT: another program listens there; ERR_INVALID: it is no address of this machine.
 * *ret_port is the port, for port 0 a free one. */
enum err_code address_is_free(const struct address *at, uint16_t *ret_port, struct err *e);

/* The address that this machine has on its way to url's host, as text. */
enum err_code address_towards(struct arena *a, const char *url, const char **ret, struct err *e);

#endif
