#include "agent/crc32c.h"

#include <pthread.h>

#define POLYNOMIAL 0x82F63B78U /* reflected */

enum { SLICES = 8 };

static uint32_t table[SLICES][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int s = 1; s < SLICES; s++)
			table[s][i] = table[s - 1][i] >> 8 ^ table[0][table[s - 1][i] & 255];
}

static uint32_t by_table(uint32_t c, struct str in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n = in.n;

	pthread_once(&once, table_make);
	for (; n >= SLICES; p += SLICES, n -= SLICES) {
		c ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			(uint32_t)p[3] << 24;
		c = table[7][c & 255] ^ table[6][c >> 8 & 255] ^ table[5][c >> 16 & 255] ^
			table[4][c >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
			table[0][p[7]];
	}
	for (; n; p++, n--)
		c = c >> 8 ^ table[0][(c ^ *p) & 255];
	return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t c, struct str in)
{
	uint64_t wide = c, eight;
	const char *p = in.p;
	size_t n = in.n;

	for (; n >= sizeof(eight); p += sizeof(eight), n -= sizeof(eight)) {
		memcpy(&eight, p, sizeof(eight));
		wide = __builtin_ia32_crc32di(wide, eight);
	}
	c = (uint32_t)wide;
	for (; n; p++, n--)
		c = __builtin_ia32_crc32qi(c, (unsigned char)*p);
	return c;
}
#endif

uint32_t crc32c(uint32_t so_far, struct str bytes)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(~so_far, bytes);
#endif
	return ~by_table(~so_far, bytes);
}
