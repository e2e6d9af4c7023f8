/*
 * Completion scripts for bash, zsh and fish.
 *
 * What stands for a value in the tables says what completes it: a choice of words, FILE, DIR, KIND,
 * NAME (of the kind before it), or the name of a kind in capitals (DATABASE, NAMESPACE, HOST).
 */
#include <ctype.h>

#include "base/arena.h"
#include "base/opt.h"

/* The next word of "KIND [NAME] [-- ARG...]" without its brackets and dots. */
static bool arg_next(struct str *rest, struct str *ret)
{
	while (str_split(rest, ' ', ret)) {
		while (str_cut_prefix(ret, "["))
			;
		while (str_cut_suffix(ret, "]") || str_cut_suffix(ret, "."))
			;
		if (ret->n && !str_is(*ret, "--"))
			return true;
	}
	return false;
}

static struct str first_word(const struct opt_verb *v)
{
	struct str rest = str_of(v->name), word;

	str_split(&rest, ' ', &word);
	return word;
}

static const char *second_word(const struct opt_verb *v)
{
	const char *blank = strchr(v->name, ' ');

	return blank ? blank + 1 : NULL;
}

/* Is this the first verb of the table that begins with its word? */
static bool is_first_of_group(const struct opt_verb *verbs, const struct opt_verb *v)
{
	for (const struct opt_verb *w = verbs; w < v; w++)
		if (str_eq(first_word(w), first_word(v)))
			return false;
	return true;
}

/* In single quotes, for any shell (fish wants backslashes doubled as well; our texts have none). */
static void quoted(struct buf *out, const char *s)
{
	buf_putc(out, '\'');
	for (; *s; s++)
		buf_puts(out, *s == '\'' ? "'\\''" : (char[]){*s, '\0'});
	buf_putc(out, '\'');
}

/* ---- bash ---- */

static const char bash_head[] =
	"# Completion of slipway for bash: source <(slipway completion bash)\n"
	"\n"
	"_slipway_names() {\n"
	"\tslipway get \"${scope[@]}\" -o name \"$1\" 2>/dev/null | sed 's,.*/,,'\n"
	"}\n"
	"\n"
	"# $1: what stands for the value; fills COMPREPLY.\n"
	"_slipway_what() {\n"
	"\tlocal words=\n"
	"\tcase $1 in\n"
	"\t*'|'*) words=${1//|/ } ;;\n"
	"\tFILE) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return "
	";;\n"
	"\tDIR) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n"
	"\tKIND) words=$(slipway get -o name 2>/dev/null) ;;\n"
	"\tNAME) words=$(_slipway_names \"${args[0]:-databases}\") ;;\n"
	"\tDATABASE | NAMESPACE | HOST) words=$(_slipway_names \"${1,,}s\") ;;\n"
	"\tesac\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"}\n"
	"\n";

static const char bash_tail[] =
	"_slipway() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb= what= opts= wants= subs= i w\n"
	"\tlocal args=() scope=()\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tw=${COMP_WORDS[i]}\n"
	"\t\tif [[ -z $verb || -n $subs ]]; then\n"
	"\t\t\tverb=${verb:+$verb }$w\n"
	"\t\t\t_slipway_verb \"$verb\"\n"
	"\t\telif [[ $w == -* ]]; then\n"
	"\t\t\t_slipway_value \"$verb $w\"\n"
	"\t\t\t[[ -n $what ]] || continue\n"
	"\t\t\t((i + 1 == COMP_CWORD)) && break\n"
	"\t\t\tcase $w in -n | --namespace | --kubeconfig) scope+=(\"$w\" \"${COMP_WORDS[i + "
	"1]}\") ;; esac\n"
	"\t\t\twhat=\n"
	"\t\t\t((i++))\n"
	"\t\telse\n"
	"\t\t\targs+=(\"$w\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif [[ -z $verb ]]; then\n"
	"\t\t_slipway_what \"$_slipway_verbs\"\n"
	"\telif [[ -n $subs ]]; then\n"
	"\t\t_slipway_what \"$subs\"\n"
	"\telif [[ -n $what ]]; then\n"
	"\t\t_slipway_what \"$what\"\n"
	"\telif [[ $cur == -* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$opts --help\" -- \"$cur\")\n"
	"\telse\n"
	"\t\tread -ra w <<<\"$wants\"\n"
	"\t\t_slipway_what \"${w[${#args[@]}]}\"\n"
	"\tfi\n"
	"}\n"
	"complete -F _slipway slipway\n";

static void bash_opts(struct buf *out, const struct opt_verb *v)
{
	const char *gap = "";

	for (const struct opt *o = v->opts; o && o->name; o++) {
		buf_printf(out, "%s--%s", gap, o->name);
		gap = " ";
	}
}

