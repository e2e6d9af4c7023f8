/* What base/opt promises: tables in, values or one clear sentence out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/opt.h"

struct values {
	bool is_all;
	bool is_watch;
	const char *ns;
	const char *output;
	int64_t port;
	struct opt_strs files;
};

static const struct opt get_opts[] = {
	{"all", 'A', OPT_FLAG, offsetof(struct values, is_all), NULL, "Everywhere."},
	{"watch", 'w', OPT_FLAG, offsetof(struct values, is_watch), NULL, "Go on."},
	{"namespace", 'n', OPT_STR, offsetof(struct values, ns), "NAMESPACE", "Where it's."},
	{"output", 'o', OPT_STR, offsetof(struct values, output), "table|json", "The form."},
	{"port", 0, OPT_INT, offsetof(struct values, port), "PORT", "A port.", 1, 65535},
	{"file", 'f', OPT_STRS, offsetof(struct values, files), "FILE", "A file."},
	{NULL},
};

static void get_defaults(void *values)
{
	((struct values *)values)->ns = "default";
}

static const struct opt_verb verbs[] = {
	{
		.name = "get",
		.args = "KIND [NAME]",
		.help = "Show things.",
		.examples = "slipway get databases",
		.exits = "0  fine\n1  error\n2  a|b",
		.opts = get_opts,
		.args_min = 1,
		.args_max = 2,
		.values_bytes = sizeof(struct values),
		.defaults = get_defaults,
	},
	{.name = "secrets show", .args = "DATABASE", .help = "Show one.", .args_max = 1},
	{.name = "secrets rotate", .args = "DATABASE", .help = "Change one.", .args_max = 1},
	{NULL},
};

static struct values got;
static char *args[OPT_ARGS_MAX];
static size_t n_args;
static struct err e;

static enum err_code parse(const char *const *words)
{
	int argc = 0;

	while (words[argc])
		argc++;
	return opt_parse(&verbs[0], argc, (char **)(uintptr_t)words, &got, args, &n_args, &e);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})
#define assert_error(text_, ...)                                                                   \
	do {                                                                                       \
		assert_int_not_equal(PARSE(__VA_ARGS__), ERR_OK);                                  \
		assert_string_equal(e.text, text_);                                                \
	} while (0)

static void all_forms_of_an_option_are_read(void **state)
{
	static const char *const forms[][4] = {
		{"-n", "x", "pods"},       {"-nx", "pods"},
		{"-n=x", "pods"},          {"--namespace", "x", "pods"},
		{"--namespace=x", "pods"}, {"pods", "-n", "x"},
		{"pods", "-Anx"},
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		assert_int_equal(parse(forms[i]), ERR_OK);
		assert_string_equal(got.ns, "x");
		assert_int_equal(n_args, 1);
		assert_string_equal(args[0], "pods");
	}
}

static void flags_stand_together(void **state)
{
	assert_int_equal(PARSE("-Aw", "pods"), ERR_OK);
	assert_true(got.is_all && got.is_watch);
	assert_string_equal(got.ns, "default");
}

static void an_option_can_be_given_many_times(void **state)
{
	assert_int_equal(PARSE("-f", "a", "--file=b", "pods", "-fc"), ERR_OK);
	assert_int_equal(got.files.n, 3);
	assert_string_equal(got.files.v[2], "c");
}

static void two_dashes_end_the_options(void **state)
{
	assert_int_equal(PARSE("pods", "--", "-n"), ERR_OK);
	assert_string_equal(args[1], "-n");
	assert_string_equal(got.ns, "default");
}

static void a_dash_alone_is_an_argument(void **state)
{
	assert_int_equal(PARSE("-f", "-", "-"), ERR_OK);
	assert_string_equal(got.files.v[0], "-");
	assert_string_equal(args[0], "-");
}

static void an_empty_value_is_a_value(void **state)
{
	assert_int_equal(PARSE("--namespace=", "pods"), ERR_OK);
	assert_string_equal(got.ns, "");
}

static void what_is_wrong_is_named(void **state)
{
	assert_error(
		"slipway get has no option '--nope': see 'slipway get --help'", "pods", "--nope");
	assert_error("slipway get has no option '-Ax': see 'slipway get --help'", "pods", "-Ax");
	assert_error("--namespace wants a value: --namespace NAMESPACE", "pods", "-n");
	assert_error("--all takes no value", "pods", "--all=yes");
	assert_error("--output wants one of table|json, not 'xml'", "pods", "-oxml");
	assert_error("--port wants a whole number, not '1x'", "pods", "--port", "1x");
	assert_error("--port wants a number from 1 to 65535, not 0", "pods", "--port", "0");
	assert_error("slipway get wants KIND [NAME]: see 'slipway get --help'", "-A");
	assert_error("'c' is one argument too many: see 'slipway get --help'", "a", "b", "c");
}

static void too_many_of_one_option_are_refused(void **state)
{
	const char *words[2 * OPT_STRS_MAX + 4] = {"pods"};

	for (int i = 0; i <= OPT_STRS_MAX; i++) {
		words[1 + 2 * i] = "-f";
		words[2 + 2 * i] = "x";
	}
	assert_int_equal(parse(words), ERR_LIMIT);
}

static void the_longest_verb_wins(void **state)
{
	char *two[] = {(char[]){"secrets"}, (char[]){"rotate"}, (char[]){"x"}};
	int words = -1;

	assert_ptr_equal(opt_find(verbs, 3, two, &words), &verbs[2]);
	assert_int_equal(words, 2);
	assert_null(opt_find(verbs, 1, two, &words));
	assert_null(opt_find(verbs, 0, NULL, &words));
}

static void help_is_asked_for_before_two_dashes_only(void **state)
{
	char *yes[] = {(char[]){"a"}, (char[]){"-h"}}, *no[] = {(char[]){"--"}, (char[]){"--help"}};

	assert_true(opt_wants_help(2, yes));
	assert_false(opt_wants_help(2, no));
}

static void help_says_all_of_the_table(void **state)
{
	CLEANUP(buf_done) struct buf out = {0};

	opt_help(&out, &verbs[0]);
	assert_string_equal(
		out.p,
		"Show things.\n"
		"\n"
		"Usage:\n"
		"  slipway get [options] KIND [NAME]\n"
		"\n"
		"Options:\n"
		"  -A, --all                  Everywhere.\n"
		"  -w, --watch                Go on.\n"
		"  -n, --namespace NAMESPACE  Where it's.\n"
		"  -o, --output table|json    The form.\n"
		"  --port PORT                A port.\n"
		"  -f, --file FILE            A file.\n"
		"  -h, --help                 Say this.\n"
		"\n"
		"Examples:\n"
		"  slipway get databases\n"
		"\n"
		"Exit codes:\n"
		"  0  fine\n"
		"  1  error\n"
		"  2  a|b\n");
}

static void the_reference_escapes_tables(void **state)
{
	CLEANUP(buf_done) struct buf out = {0};

	opt_reference(&out, verbs);
	assert_non_null(strstr(out.p, "| `-o, --output table\\|json` | The form. |\n"));
	assert_non_null(strstr(out.p, "Exit codes: `0` fine, `1` error, `2` a|b.\n"));
	assert_non_null(strstr(out.p, "## slipway secrets rotate\n"));
}

static void completion_knows_its_shells(void **state)
{
	CLEANUP(buf_done) struct buf out = {0};

	assert_int_equal(opt_completion(&out, verbs, "tcsh", &e), ERR_INVALID);
	assert_string_equal(e.text, "there is no completion for 'tcsh': want bash, zsh or fish");
	assert_int_equal(opt_completion(&out, verbs, "bash", &e), ERR_OK);
	assert_non_null(strstr(out.p, "'get') opts='--all --watch"));
	assert_non_null(strstr(out.p, "'secrets') subs='|show|rotate' ;;"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_of_an_option_are_read),
		cmocka_unit_test(flags_stand_together),
		cmocka_unit_test(an_option_can_be_given_many_times),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(a_dash_alone_is_an_argument),
		cmocka_unit_test(an_empty_value_is_a_value),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(too_many_of_one_option_are_refused),
		cmocka_unit_test(the_longest_verb_wins),
		cmocka_unit_test(help_is_asked_for_before_two_dashes_only),
		cmocka_unit_test(help_says_all_of_the_table),
		cmocka_unit_test(the_reference_escapes_tables),
		cmocka_unit_test(completion_knows_its_shells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
