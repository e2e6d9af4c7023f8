/* Array parameters in the binary format that array_recv reads: far cheaper than quoting text. */
#include <arpa/inet.h>
#include <endian.h>

#include "db/db.h"

/* dimensions, has nulls, element type, length and lower bound of the only dimension */
enum { AT_LENGTH = 12, HEADER = 20 };

static void put_u32(struct buf *b, uint32_t v)
{
	v = htonl(v);
	buf_add(b, &v, sizeof(v));
}

void db_array_init(struct db_array *a, enum db_type type)
{
	a->n = 0;
	buf_clear(&a->bytes);
	put_u32(&a->bytes, 1);
	put_u32(&a->bytes, 1);
	put_u32(&a->bytes, type);
	put_u32(&a->bytes, 0);
	put_u32(&a->bytes, 1);
}

void db_array_text(struct db_array *a, struct str s)
{
	put_u32(&a->bytes, s.p ? (uint32_t)s.n : UINT32_MAX);
	if (s.p)
		buf_str(&a->bytes, s);
	a->n++;
}

void db_array_i64(struct db_array *a, int64_t v)
{
	uint64_t be = htobe64((uint64_t)v);

	put_u32(&a->bytes, sizeof(be));
	buf_add(&a->bytes, &be, sizeof(be));
	a->n++;
}

struct str db_array_view(struct db_array *a)
{
	uint32_t n = htonl(a->n);

	assert(a->bytes.n >= HEADER);
	memcpy(a->bytes.p + AT_LENGTH, &n, sizeof(n));
	return buf_view(&a->bytes);
}

void db_array_done(struct db_array *a)
{
	buf_done(&a->bytes);
}
