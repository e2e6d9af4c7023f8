#include "app/trim.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct mapping {
	unsigned long from, to;
	bool is_clean_file; /* of a file, private, and not to be written */
};

/* "55d0-55d8 r-xp 00000000 fe:01 1234   /usr/lib/libx.so"; false: another line of smaps. */
static bool mapping_read(const char *line, struct mapping *ret)
{
	unsigned long from, to, inode;
	char mode[5];

	if (sscanf(line, "%lx-%lx %4s %*x %*s %lu", &from, &to, mode, &inode) != 4)
		return false;
	*ret = (struct mapping){
		.from = from,
		.to = to,
		.is_clean_file = inode && mode[0] == 'r' && mode[1] == '-' && mode[3] == 'p',
	};
	return true;
}

/* Pages that were written once (relocated, and read-only since then) are the process's own: a
 * mapping with any of them stays whole. */
static void mapping_drop(const struct mapping *m, const char *line)
{
	unsigned long kb;

	if (sscanf(line, "Anonymous: %lu", &kb) == 1 && kb == 0 && m->is_clean_file)
		madvise((void *)m->from, m->to - m->from, MADV_DONTNEED);
}

void trim(void)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	struct mapping m = {0};
	char line[512];

	malloc_trim(0);
	while (f && fgets(line, sizeof(line), f))
		if (!mapping_read(line, &m))
			mapping_drop(&m, line);
	if (f)
		fclose(f);
}
