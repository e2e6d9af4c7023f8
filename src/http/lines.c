#include "http/lines.h"

static bool
give(struct lines *l, struct str line, bool (*each)(void *arg, struct str line), void *arg)
{
	bool ok;

	if (l->part.n) {
		buf_str(&l->part, line);
		line = buf_view(&l->part);
	}
	str_cut_suffix(&line, "\r");
	ok = each(arg, line);
	buf_clear(&l->part);
	return ok;
}

enum lines_end
lines_feed(struct lines *l, struct str bytes, bool (*each)(void *arg, struct str line), void *arg)
{
	const char *end;

	while (bytes.n && (end = memchr(bytes.p, '\n', bytes.n))) {
		struct str line = {bytes.p, (size_t)(end - bytes.p)};

		bytes.p += line.n + 1;
		bytes.n -= line.n + 1;
		if (!give(l, line, each, arg))
			return LINES_STOP;
	}
	if (bytes.n > LINES_MAX_BYTES - l->part.n)
		return LINES_TOO_LONG;
	if (bytes.n)
		buf_str(&l->part, bytes);
	return LINES_MORE;
}

void lines_done(struct lines *l)
{
	buf_done(&l->part);
}
