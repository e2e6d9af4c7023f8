/* Help and the reference page, from the same tables that parse. */
#include "base/opt.h"

static const char exits_default[] = "0  fine\n1  error";

static void usage(struct buf *out, const struct opt_verb *v)
{
	buf_printf(out, "slipway %s", v->name);
	if (v->opts && v->opts->name)
		buf_puts(out, " [options]");
	if (v->args && v->args[0])
		buf_printf(out, " %s", v->args);
	buf_putc(out, '\n');
}

/* "-n, --namespace NS" */
static void option_name(struct buf *out, const struct opt *o)
{
	if (o->letter)
		buf_printf(out, "-%c, ", o->letter);
	buf_printf(out, "--%s", o->name);
	if (o->type != OPT_FLAG)
		buf_printf(out, " %s", o->value);
}

static size_t option_width(const struct opt *o)
{
	CLEANUP(buf_done) struct buf name = {0};

	option_name(&name, o);
	return name.n;
}

static void pad(struct buf *out, size_t from, size_t to)
{
	for (; from < to; from++)
		buf_putc(out, ' ');
}

static void options(struct buf *out, const struct opt_verb *v)
{
	size_t width = strlen("-h, --help");

	for (const struct opt *o = v->opts; o && o->name; o++)
		width = MAX(width, option_width(o));
	buf_puts(out, "\nOptions:\n");
	for (const struct opt *o = v->opts; o && o->name; o++) {
		buf_puts(out, "  ");
		option_name(out, o);
		pad(out, option_width(o), width + 2);
		buf_printf(out, "%s\n", o->help);
	}
	buf_puts(out, "  -h, --help");
	pad(out, strlen("-h, --help"), width + 2);
	buf_puts(out, "Say this.\n");
}

static void lines(struct buf *out, const char *title, const char *text)
{
	struct str rest = str_of(text), line;

	buf_printf(out, "\n%s:\n", title);
	while (str_split(&rest, '\n', &line))
		if (line.n)
			buf_printf(out, "  " STR_FMT "\n", STR_ARG(line));
}

void opt_help(struct buf *out, const struct opt_verb *v)
{
	buf_printf(out, "%s\n\nUsage:\n  ", v->help);
	usage(out, v);
	options(out, v);
	if (v->examples)
		lines(out, "Examples", v->examples);
	lines(out, "Exit codes", v->exits ? v->exits : exits_default);
}

void opt_help_all(struct buf *out, const struct opt_verb *verbs)
{
	size_t width = 0;

	for (const struct opt_verb *v = verbs; v->name; v++)
		width = MAX(width, strlen(v->name));
	buf_puts(
		out,
		"Slipway: highly available PostgreSQL from a manifest.\n\nUsage:\n"
		"  slipway VERB [options] [arguments]\n\nVerbs:\n");
	for (const struct opt_verb *v = verbs; v->name; v++) {
		buf_printf(out, "  %s", v->name);
		pad(out, strlen(v->name), width + 2);
		buf_printf(out, "%s\n", v->help);
	}
	buf_puts(out, "\n'slipway VERB --help' says more of one, with examples.\n");
}

/* A cell of a Markdown table must not hold a bare '|'. */
static void cell(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

static void reference_options(struct buf *out, const struct opt_verb *v)
{
	if (!v->opts || !v->opts->name)
		return;
	buf_puts(out, "\n| option | meaning |\n|---|---|\n");
	for (const struct opt *o = v->opts; o->name; o++) {
		CLEANUP(buf_done) struct buf name = {0};

		option_name(&name, o);
		buf_puts(out, "| `");
		cell(out, name.p);
		buf_puts(out, "` | ");
		cell(out, o->help);
		buf_puts(out, " |\n");
	}
}

static void reference_exits(struct buf *out, const struct opt_verb *v)
{
	struct str rest = str_of(v->exits ? v->exits : exits_default), line;
	const char *before = "\nExit codes: ";

	while (str_split(&rest, '\n', &line)) {
		struct str code;

		if (!line.n)
			continue;
		str_split(&line, ' ', &code);
		line = str_trim(line);
		buf_printf(out, "%s`" STR_FMT "` " STR_FMT, before, STR_ARG(code), STR_ARG(line));
		before = ", ";
	}
	buf_puts(out, ".\n");
}

static void reference_verb(struct buf *out, const struct opt_verb *v)
{
	buf_printf(out, "\n## slipway %s\n\n%s\n\n```\n", v->name, v->help);
	usage(out, v);
	buf_puts(out, "```\n");
	reference_options(out, v);
	if (v->examples)
		buf_printf(out, "\n```\n%s\n```\n", v->examples);
	reference_exits(out, v);
}

void opt_reference(struct buf *out, const struct opt_verb *verbs)
{
	buf_puts(
		out,
		"# The command line\n\nEvery verb of `slipway`, from the tables that also parse: "
		"`slipway reference cli` prints this page.\n`--help` behind any verb says the same "
		"in the terminal.\n\n| verb | what it does |\n|---|---|\n");
	for (const struct opt_verb *v = verbs; v->name; v++) {
		buf_puts(out, "| `");
		cell(out, v->name);
		buf_puts(out, "` | ");
		cell(out, v->help);
		buf_puts(out, " |\n");
	}
	for (const struct opt_verb *v = verbs; v->name; v++)
		reference_verb(out, v);
}
