/* A fuzzer without libFuzzer: runs each file of the folders it is given, and says how many. */
#include <dirent.h>
#include <stdio.h>

#include "base/file.h"
#include "fuzz.h"

enum { CORPUS_FILE_MAX = 16 << 20 };

static int folder_run(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	if (!d) {
		perror(path);
		return 0;
	}
	for (struct dirent *de; (de = readdir(d));) {
		struct arena a = {0};
		struct str bytes;
		struct err e;

		if (de->d_name[0] != '.' &&
		    !file_read(
			    &a, arena_printf(&a, "%s/%s", path, de->d_name), CORPUS_FILE_MAX,
			    &bytes, &e)) {
			LLVMFuzzerTestOneInput((const uint8_t *)bytes.p, bytes.n);
			n++;
		}
		arena_done(&a);
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		n += folder_run(argv[i]);
	printf("%d inputs\n", n);
	return n > 0 ? 0 : 1;
}
