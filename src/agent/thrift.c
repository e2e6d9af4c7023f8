#include "agent/thrift.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/file.h"

enum { SMAPS_MAX = 4 << 20 };

/* One mapping of /proc/self/smaps (proc(5)). */
struct area {
	unsigned long begin, end;
	bool is_file; /* read-only, private, of a file */
};

static bool area_read(struct str line, struct area *ret)
{
	char head[512], mode[5], path[256] = "";

	snprintf(head, sizeof(head), STR_FMT, (int)MIN(line.n, sizeof(head) - 1), line.p);
	if (sscanf(head, "%lx-%lx %4s %*s %*s %*s %255s", &ret->begin, &ret->end, mode, path) < 3)
		return false;
	ret->is_file = path[0] == '/' && mode[1] == '-' && mode[3] == 'p';
	return true;
}

/* What was written to before it became read-only (relocations) is nowhere else: only an area that
 * is still as its file is can be given back. */
static bool is_dirty(struct str line)
{
	return (str_starts(line, "Private_Dirty:") || str_starts(line, "Shared_Dirty:") ||
		str_starts(line, "Anonymous:") || str_starts(line, "Swap:")) &&
		!str_ends(str_trim(line), " 0 kB");
}

void thrift_trim(void)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct area at = {0};
	struct str rest, line;

	malloc_trim(0);
	if (file_read(&a, "/proc/self/smaps", SMAPS_MAX, &rest, NULL))
		return;
	while (str_split(&rest, '\n', &line)) {
		struct area next = {0};

		if (area_read(line, &next))
			at = next;
		else if (is_dirty(line))
			at.is_file = false;
		else if (str_starts(line, "VmFlags:") && at.is_file)
			madvise((void *)at.begin, at.end - at.begin, MADV_DONTNEED);
	}
}
