#include "kinds/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool zone_exists(const char *name)
{
	char path[120];
	struct stat st;

	if (!isalpha((unsigned char)*name) || strstr(name, ".."))
		return false;
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("/_+-", *c))
			return false;
	if (snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name) >= (int)sizeof(path))
		return false;
	if (stat(path, &st) == 0)
		return S_ISREG(st.st_mode);
	return !strcmp(name, "UTC"); /* also where there is no tzdata */
}
