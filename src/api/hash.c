#include "api/hash.h"

/* murmur3's finaliser: each bit of x moves half of the result's. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static uint64_t hash_text(const char *p, size_t n)
{
	return str_hash((struct str){p, n});
}

static uint64_t hash_object(const json_t *v)
{
	uint64_t sum = 7;
	const char *key;
	json_t *one;

	/* addition does not mind the order */
	json_object_foreach ((json_t *)(uintptr_t)v, key, one)
		sum += mix(mix(hash_text(key, strlen(key))) + hash_value(one));
	return sum;
}

static uint64_t hash_array(const json_t *v)
{
	uint64_t sum = 11;
	json_t *one;
	size_t i;

	json_array_foreach (v, i, one)
		sum = mix(sum + hash_value(one));
	return sum;
}

uint64_t hash_value(const json_t *v)
{
	uint64_t h = 0;
	double real;

	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_OBJECT:
		h = hash_object(v);
		break;
	case JSON_ARRAY:
		h = hash_array(v);
		break;
	case JSON_STRING:
		h = hash_text(json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		h = (uint64_t)json_integer_value(v) * 3 + 1;
		break;
	case JSON_REAL:
		real = json_real_value(v);
		memcpy(&h, &real, sizeof(h));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		h = json_is_true(v) ? 101 : 102;
		break;
	case JSON_NULL:
		h = 103;
		break;
	}
	h = mix(h + (v ? (uint64_t)json_typeof(v) << 57 : (uint64_t)JSON_NULL << 57));
	return h ? h : 1;
}

/* wyhash's step: both halves of the product. */
static uint64_t fold(uint64_t x)
{
	__extension__ unsigned __int128 r = (unsigned __int128)(x ^ UINT64_C(0xa0761d6478bd642f)) *
		UINT64_C(0xe7037ed1a0b428db);

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

uint64_t hash_bytes(uint64_t seed, struct str bytes)
{
	uint64_t h = mix(seed + bytes.n), word = 0;
	size_t i = 0;

	for (; bytes.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, bytes.p + i, sizeof(word));
		h = fold(h ^ word);
	}
	word = 0;
	memcpy(&word, bytes.p + i, bytes.n - i);
	h = mix(fold(h ^ word));
	return h ? h : 1;
}
