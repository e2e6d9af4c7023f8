#include "kinds/zone.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "codec/tz.h"

enum { PATH_BYTES = 120 };

static bool path_make(const char *name, char ret[PATH_BYTES])
{
	if (!tz_name_is_ok(name))
		return false;
	return snprintf(ret, PATH_BYTES, "/usr/share/zoneinfo/%s", name) < PATH_BYTES;
}

bool zone_exists(const char *name)
{
	char path[PATH_BYTES];
	struct stat st;

	if (!path_make(name, path))
		return false;
	if (stat(path, &st) == 0)
		return S_ISREG(st.st_mode);
	return !strcmp(name, "UTC"); /* also where there is no tzdata */
}

enum err_code zone_read(struct arena *a, const char *name, struct str *ret, struct err *e)
{
	char path[PATH_BYTES];
	enum err_code code;

	if (!zone_exists(name) || !path_make(name, path))
		return err_set(e, ERR_NOT_FOUND, "this machine knows no time zone '%.64s'", name);
	code = file_read(a, path, TZ_FILE_MAX, ret, e);
	if (code != ERR_NOT_FOUND)
		return code;
	*ret = STR("");
	return ERR_OK;
}
