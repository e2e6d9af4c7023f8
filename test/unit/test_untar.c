/* What agent/untar and agent/manifest promise: whole files, nothing outside of the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/crc32c.h"
#include "agent/manifest.h"
#include "agent/untar.h"
#include "base/secret.h"

static enum err_code on_folder(void *arg, const char *path, struct err *e)
{
	buf_printf(arg, "[%s]", path);
	return ERR_OK;
}

static enum err_code on_file(void *arg, const char *path, uint64_t bytes, struct err *e)
{
	buf_printf(arg, "%s(%llu)=", path, (unsigned long long)bytes);
	return ERR_OK;
}

static enum err_code on_data(void *arg, struct str bytes, struct err *e)
{
	buf_str(arg, bytes);
	return ERR_OK;
}

static enum err_code on_file_end(void *arg, struct err *e)
{
	buf_puts(arg, ";");
	return ERR_OK;
}

static const struct untar_ops ops = {
	.folder = on_folder, .file = on_file, .data = on_data, .file_end = on_file_end};

static void tar_add(struct buf *out, const char *path, char type, const char *data)
{
	char head[UNTAR_BLOCK] = {0};
	size_t n = strlen(data);
	unsigned sum = 0;

	snprintf(head, 100, "%s", path);
	snprintf(head + 100, 8, "0000600");
	snprintf(head + 124, 12, "%011o", (unsigned)n);
	memset(head + 148, ' ', 8);
	head[156] = type;
	memcpy(head + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(head); i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	buf_add(out, head, sizeof(head));
	buf_add(out, data, n);
	while (out->n % UNTAR_BLOCK)
		buf_putc(out, '\0');
}

static enum err_code unpack(struct str tar, size_t piece, struct buf *out, struct err *e)
{
	enum err_code code = ERR_OK;
	struct untar u;

	untar_init(&u, &ops, out);
	while (!code && tar.n) {
		struct str part = {tar.p, MIN(piece, tar.n)};

		code = untar_feed(&u, part, e);
		tar.p += part.n;
		tar.n -= part.n;
	}
	return code ? code : untar_end(&u, e);
}

/* The same, wherever the stream is cut. */
static void all_comes_out_however_it_is_cut(void **state)
{
	static const size_t pieces[] = {1, 7, 511, 512, 513, 4096};
	CLEANUP(buf_done) struct buf tar = {0};

	(void)state;
	tar_add(&tar, "./base/", '5', "");
	tar_add(&tar, "base/1", '0', "hello");
	tar_add(&tar, "empty", '0', "");
	tar_add(&tar, "last", '0', "world");
	for (int with_end = 0; with_end < 2; with_end++) {
		for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
			CLEANUP(buf_done) struct buf out = {0};

			assert_int_equal(unpack(buf_view(&tar), pieces[i], &out, NULL), ERR_OK);
			assert_string_equal(
				out.p, "[base]base/1(5)=hello;empty(0)=;last(5)=world;");
		}
		/* from 15 on there are two blocks of zeros behind the last file */
		for (int n = 0; n < 2 * UNTAR_BLOCK; n++)
			buf_putc(&tar, '\0');
	}
}

static void a_stream_that_is_cut_off_is_an_error(void **state)
{
	CLEANUP(buf_done) struct buf tar = {0};

	(void)state;
	tar_add(&tar, "base/1", '0', "hello");
	for (size_t n = 1; n < tar.n; n++) {
		CLEANUP(buf_done) struct buf out = {0};
		struct str part = {tar.p, n};

		assert_int_equal(unpack(part, 100, &out, NULL), ERR_INVALID);
	}
}

static void nothing_leads_out_of_the_folder(void **state)
{
	static const char *const bad[] = {"/etc/passwd", "../a",  "a/../b", "a/..", "..", "a//b",
					  "././a",       "a/./b", ".//a",   "",     "/"};
	static const char types[] = {'1', '2', '3', '4', '6', '7', 'x', 'g', 'L'};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(buf_done) struct buf tar = {0};
		CLEANUP(buf_done) struct buf out = {0};

		tar_add(&tar, bad[i], '0', "x");
		assert_int_equal(unpack(buf_view(&tar), 512, &out, NULL), ERR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP(buf_done) struct buf tar = {0};
		CLEANUP(buf_done) struct buf out = {0};

		tar_add(&tar, "a", types[i], "");
		assert_int_equal(unpack(buf_view(&tar), 512, &out, NULL), ERR_INVALID);
	}
}