static void bash_wants(struct buf *out, const struct opt_verb *v)
{
	struct str rest = str_of(v->args), word;
	const char *gap = "";

	while (arg_next(&rest, &word)) {
		buf_printf(out, "%s" STR_FMT, gap, STR_ARG(word));
		gap = " ";
	}
}

/* The second words that may stand behind a first one, as a choice. */
static void bash_subs(struct buf *out, const struct opt_verb *verbs, struct str group)
{
	const char *gap = "|"; /* a choice of one is a choice too */

	for (const struct opt_verb *v = verbs; v->name; v++)
		if (second_word(v) && str_eq(first_word(v), group))
			buf_printf(out, "%s%s", gap, second_word(v));
}

static void bash_verbs(struct buf *out, const struct opt_verb *verbs)
{
	buf_puts(out, "_slipway_verbs='");
	for (const struct opt_verb *v = verbs; v->name; v++)
		if (is_first_of_group(verbs, v))
			buf_printf(
				out, "%s" STR_FMT, v == verbs ? "" : "|", STR_ARG(first_word(v)));
	buf_puts(
		out,
		"'\n\n# $1: a verb; sets its options and what its arguments are.\n"
		"_slipway_verb() {\n\topts= wants= subs=\n\tcase $1 in\n");
	for (const struct opt_verb *v = verbs; v->name; v++) {
		if (second_word(v) && is_first_of_group(verbs, v)) {
			buf_printf(out, "\t'" STR_FMT "') subs='", STR_ARG(first_word(v)));
			bash_subs(out, verbs, first_word(v));
			buf_puts(out, "' ;;\n");
		}
		buf_printf(out, "\t'%s') opts='", v->name);
		bash_opts(out, v);
		buf_puts(out, "' wants='");
		bash_wants(out, v);
		buf_puts(out, "' ;;\n");
	}
	buf_puts(out, "\tesac\n}\n\n");
}

static void bash_values(struct buf *out, const struct opt_verb *verbs)
{
	buf_puts(
		out,
		"# $1: verb and option; sets what its value is, nothing for a flag.\n"
		"_slipway_value() {\n\twhat=\n\tcase $1 in\n");
	for (const struct opt_verb *v = verbs; v->name; v++)
		for (const struct opt *o = v->opts; o && o->name; o++) {
			if (o->type == OPT_FLAG)
				continue;
			buf_printf(out, "\t'%s --%s'", v->name, o->name);
			if (o->letter)
				buf_printf(out, " | '%s -%c'", v->name, o->letter);
			buf_printf(out, ") what='%s' ;;\n", o->value);
		}
	buf_puts(out, "\tesac\n}\n\n");
}

static void bash(struct buf *out, const struct opt_verb *verbs)
{
	buf_puts(out, bash_head);
	bash_verbs(out, verbs);
	bash_values(out, verbs);
	buf_puts(out, bash_tail);
}

/* ---- zsh ---- */

static const char zsh_head[] =
	"#compdef slipway\n"
	"# Completion of slipway for zsh: source <(slipway completion zsh)\n"
	"\n"
	"_slipway_kinds() {\n"
	"\tcompadd -- ${(f)\"$(slipway get -o name 2>/dev/null)\"}\n"
	"}\n"
	"\n"
	"_slipway_names() {\n"
	"\tlocal kind=$1 at\n"
	"\tlocal -a scope\n"
	"\tfor ((at = 1; at < $#words; at++)); do\n"
	"\t\tcase $words[at] in\n"
	"\t\t-n | --namespace | --kubeconfig) scope+=($words[at] $words[at+1]) ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t[[ $kind == - ]] && kind=${line[1]:-databases}\n"
	"\tcompadd -- ${${(f)\"$(slipway get $scope -o name $kind 2>/dev/null)\"}##*/}\n"
	"}\n"
	"\n"
	"_slipway() {\n"
	"\tlocal curcontext=$curcontext verb\n"
	"\tlocal -a line verbs\n"
	"\tlocal -A opt_args\n"
	"\tif ((CURRENT == 2)); then\n"
	"\t\tverbs=(\n";

static const char zsh_tail[] = "\tesac\n"
			       "}\n"
			       "\n"
			       "if [[ $funcstack[1] == _slipway ]]; then\n"
			       "\t_slipway \"$@\"\n"
			       "else\n"
			       "\tcompdef _slipway slipway\n"
			       "fi\n";

