/* What the tests of codecs share: values written as text with single quotes. */
#ifndef SLIPWAY_TEST_CODEC_H
#define SLIPWAY_TEST_CODEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/jv.h"

/* "{'a': 1}" as a value; ' stands for ". */
static inline json_t *value_of(const char *text)
{
	CLEANUP(mem_drop) char *copy = mem_strdup(text);
	json_t *ret = NULL;
	struct err e = {0};

	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	if (jv_parse(str_of(copy), SIZE_MAX, &ret, &e))
		fail_msg("%s: %s", e.text, copy);
	return ret;
}

/* Drops v and compares its compact text, ' standing for ". */
static inline void assert_value(json_t *v, const char *want)
{
	CLEANUP(jv_drop) json_t *wanted = value_of(want);
	struct arena a = {0};

	assert_non_null(v);
	assert_string_equal(jv_text_sorted(&a, v).p, jv_text_sorted(&a, wanted).p);
	arena_done(&a);
	json_decref(v);
}

#endif
