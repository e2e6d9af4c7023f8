#include "cli/values.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

int cli_fail(const struct err *e)
{
	fprintf(stderr, "slipway: %s\n", e->text);
	return 1;
}

int cli_print(const struct buf *out)
{
	struct err e;

	if (fd_write_all(STDOUT_FILENO, out->p, out->n) == 0)
		return 0;
	err_os(&e, "write to standard output");
	return cli_fail(&e);
}
