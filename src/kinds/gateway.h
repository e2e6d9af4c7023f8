/*
 * Gateway: names and addresses that the API and the controllers must read alike. Pure; any thread.
 */
#ifndef SLIPWAY_KINDS_GATEWAY_H
#define SLIPWAY_KINDS_GATEWAY_H

#include "base/arena.h"

enum { GATEWAY_HOST_MAX = 256 };

/* Takes "host:port" or "[v6]:port" apart; false: it is neither, or its host holds what no host
 * does. */
bool gateway_address(const char *text, char ret_host[GATEWAY_HOST_MAX], int *ret_port);

/* A DNS name or an address, by its characters. */
bool gateway_is_host(const char *text);

/* An IP address in digits. */
bool gateway_is_address(const char *text);

/* The name of its pulse: hosts have theirs under their own names, which hold no slash. */
static inline const char *gateway_pulse_name(struct arena *a, const char *name)
{
	return arena_printf(a, "gateway/%s", name);
}

#endif
