/* Whatever comes: no path leads out, no file gets more or fewer bytes than it said, and cutting the
 * stream elsewhere changes nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/untar.h"
#include "base/arena.h"
#include "fuzz.h"

struct sink {
	struct buf out;
	uint64_t left;
};

static void path_check(const char *path)
{
	assert(path[0] && path[0] != '/' && strlen(path) < UNTAR_PATH);
	assert(strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0);
	assert(!strstr(path, "/../") && !strstr(path, "//"));
	assert(!str_ends(str_of(path), "/..") && !str_ends(str_of(path), "/"));
}

static enum err_code on_folder(void *arg, const char *path, struct err *e)
{
	struct sink *s = arg;

	path_check(path);
	buf_printf(&s->out, "[%s]", path);
	return ERR_OK;
}

static enum err_code on_file(void *arg, const char *path, uint64_t bytes, struct err *e)
{
	struct sink *s = arg;

	path_check(path);
	assert(s->left == 0);
	s->left = bytes;
	buf_printf(&s->out, "%s %llu:", path, (unsigned long long)bytes);
	return ERR_OK;
}

static enum err_code on_data(void *arg, struct str bytes, struct err *e)
{
	struct sink *s = arg;

	assert(bytes.n && bytes.n <= s->left);
	s->left -= bytes.n;
	buf_str(&s->out, bytes);
	return ERR_OK;
}

static enum err_code on_file_end(void *arg, struct err *e)
{
	struct sink *s = arg;

	assert(s->left == 0);
	buf_puts(&s->out, ";");
	return ERR_OK;
}

static const struct untar_ops ops = {
	.folder = on_folder, .file = on_file, .data = on_data, .file_end = on_file_end};

/* A fuzzer does not find checksums: each block is given the one that it would need as a header. */
static void checksums_fix(char *p, size_t n)
{
	for (; n >= UNTAR_BLOCK; p += UNTAR_BLOCK, n -= UNTAR_BLOCK) {
		unsigned sum = 0;

		if (!p[0])
			continue;
		memset(p + 148, ' ', 8);
		for (size_t i = 0; i < UNTAR_BLOCK; i++)
			sum += (unsigned char)p[i];
		snprintf(p + 148, 8, "%06o", sum);
	}
}

static enum err_code run(struct str in, size_t piece, struct sink *s)
{
	enum err_code code = ERR_OK;
	struct untar u;
	struct err e;

	untar_init(&u, &ops, s);
	while (!code && in.n) {
		struct str part = {in.p, MIN(piece, in.n)};

		code = untar_feed(&u, part, &e);
		in.p += part.n;
		in.n -= part.n;
	}
	return code ? code : untar_end(&u, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(mem_drop) char *copy = mem_alloc(n + 1);
	struct sink whole = {0}, cut = {0};
	enum err_code one, two;

	if (n)
		memcpy(copy, data, n);
	checksums_fix(copy, n);
	one = run((struct str){copy, n}, n + 1, &whole);
	two = run((struct str){copy, n}, n ? 1 + (size_t)data[0] : 1, &cut);
	assert(one == two && str_eq(buf_view(&whole.out), buf_view(&cut.out)));
	buf_done(&whole.out);
	buf_done(&cut.out);
	return 0;
}
