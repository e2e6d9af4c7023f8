#include "base/opt.h"

/* What one command line has been read into so far. */
struct parse {
	const struct opt_verb *verb;
	char **argv;
	int argc, at; /* at: the next word */
	void *values;
	char **args;
	size_t n;
	struct err *e;
};

static bool word_take(struct str *rest, struct str *ret)
{
	return str_split(rest, '|', ret);
}

static bool is_choice(const struct opt *o)
{
	return o->value && strchr(o->value, '|');
}

static bool choice_has(const char *choices, const char *text)
{
	struct str rest = str_of(choices), word;

	while (word_take(&rest, &word))
		if (str_is(word, text))
			return true;
	return false;
}

static enum err_code int_set(const struct opt *o, const char *text, int64_t *ret, struct err *e)
{
	bool is_bounded = o->min || o->max;
	int64_t v;

	if (!str_to_i64(str_of(text), &v))
		return err_set(
			e, ERR_INVALID, "--%s wants a whole number, not '%s'", o->name, text);
	if (is_bounded && (v < o->min || v > o->max))
		return err_set(
			e, ERR_INVALID, "--%s wants a number from %lld to %lld, not %lld", o->name,
			(long long)o->min, (long long)o->max, (long long)v);
	*ret = v;
	return ERR_OK;
}

static enum err_code strs_add(const struct opt *o, const char *text, void *at, struct err *e)
{
	struct opt_strs *s = at;

	if (s->n == OPT_STRS_MAX)
		return err_set(
			e, ERR_LIMIT, "--%s can be given at most %d times", o->name, OPT_STRS_MAX);
	s->v[s->n++] = text;
	return ERR_OK;
}

static enum err_code value_set(const struct parse *p, const struct opt *o, const char *text)
{
	void *at = (char *)p->values + o->offset;

	if (is_choice(o) && !choice_has(o->value, text))
		return err_set(
			p->e, ERR_INVALID, "--%s wants one of %s, not '%s'", o->name, o->value,
			text);
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return ERR_OK;
	case OPT_INT:
		return int_set(o, text, at, p->e);
	case OPT_STRS:
		return strs_add(o, text, at, p->e);
	case OPT_STR:
		*(const char **)at = text;
		return ERR_OK;
	}
	return err_set(p->e, ERR_INTERNAL, "--%s has no type", o->name);
}

static enum err_code unknown(const struct parse *p, const char *word)
{
	return err_set(
		p->e, ERR_INVALID, "slipway %s has no option '%s': see 'slipway %s --help'",
		p->verb->name, word, p->verb->name);
}

/* The value that stands behind "=" (NULL: it is the next word). */
static enum err_code option_take(struct parse *p, const struct opt *o, const char *text)
{
	if (o->type == OPT_FLAG && text)
		return err_set(p->e, ERR_INVALID, "--%s takes no value", o->name);
	if (o->type != OPT_FLAG && !text) {
		if (p->at == p->argc)
			return err_set(
				p->e, ERR_INVALID, "--%s wants a value: --%s %s", o->name, o->name,
				o->value);
		text = p->argv[p->at++];
	}
	return value_set(p, o, text);
}

static enum err_code long_take(struct parse *p, const char *word)
{
	struct str value = str_of(word + 2), name;

	str_split(&value, '=', &name);
	for (const struct opt *o = p->verb->opts; o && o->name; o++)
		if (str_is(name, o->name))
			return option_take(p, o, value.p);
	return unknown(p, word);
}

static const struct opt *letter_find(const struct opt_verb *v, char letter)
{
	for (const struct opt *o = v->opts; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

/* "-w", "-wA", "-n NS", "-nNS", "-n=NS". */
static enum err_code letters_take(struct parse *p, const char *word)
{
	for (const char *at = word + 1; *at; at++) {
		const struct opt *o = letter_find(p->verb, *at);
		enum err_code code;

		if (!o)
			return unknown(p, word);
		if (o->type != OPT_FLAG)
			return option_take(p, o, at[1] ? at + 1 + (at[1] == '=') : NULL);
		code = option_take(p, o, NULL);
		if (code)
			return code;
	}
	return ERR_OK;
}

static enum err_code arg_take(struct parse *p, char *word)
{
	if (p->n == MIN(p->verb->args_max, (size_t)OPT_ARGS_MAX))
		return err_set(
			p->e, ERR_INVALID, "'%s' is one argument too many: see 'slipway %s --help'",
			word, p->verb->name);
	p->args[p->n++] = word;
	return ERR_OK;
}

static enum err_code words_take(struct parse *p)
{
	bool is_options = true;

	while (p->at < p->argc) {
		char *word = p->argv[p->at++];
		enum err_code code;

		if (is_options && strcmp(word, "--") == 0) {
			is_options = false;
			continue;
		}
		if (!is_options || word[0] != '-' || !word[1])
			code = arg_take(p, word);
		else
			code = word[1] == '-' ? long_take(p, word) : letters_take(p, word);
		if (code)
			return code;
	}
	return ERR_OK;
}

enum err_code opt_parse(
	const struct opt_verb *v, int argc, char **argv, void *values, char *ret_args[OPT_ARGS_MAX],
	size_t *ret_n, struct err *e)
{
	struct parse p = {v, argv, argc, 0, values, ret_args, 0, e};
	enum err_code code;

	if (v->values_bytes)
		memset(values, 0, v->values_bytes);
	if (v->defaults)
		v->defaults(values);
	code = words_take(&p);
	if (code)
		return code;
	if (p.n < v->args_min)
		return err_set(
			e, ERR_INVALID, "slipway %s wants %s: see 'slipway %s --help'", v->name,
			v->args, v->name);
	*ret_n = p.n;
	return ERR_OK;
}

/* How many words of argv the verb's name takes; 0: it is another verb. */
static int verb_words(const struct opt_verb *v, int argc, char **argv)
{
	struct str rest = str_of(v->name), word;
	int n = 0;

	while (str_split(&rest, ' ', &word)) {
		if (n == argc || !str_is(word, argv[n]))
			return 0;
		n++;
	}
	return n;
}

const struct opt_verb *opt_find(const struct opt_verb *verbs, int argc, char **argv, int *ret_words)
{
	const struct opt_verb *best = NULL;
	int most = 0;

	for (const struct opt_verb *v = verbs; v->name; v++) {
		int n = verb_words(v, argc, argv);

		if (n > most) {
			most = n;
			best = v;
		}
	}
	if (best)
		*ret_words = most;
	return best;
}

bool opt_wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}
