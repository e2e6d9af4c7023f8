#include "agent/untar.h"

#include <stdio.h>
#include <string.h>

/* Fields of a ustar header: POSIX.1-2017, pax, "ustar Interchange Format". */
enum {
	AT_NAME = 0,
	AT_SIZE = 124,
	AT_CHECKSUM = 148,
	AT_TYPE = 156,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
	NAME_BYTES = 100,
	SIZE_BYTES = 12,
	CHECKSUM_BYTES = 8,
	PREFIX_BYTES = 155,
};

void untar_init(struct untar *u, const struct untar_ops *ops, void *arg)
{
	*u = (struct untar){.ops = ops, .arg = arg};
}

/* Octal digits, or (for sizes of 8 GiB and more) big-endian bytes behind one of 0x80. */
static bool number_read(const unsigned char *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		if (p[0] != 0x80)
			return false;
		for (i = 1; i < n; i++) {
			if (v >> 55)
				return false;
			v = v << 8 | p[i];
		}
		*ret = v;
		return true;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != '\0')
			return false;
	*ret = v;
	return true;
}

static bool is_checksum_right(const unsigned char *head)
{
	uint64_t want, sum = 0;

	for (size_t i = 0; i < UNTAR_BLOCK; i++)
		sum += i >= AT_CHECKSUM && i < AT_CHECKSUM + CHECKSUM_BYTES ? ' ' : head[i];
	return number_read(head + AT_CHECKSUM, CHECKSUM_BYTES, &want) && want == sum;
}

static bool is_zero(const unsigned char *head)
{
	for (size_t i = 0; i < UNTAR_BLOCK; i++)
		if (head[i])
			return false;
	return true;
}

/* Without the slash that a folder's name ends in, and a "./" that PostgreSQL before 16 writes
 * before the folders of pg_wal. */
static void path_read(const unsigned char *head, char ret[UNTAR_PATH])
{
	int prefix_n = (int)strnlen((const char *)head + AT_PREFIX, PREFIX_BYTES);
	int name_n = (int)strnlen((const char *)head + AT_NAME, NAME_BYTES);
	size_t n;

	/* before a magic of "ustar" there is no prefix */
	if (memcmp(head + AT_MAGIC, "ustar", 5) != 0)
		prefix_n = 0;
	snprintf(
		ret, UNTAR_PATH, "%.*s%s%.*s", prefix_n, head + AT_PREFIX, prefix_n ? "/" : "",
		name_n, head + AT_NAME);
	n = strlen(ret);
	if (n > 1 && ret[n - 1] == '/')
		ret[n - 1] = '\0';
	if (n > 2 && strncmp(ret, "./", 2) == 0)
		memmove(ret, ret + 2, n - 1);
}

static bool is_safe(const char *path)
{
	struct str rest = str_of(path), part;

	if (!rest.n)
		return false;
	while (str_split(&rest, '/', &part))
		if (!part.n || str_is(part, ".") || str_is(part, ".."))
			return false;
	return true;
}

static enum err_code file_begin(struct untar *u, const char *path, uint64_t bytes, struct err *e)
{
	enum err_code code = u->ops->file(u->arg, path, bytes, e);

	if (code)
		return code;
	u->left = bytes;
	u->padding = (UNTAR_BLOCK - bytes % UNTAR_BLOCK) % UNTAR_BLOCK;
	u->is_in_file = true;
	return ERR_OK;
}

static enum err_code head_take(struct untar *u, struct err *e)
{
	char path[UNTAR_PATH];
	uint64_t bytes;

	if (is_zero(u->head)) {
		u->is_over = true;
		return ERR_OK;
	}
	if (!is_checksum_right(u->head))
		return err_set(e, ERR_INVALID, "tar: a header has a wrong checksum");
	path_read(u->head, path);
	/* the folder itself may stand in it */
	if (u->head[AT_TYPE] == '5' && strcmp(path, ".") == 0)
		return ERR_OK;
	if (!is_safe(path))
		return err_set(e, ERR_INVALID, "tar: '%s' leads out of the folder", path);
	if (!number_read(u->head + AT_SIZE, SIZE_BYTES, &bytes))
		return err_set(e, ERR_INVALID, "tar: '%s' has no size", path);
	switch (u->head[AT_TYPE]) {
	case '0':
	case '\0':
		return file_begin(u, path, bytes, e);
	case '5':
		return u->ops->folder(u->arg, path, e);
	default:
		return err_set(
			e, ERR_INVALID, "tar: '%s' is of type %d, which is not known here", path,
			u->head[AT_TYPE]);
	}
}

static struct str cut(struct str *from, uint64_t most)
{
	struct str part = {from->p, (size_t)MIN(most, (uint64_t)from->n)};

	from->p += part.n;
	from->n -= part.n;
	return part;
}

static enum err_code head_feed(struct untar *u, struct str *bytes, struct err *e)
{
	struct str part = cut(bytes, UNTAR_BLOCK - u->head_n);

	memcpy(u->head + u->head_n, part.p, part.n);
	u->head_n += part.n;
	if (u->head_n < UNTAR_BLOCK)
		return ERR_OK;
	u->head_n = 0;
	return head_take(u, e);
}

static enum err_code data_feed(struct untar *u, struct str *bytes, struct err *e)
{
	struct str part = cut(bytes, u->left);

	u->left -= part.n;
	return part.n ? u->ops->data(u->arg, part, e) : ERR_OK;
}

enum err_code untar_feed(struct untar *u, struct str bytes, struct err *e)
{
	enum err_code code = ERR_OK;

	while (!code && !u->is_over) {
		if (u->is_in_file && u->left == 0) { /* an empty file ends without more bytes */
			u->is_in_file = false;
			code = u->ops->file_end(u->arg, e);
		} else if (!bytes.n) {
			break;
		} else if (u->is_in_file) {
			code = data_feed(u, &bytes, e);
		} else if (u->padding) {
			u->padding -= cut(&bytes, u->padding).n;
		} else {
			code = head_feed(u, &bytes, e);
		}
	}
	return code;
}

enum err_code untar_end(const struct untar *u, struct err *e)
{
	if (!u->is_over && (u->is_in_file || u->padding || u->head_n))
		return err_set(e, ERR_INVALID, "tar: it ends in the middle of a file");
	return ERR_OK;
}