/* The action of _arguments that completes what. */
static void zsh_action(struct buf *out, struct str what)
{
	if (memchr(what.p, '|', what.n)) {
		buf_putc(out, '(');
		for (size_t i = 0; i < what.n; i++)
			buf_putc(out, what.p[i] == '|' ? ' ' : what.p[i]);
		buf_putc(out, ')');
	} else if (str_is(what, "FILE")) {
		buf_puts(out, "_files");
	} else if (str_is(what, "DIR")) {
		buf_puts(out, "_files -/");
	} else if (str_is(what, "KIND")) {
		buf_puts(out, "_slipway_kinds");
	} else if (str_is(what, "NAME")) {
		buf_puts(out, "_slipway_names -");
	} else if (str_is(what, "DATABASE") || str_is(what, "NAMESPACE") || str_is(what, "HOST")) {
		buf_puts(out, "_slipway_names ");
		for (size_t i = 0; i < what.n; i++)
			buf_putc(out, (char)tolower((unsigned char)what.p[i]));
		buf_putc(out, 's');
	}
}

/* In single quotes, with the characters that _arguments reads itself escaped. */
static void zsh_text(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(out, "'\\''");
		else if (strchr(":[]", *s))
			buf_printf(out, "\\%c", *s);
		else
			buf_putc(out, *s);
	}
}

static void zsh_option(struct buf *out, const struct opt *o)
{
	const char *times = o->type == OPT_STRS ? "*" : "";

	for (int is_letter = 0; is_letter <= (o->letter ? 1 : 0); is_letter++) {
		buf_puts(out, "\t\t\t");
		if (is_letter)
			buf_printf(out, "'%s-%c", times, o->letter);
		else
			buf_printf(out, "'%s--%s", times, o->name);
		if (o->type != OPT_FLAG)
			buf_puts(out, is_letter ? "+" : "=");
		buf_putc(out, '[');
		zsh_text(out, o->help);
		buf_putc(out, ']');
		if (o->type != OPT_FLAG) {
			buf_printf(out, ":%s:", strchr(o->value, '|') ? "word" : o->value);
			zsh_action(out, str_of(o->value));
		}
		buf_puts(out, "' \\\n");
	}
}

static void zsh_verb(struct buf *out, const struct opt_verb *v)
{
	struct str rest = str_of(v->args), word;
	int n = 0;

	buf_printf(out, "\t'%s')\n\t\t_arguments -C -s \\\n", v->name);
	for (const struct opt *o = v->opts; o && o->name; o++)
		zsh_option(out, o);
	while (arg_next(&rest, &word)) {
		buf_printf(out, "\t\t\t'%d:argument:", ++n);
		zsh_action(out, word);
		buf_puts(out, "' \\\n");
	}
	buf_puts(out, "\t\t\t'--help[say how to use it]'\n\t\t;;\n");
}

static void zsh_described(struct buf *out, const char *word, size_t n, const char *help)
{
	buf_printf(out, "'%.*s:", (int)n, word);
	zsh_text(out, help);
	buf_putc(out, '\'');
}

static void zsh_groups(struct buf *out, const struct opt_verb *verbs)
{
	for (const struct opt_verb *v = verbs; v->name; v++) {
		if (!second_word(v) || !is_first_of_group(verbs, v))
			continue;
		buf_printf(
			out, "\t" STR_FMT ")\n\t\tif ((CURRENT == 2)); then\n\t\t\tverbs=(",
			STR_ARG(first_word(v)));
		for (const struct opt_verb *w = verbs; w->name; w++)
			if (second_word(w) && str_eq(first_word(w), first_word(v))) {
				zsh_described(out, second_word(w), strlen(second_word(w)), w->help);
				buf_putc(out, ' ');
			}
		buf_puts(
			out,
			")\n\t\t\t_describe verb verbs\n\t\t\treturn\n\t\tfi\n"
			"\t\tverb=\"$verb $words[2]\"\n"
			"\t\tshift words\n\t\t((CURRENT--))\n\t\t;;\n");
	}
}

static void zsh(struct buf *out, const struct opt_verb *verbs)
{
	buf_puts(out, zsh_head);
	for (const struct opt_verb *v = verbs; v->name; v++)
		if (is_first_of_group(verbs, v)) {
			buf_puts(out, "\t\t\t");
			zsh_described(out, v->name, first_word(v).n, v->help);
			buf_putc(out, '\n');
		}
	buf_puts(
		out,
		"\t\t)\n\t\t_describe verb verbs\n\t\treturn\n\tfi\n"
		"\tverb=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $verb in\n");
	zsh_groups(out, verbs);
	buf_puts(out, "\tesac\n\tcase $verb in\n");
	for (const struct opt_verb *v = verbs; v->name; v++)
		zsh_verb(out, v);
	buf_puts(out, zsh_tail);
}

/* ---- fish ---- */

