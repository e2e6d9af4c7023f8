/* A stream of messages, or a first packet: what is read is written as the same bytes, each part of
 * it asks for more, and no reader of bodies leaves its body. */
#include "base/arena.h"
#include "codec/pgwire.h"
#include "fuzz.h"

enum { BODY_MAX = 1 << 16 };

static bool is_within(struct str part, struct str whole)
{
	return !part.p || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void body_read(struct str body)
{
	struct str a = {0}, b = {0}, c = {0};
	uint16_t columns;
	char kind;

	for (int f = 0; f < 256; f++)
		assert(is_within(pgw_field(body, (char)f), body));
	if (pgw_row(body, &columns, &a))
		while (pgw_row_next(&a, &b))
			assert(is_within(a, body) && is_within(b, body));
	if (pgw_parse_read(body, &a, &b, &c)) {
		CLEANUP(buf_done) struct buf again = {0};

		pgw_put_parse(&again, a, b, c);
		assert(str_eq((struct str){again.p + PGW_HEAD, again.n - PGW_HEAD}, body));
	}
	if (pgw_bind_read(body, &a, &b, &c))
		assert(is_within(a, body) && is_within(b, body) && is_within(c, body));
	if (pgw_target_read(body, &kind, &a))
		assert(a.n + 2 == body.n);
}

/* Cut at a place that the bytes choose, copied so that a look behind the cut is seen. */
static enum pgw_status cut_read(struct str whole, size_t n, bool is_start)
{
	CLEANUP(mem_drop) char *copy = mem_alloc(n + !n);
	struct pgw_start start;
	struct pgw_msg msg;
	const char *why;
	size_t used;

	memcpy(copy, whole.p, n);
	return is_start ? pgw_start_next((struct str){copy, n}, &start, &used, &why)
			: pgw_next((struct str){copy, n}, BODY_MAX, &msg, &used);
}

static void start_read(struct str in)
{
	CLEANUP(buf_done) struct buf again = {0};
	const char *why = NULL;
	struct pgw_start s;
	size_t used = 0;
	enum pgw_status status = pgw_start_next(in, &s, &used, &why);

	assert((status == PGW_BAD) == (why != NULL));
	if (status != PGW_MSG)
		return;
	assert(used >= 8 && used <= in.n && used <= PGW_START_MAX + 4);
	for (size_t n = 0; n < used; n += 1 + used / 16)
		assert(cut_read(in, n, true) == PGW_MORE);
	switch (s.kind) {
	case PGW_START_SSL:
		pgw_put_ssl_request(&again);
		break;
	case PGW_START_GSS:
		return;
	case PGW_START_CANCEL:
		pgw_put_cancel(&again, s.pid, s.key);
		break;
	case PGW_START_SESSION:
		assert(pgw_param(s.params, "user").n);
		pgw_put_negotiate(&again, 2, s.params);
		buf_clear(&again);
		pgw_put_start(&again, s.version, s.params);
		break;
	}
	assert(str_eq(buf_view(&again), (struct str){in.p, used}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = {(const char *)data, n};
	struct pgw_msg m;
	size_t used;

	start_read(in);
	while (pgw_next(in, BODY_MAX, &m, &used) == PGW_MSG) {
		CLEANUP(buf_done) struct buf again = {0};

		pgw_put(&again, m.type, m.body);
		assert(str_eq(buf_view(&again), (struct str){in.p, used}));
		for (size_t k = 0; k < used; k += 1 + used / 16)
			assert(cut_read(in, k, false) == PGW_MORE);
		body_read(m.body);
		in = (struct str){in.p + used, in.n - used};
	}
	return 0;
}