static void a_changed_header_is_an_error(void **state)
{
	CLEANUP(buf_done) struct buf tar = {0};
	CLEANUP(buf_done) struct buf out = {0};

	(void)state;
	tar_add(&tar, "a", '0', "x");
	tar.p[0] = 'b';
	assert_int_equal(unpack(buf_view(&tar), 512, &out, NULL), ERR_INVALID);
}

/* RFC 3720, B.4 */
static void crc32c_is_that_of_the_rfc(void **state)
{
	char zeros[32] = {0}, text[1000];
	uint32_t parts = 0;

	(void)state;
	assert_int_equal(crc32c(0, (struct str){zeros, 32}), 0x8A9136AA);
	assert_int_equal(crc32c(0, STR("123456789")), 0xE3069283);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7);
	for (size_t i = 0; i < sizeof(text); i += 10)
		parts = crc32c(parts, (struct str){text + i, 10});
	assert_int_equal(crc32c(0, (struct str){text, sizeof(text)}), parts);
}

static const char *manifest_text(struct arena *a, const char *files)
{
	const char *head = arena_printf(
		a,
		"{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n%s\n],\n"
		"\"WAL-Ranges\": [\n],\n",
		files);

	return arena_printf(
		a, "%s\"Manifest-Checksum\": \"%s\"}\n", head, secret_hash(a, str_of(head)));
}

#define FILE_LINE(path, size, crc)                                                                 \
	"{ \"Path\": \"" path "\", \"Size\": " size                                                \
	", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"" crc "\" }"

static enum err_code check(const char *files, bool is_broken, struct err *e)
{
	CLEANUP(manifest_done) struct manifest m = {0};
	const char *text = manifest_text(&m.arena, files);

	assert_int_equal(manifest_add(&m, "a/1", 9, crc32c(0, STR("123456789")), NULL), ERR_OK);
	assert_int_equal(manifest_add(&m, "a/1", 9, 0, NULL), ERR_EXISTS);
	assert_int_equal(manifest_add(&m, "a/1", 9, crc32c(0, STR("123456789")), NULL), ERR_EXISTS);
	if (is_broken)
		((char *)(uintptr_t)text)[20]++;
	return manifest_check(&m, str_of(text), e);
}

static void what_differs_from_the_manifest_is_named(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(check(FILE_LINE("a/1", "9", "839206e3"), false, &e), ERR_OK);
	assert_int_equal(check(FILE_LINE("a/1", "9", "839206e3"), true, &e), ERR_INVALID);
	assert_int_equal(check(FILE_LINE("a/1", "8", "839206e3"), false, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "'a/1'"));
	assert_int_equal(check(FILE_LINE("a/1", "9", "839206e4"), false, &e), ERR_INVALID);
	assert_int_equal(check(FILE_LINE("a/2", "9", "839206e3"), false, &e), ERR_INVALID);
	assert_string_equal(e.text, "base backup: 'a/2' is missing");
	assert_int_equal(check("", false, &e), ERR_INVALID);
	assert_string_equal(e.text, "base backup: 'a/1' is not in the manifest");
	assert_int_equal(
		check("{ \"Encoded-Path\": \"612f31\", \"Size\": 9, \"Checksum-Algorithm\": "
		      "\"CRC32C\", \"Checksum\": \"839206e3\" }",
		      false, &e),
		ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_comes_out_however_it_is_cut),
		cmocka_unit_test(a_stream_that_is_cut_off_is_an_error),
		cmocka_unit_test(nothing_leads_out_of_the_folder),
		cmocka_unit_test(a_changed_header_is_an_error),
		cmocka_unit_test(crc32c_is_that_of_the_rfc),
		cmocka_unit_test(what_differs_from_the_manifest_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
