/* The program: one table of all verbs, and those verbs that are about the table itself. */
#include "app/agent_verb.h"
#include "app/gateway_verb.h"
#include "app/serve.h"
#include "app/up.h"
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cli.h"
#include "cli/values.h"

static int version_run(const struct opt_verb *v, const void *values, char **args, size_t n);
static int help_run(const struct opt_verb *v, const void *values, char **args, size_t n);
static int completion_run(const struct opt_verb *v, const void *values, char **args, size_t n);
static int reference_run(const struct opt_verb *v, const void *values, char **args, size_t n);

static const struct opt no_opts[] = {{NULL}};

static const struct opt_verb about[] = {
	{
		.name = "version",
		.help = "Say the version of this program.",
		.args = "",
		.examples = "slipway version",
		.opts = no_opts,
		.run = version_run,
	},
	{
		.name = "help",
		.help = "Say how to use the program, or one verb of it.",
		.args = "[VERB...]",
		.examples = "slipway help\nslipway help credentials rotate",
		.opts = no_opts,
		.args_max = 2,
		.run = help_run,
	},
	{
		.name = "completion",
		.help = "Print a script that completes verbs, options and names in your shell.",
		.args = "bash|zsh|fish",
		.examples =
			"source <(slipway completion bash)      # in ~/.bashrc\n"
			"source <(slipway completion zsh)       # in ~/.zshrc\n"
			"slipway completion fish | source       # in ~/.config/fish/config.fish",
		.opts = no_opts,
		.args_min = 1,
		.args_max = 1,
		.run = completion_run,
	},
	{
		.name = "reference",
		.help = "Print the reference page of the command line, in Markdown.",
		.args = "cli",
		.examples = "slipway reference cli >doc/reference/cli.md",
		.opts = no_opts,
		.args_min = 1,
		.args_max = 1,
		.run = reference_run,
	},
	{NULL},
};

enum { VERBS_MAX = 40 };

static struct opt_verb verbs[VERBS_MAX + 1]; /* filled once, before anything else */

static void verb_add(const struct opt_verb *v)
{
	size_t n = 0;

	while (verbs[n].name)
		n++;
	assert(n < VERBS_MAX);
	verbs[n] = *v;
}

static void verbs_fill(void)
{
	verb_add(&up_verb);
	verb_add(&serve_verb);
	verb_add(&agent_verb);
	verb_add(&gateway_verb);
	for (const struct opt_verb *const *v = cli_verbs; *v; v++)
		verb_add(*v);
	for (const struct opt_verb *v = about; v->name; v++)
		verb_add(v);
}

static int version_run(const struct opt_verb *v, const void *values, char **args, size_t n)
{
	CLEANUP(buf_done) struct buf out = {0};

	buf_puts(&out, "slipway " SLIPWAY_VERSION "\n");
	return cli_print(&out);
}

/* Help for the verbs that begin with this word: a group such as "credentials". */
static bool help_group(struct buf *out, const char *word)
{
	size_t len = strlen(word);
	bool is_found = false;

	for (const struct opt_verb *v = verbs; v->name; v++) {
		if (strncmp(v->name, word, len) != 0 || v->name[len] != ' ')
			continue;
		if (is_found)
			buf_putc(out, '\n');
		opt_help(out, v);
		is_found = true;
	}
	return is_found;
}

static int help_run(const struct opt_verb *v, const void *values, char **args, size_t n)
{
	CLEANUP(buf_done) struct buf out = {0};
	const struct opt_verb *of;
	struct err e;
	int words;

	if (n == 0) {
		opt_help_all(&out, verbs);
		return cli_print(&out);
	}
	of = opt_find(verbs, (int)n, args, &words);
	if (of && words == (int)n) {
		opt_help(&out, of);
		return cli_print(&out);
	}
	if (n == 1 && help_group(&out, args[0]))
		return cli_print(&out);
	err_set(&e, ERR_NOT_FOUND, "there is no verb '%s': see 'slipway help'", args[0]);
	return cli_fail(&e);
}

static int completion_run(const struct opt_verb *v, const void *values, char **args, size_t n)
{
	CLEANUP(buf_done) struct buf out = {0};
	struct err e;

	if (opt_completion(&out, verbs, args[0], &e))
		return cli_fail(&e);
	return cli_print(&out);
}

static int reference_run(const struct opt_verb *v, const void *values, char **args, size_t n)
{
	CLEANUP(buf_done) struct buf out = {0};
	struct err e;

	if (strcmp(args[0], "cli") != 0) {
		err_set(&e, ERR_INVALID, "there is no reference page '%s': want cli", args[0]);
		return cli_fail(&e);
	}
	opt_reference(&out, verbs);
	return cli_print(&out);
}

static int verb_run(const struct opt_verb *v, int argc, char **argv)
{
	CLEANUP(mem_drop) void *values = mem_alloc(MAX(v->values_bytes, (size_t)1));
	char *args[OPT_ARGS_MAX];
	struct err e;
	size_t n;

	if (opt_wants_help(argc, argv)) {
		CLEANUP(buf_done) struct buf out = {0};

		opt_help(&out, v);
		return cli_print(&out);
	}
	if (opt_parse(v, argc, argv, values, args, &n, &e))
		return cli_fail(&e);
	return v->run(v, values, args, n);
}

static int unknown_verb(char *word, bool wants_help)
{
	CLEANUP(buf_done) struct buf out = {0};
	struct err e;

	if (!help_group(&out, word)) {
		err_set(&e, ERR_INVALID, "there is no verb '%s': see 'slipway help'", word);
		return cli_fail(&e);
	}
	if (wants_help)
		return cli_print(&out);
	err_set(&e, ERR_INVALID, "which 'slipway %s'? See 'slipway help %s'", word, word);
	return cli_fail(&e);
}

int main(int argc, char **argv)
{
	const struct opt_verb *v;
	int words;

	verbs_fill();
	argc--;
	argv++;
	v = opt_find(verbs, argc, argv, &words);
	if (v)
		return verb_run(v, argc - words, argv + words);
	if (argc && strcmp(argv[0], "--version") == 0)
		return version_run(NULL, NULL, NULL, 0);
	if (argc && argv[0][0] != '-')
		return unknown_verb(argv[0], opt_wants_help(argc, argv));
	help_run(NULL, NULL, NULL, 0);
	return opt_wants_help(argc, argv) ? 0 : 1;
}
