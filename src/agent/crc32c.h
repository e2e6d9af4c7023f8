/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), as PostgreSQL's backup manifests have it. Pure. */
#ifndef SLIPWAY_AGENT_CRC32C_H
#define SLIPWAY_AGENT_CRC32C_H

#include "base/str.h"

/* Start with 0, and go on with what the last call returned. */
uint32_t crc32c(uint32_t so_far, struct str bytes);

#endif
