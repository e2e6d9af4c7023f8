/*
 * A fingerprint of a JSON value that costs no text and no memory: 64 bits, equal for equal values
 * whatever the order of their keys. For noticing change, not against an enemy. Pure.
 */
#ifndef SLIPWAY_API_HASH_H
#define SLIPWAY_API_HASH_H

#include "codec/jv.h"

uint64_t hash_value(const json_t *v); /* never 0; NULL and null hash alike */

/* Of bytes, eight at a time, upon an earlier hash; never 0. */
uint64_t hash_bytes(uint64_t seed, struct str bytes);

#endif
