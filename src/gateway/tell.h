/*
 * Tell: what a gateway reports of itself to the control plane (ARCHITECTURE.md, "What gateway and
 * control plane say to each other").
 *
 * On the loop's thread; cannot fail.
 */
#ifndef SLIPWAY_GATEWAY_TELL_H
#define SLIPWAY_GATEWAY_TELL_H

#include "codec/jv.h"
#include "gateway/hub.h"

/* A new value. address: where clients connect. source: where its connections to members come from;
 * NULL: the host of address. */
json_t *tell_report(const struct hub *h, const char *address, const char *source);

#endif