static const char fish_head[] =
	"# Completion of slipway for fish: slipway completion fish | source\n"
	"\n"
	"# What has been typed behind the program, without options and their values.\n"
	"function __slipway_words\n"
	"\tset -l skip 0\n"
	"\tfor word in (commandline -opc)[2..-1]\n"
	"\t\tif test $skip = 1\n"
	"\t\t\tset skip 0\n"
	"\t\telse if string match -qr -- "
	"'^(-[nolf]|--(namespace|kubeconfig|output|selector|file))$' $word\n"
	"\t\t\tset skip 1\n"
	"\t\telse if not string match -q -- '-*' $word\n"
	"\t\t\techo $word\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"\n"
	"function __slipway_at # $argv[1]: verb, $argv[2]: how many words stand behind it (-: "
	"any)\n"
	"\tset -l words (__slipway_words)\n"
	"\tset -l verb (string split ' ' -- $argv[1])\n"
	"\tset -l n (count $verb)\n"
	"\ttest (count $words) -ge $n; or return 1\n"
	"\ttest \"$words[1..$n]\" = $argv[1]; or return 1\n"
	"\ttest $argv[2] = -; or test (math (count $words) - $n) = $argv[2]\n"
	"end\n"
	"\n"
	"function __slipway_names\n"
	"\tset -l words (__slipway_words)\n"
	"\tset -l kind $argv[1]\n"
	"\ttest $kind = -; and set kind $words[2]\n"
	"\tset -l scope (commandline -opc | string join ' ' | string match -rg -- "
	"'(?:-n|--namespace)[ =](\\S+)')\n"
	"\tslipway get (test -n \"$scope\"; and printf '%s\\n' -n $scope) -o name $kind "
	"2>/dev/null | string replace -r '.*/' ''\n"
	"end\n"
	"\n"
	"complete -c slipway -f\n";

static void fish_action(struct buf *out, struct str what)
{
	if (str_is(what, "FILE")) {
		buf_puts(out, " -F");
	} else if (str_is(what, "DIR")) {
		buf_puts(out, " -a '(__fish_complete_directories)'");
	} else if (memchr(what.p, '|', what.n)) {
		buf_puts(out, " -a '");
		for (size_t i = 0; i < what.n; i++)
			buf_putc(out, what.p[i] == '|' ? ' ' : what.p[i]);
		buf_putc(out, '\'');
	} else if (str_is(what, "KIND")) {
		buf_puts(out, " -a '(slipway get -o name 2>/dev/null)'");
	} else if (str_is(what, "NAME")) {
		buf_puts(out, " -a '(__slipway_names -)'");
	} else if (str_is(what, "DATABASE") || str_is(what, "NAMESPACE") || str_is(what, "HOST")) {
		buf_puts(out, " -a '(__slipway_names ");
		for (size_t i = 0; i < what.n; i++)
			buf_putc(out, (char)tolower((unsigned char)what.p[i]));
		buf_puts(out, "s)'");
	}
}

static void fish_verb(struct buf *out, const struct opt_verb *v)
{
	struct str rest = str_of(v->args), word;

	for (const struct opt *o = v->opts; o && o->name; o++) {
		buf_printf(
			out, "complete -c slipway -n '__slipway_at \"%s\" -' -l %s", v->name,
			o->name);
		if (o->letter)
			buf_printf(out, " -s %c", o->letter);
		if (o->type != OPT_FLAG) {
			buf_puts(out, " -r");
			fish_action(out, str_of(o->value));
		}
		buf_puts(out, " -d ");
		quoted(out, o->help);
		buf_putc(out, '\n');
	}
	for (int n = 0; arg_next(&rest, &word); n++) {
		buf_printf(out, "complete -c slipway -n '__slipway_at \"%s\" %d'", v->name, n);
		fish_action(out, word);
		buf_putc(out, '\n');
	}
}

static void fish(struct buf *out, const struct opt_verb *verbs)
{
	buf_puts(out, fish_head);
	for (const struct opt_verb *v = verbs; v->name; v++) {
		if (is_first_of_group(verbs, v)) {
			buf_printf(
				out,
				"complete -c slipway -n 'not __slipway_words | string length -q' "
				"-a " STR_FMT " -d ",
				STR_ARG(first_word(v)));
			quoted(out, v->help);
			buf_putc(out, '\n');
		}
		if (second_word(v)) {
			buf_printf(
				out,
				"complete -c slipway -n '__slipway_at " STR_FMT " 0' -a %s -d ",
				STR_ARG(first_word(v)), second_word(v));
			quoted(out, v->help);
			buf_putc(out, '\n');
		}
		fish_verb(out, v);
	}
}

static const struct {
	const char *name;
	void (*write)(struct buf *out, const struct opt_verb *verbs);
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

enum err_code
opt_completion(struct buf *out, const struct opt_verb *verbs, const char *shell, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].write(out, verbs);
			return ERR_OK;
		}
	return err_set(
		e, ERR_INVALID, "there is no completion for '%s': want bash, zsh or fish", shell);
}
