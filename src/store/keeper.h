/*
 * The keeper: one thread for what has to be done now and then: writing pulses, closing idle
 * sessions, compacting change_log, sweeping away rows that nobody needs any longer.
 */
#ifndef SLIPWAY_STORE_KEEPER_H
#define SLIPWAY_STORE_KEEPER_H

#include "store/store.h"

struct keeper;

struct keeper *keeper_new(struct store *s);
void keeper_free(struct keeper *k); /* writes the last pulses */

#endif
