#include "base/boot.h"

#include "base/clock.h"
#include "base/file.h"

enum { TEXT_MAX = 32 };

enum err_code boot_next(const char *data, int64_t *ret, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *path = arena_printf(&a, "%s/boot", data);
	int64_t before = 0, boot;
	struct str text;
	enum err_code code;

	if (!file_read(&a, path, TEXT_MAX, &text, NULL))
		str_to_i64(str_trim(text), &before);
	boot = MAX(before + 1, clock_wall_us());
	code = file_write(path, 0600, str_of(arena_printf(&a, "%lld\n", (long long)boot)), e);
	if (!code)
		*ret = boot;
	return code;
}
