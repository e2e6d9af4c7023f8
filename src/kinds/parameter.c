#include "kinds/parameter.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/embed.h"
#include "base/str.h"
#include "kinds/zone.h"

extern const struct embed kinds_parameters[];

enum { PARAMETERS_MAX = 1000, PARAMETER_COLUMNS = 8 };

static struct parameter table[PARAMETERS_MAX];
static size_t table_n;
static const struct parameter *by_name[PARAMETERS_MAX]; /* whatever the case of their letters */
static struct arena table_arena;

static const char *const context_names[] = {"reload", "restart", "internal", "developer"};
static const char *const type_names[] = {"bool", "integer", "real", "enum", "string"};

static int name_index(const char *const *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(name, names[i]))
			return (int)i;
	return -1;
}

/* "10-12,14" as bits; 0 where it is no such text. */
static uint32_t majors_parse(struct str in)
{
	uint32_t bits = 0;
	struct str part;

	while (str_split(&in, ',', &part)) {
		struct str from;
		uint64_t first, last;

		str_split(&part, '-', &from);
		if (!str_to_u64(from, &first) || first > 31)
			return 0;
		last = first;
		if (part.n && (!str_to_u64(part, &last) || last > 31))
			return 0;
		for (; first <= last; first++)
			bits |= UINT32_C(1) << first;
	}
	return bits;
}

static bool line_parse(struct str line, struct parameter *ret)
{
	struct str c[PARAMETER_COLUMNS] = {0};
	const char *text[PARAMETER_COLUMNS];
	int context, type;

	for (size_t i = 0; i < PARAMETER_COLUMNS; i++) {
		if (!str_split(&line, '\t', &c[i]))
			return false;
		text[i] = arena_strndup(&table_arena, c[i].p, c[i].n);
	}
	context = name_index(context_names, ARRAY_LEN(context_names), c[2]);
	type = name_index(type_names, ARRAY_LEN(type_names), c[3]);
	*ret = (struct parameter){
		.name = text[0],
		.majors = majors_parse(c[1]),
		.context = (enum parameter_context)context,
		.type = (enum parameter_type)type,
		.unit = text[4],
		.min = c[5].n ? strtod(text[5], NULL) : -HUGE_VAL,
		.max = c[6].n ? strtod(text[6], NULL) : HUGE_VAL,
		.values = text[7],
	};
	return context >= 0 && type >= 0 && ret->majors;
}

static int name_compare(const void *a, const void *b)
{
	return strcasecmp(
		(*(const struct parameter *const *)a)->name,
		(*(const struct parameter *const *)b)->name);
}

enum err_code parameter_init(struct err *e)
{
	struct str rest = kinds_parameters[0].bytes, line;

	for (table_n = 0; str_split(&rest, '\n', &line) && line.n; table_n++)
		if (table_n == PARAMETERS_MAX || !line_parse(line, &table[table_n]))
			return err_set(
				e, ERR_INTERNAL, "parameters.tsv: line %zu is none of a parameter",
				table_n + 1);
	for (size_t i = 0; i < table_n; i++)
		by_name[i] = &table[i];
	qsort(by_name, table_n, sizeof(by_name[0]), name_compare);
	return ERR_OK;
}

int parameter_major(const char *version)
{
	uint64_t major;

	if (!str_to_u64(str_of(version), &major) || major < PARAMETER_MAJOR_MIN ||
	    major > PARAMETER_MAJOR_MAX)
		return 0;
	return (int)major;
}

const struct parameter *parameter_find(int major, const char *name)
{
	size_t low = 0, high = table_n;

	if (major < PARAMETER_MAJOR_MIN || major > PARAMETER_MAJOR_MAX)
		return NULL;
	while (low < high) { /* to the first that is not before it */
		size_t middle = (low + high) / 2;

		if (strcasecmp(by_name[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < table_n && !strcasecmp(by_name[low]->name, name); low++)
		if (by_name[low]->majors >> major & 1)
			return by_name[low]; /* a name may have a line for some majors each */
	return NULL;
}

/* PostgreSQL's units: of memory in bytes, of time in microseconds. */
static const struct unit {
	const char *name;
	double factor;
	bool is_time;
} units[] = {
	{"B", 1, false},
	{"kB", 1024, false},
	{"MB", 1048576, false},
	{"GB", 1073741824, false},
	{"TB", 1099511627776, false},
	{"8kB", 8192, false},
	{"16MB", 16777216, false},
	{"us", 1, true},
	{"ms", 1e3, true},
	{"s", 1e6, true},
	{"min", 60e6, true},
	{"h", 3600e6, true},
	{"d", 86400e6, true},
};

static const struct unit *unit_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (!strcmp(units[i].name, name))
			return &units[i];
	return NULL;
}

bool parameter_number(const struct parameter *p, const char *value, double *ret)
{
	const struct unit *base = unit_find(p->unit), *own;
	char *end;
	double n;

	errno = 0;
	n = strtod(value, &end);
	if (end == value || errno || !isfinite(n))
		return false;
	while (*end == ' ')
		end++;
	if (*end) {
		own = unit_find(end);
		if (!base || !own || own->is_time != base->is_time)
			return false;
		n = n * own->factor / base->factor;
	}
	*ret = p->type == PARAMETER_INTEGER ? nearbyint(n) : n;
	return true;
}

static bool is_bool(const char *v)
{
	static const char *const words[] = {"true", "false", "yes", "no"};
	size_t n = strlen(v);

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (n && n <= strlen(words[i]) && !strncasecmp(v, words[i], n))
			return true;
	return !strcasecmp(v, "on") || !strcasecmp(v, "off") || !strcasecmp(v, "of") ||
		!strcmp(v, "0") || !strcmp(v, "1");
}

/* Is v (without regard to case) one of "a,b,c"? */
static bool is_one_of(struct str v, const char *values)
{
	struct str rest = str_of(values), one;

	while (str_split(&rest, ',', &one))
		if (one.n == v.n && !strncasecmp(one.p, v.p, v.n))
			return true;
	return false;
}

/* Texts that PostgreSQL looks at more closely than at their type: a wrong one keeps a server from
 * starting. Lists are of such words with commas between them. */
static const struct {
	const char *name;
	const char *values;
} texts[] = {
	{"DateStyle", "ISO,SQL,Postgres,German,MDY,DMY,YMD,ISO MDY,ISO DMY,ISO YMD"},
	{"client_encoding", "UTF8,SQL_ASCII,LATIN1,LATIN9,WIN1252"},
	{"default_table_access_method", "heap"},
	{"lc_messages", "C,POSIX,C.UTF-8"},
	{"lc_monetary", "C,POSIX,C.UTF-8"},
	{"lc_numeric", "C,POSIX,C.UTF-8"},
	{"lc_time", "C,POSIX,C.UTF-8"},
	{"log_connections",
	 "on,off,true,false,yes,no,1,0,all,receipt,authentication,authorization,setup_durations"},
	{"restrict_nonsystem_relation_kind", "view,foreign-table"},
	{"session_preload_libraries", "auto_explain"},
	{"shared_preload_libraries", "auto_explain,pg_prewarm,pg_stat_statements"},
	{"timezone_abbreviations", "Default,Australia,India"},
};

static const char *text_check(struct arena *a, const struct parameter *p, const char *value)
{
	if (str_ends(str_of(p->name), "zone") || str_ends(str_of(p->name), "Zone"))
		return zone_exists(value) ? NULL
					  : arena_printf(a, "there is no time zone \"%s\"", value);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct str rest = str_of(value), word;

		if (strcasecmp(texts[i].name, p->name))
			continue;
		while (rest.n && str_split(&rest, ',', &word))
			if (!is_one_of(str_trim(word), texts[i].values))
				return arena_printf(
					a, "%s takes one or more of: %s", p->name, texts[i].values);
	}
	return NULL;
}

/* More than PostgreSQL asks for: with less a server does not start, or the platform has no sessions
 * left for itself. In the unit of the parameter. */
static const struct {
	const char *name;
	double min;
} floors[] = {
	{"max_connections", 20},
	{"max_worker_processes", 8},
	{"max_wal_size", 32},
	{"min_wal_size", 32},
};

static double parameter_min(const struct parameter *p)
{
	for (size_t i = 0; i < ARRAY_LEN(floors); i++)
		if (!strcmp(floors[i].name, p->name))
			return floors[i].min;
	return p->min;
}

static const char *number_check(struct arena *a, const struct parameter *p, const char *value)
{
	const char *unit = p->unit;
	double min = parameter_min(p), n;

	if (!parameter_number(p, value, &n)) {
		const struct unit *base = unit_find(unit);

		return arena_printf(
			a, "%s takes %s%s", p->name,
			p->type == PARAMETER_INTEGER ? "an integer" : "a number",
			!base                   ? ""
				: base->is_time ? " with a unit of us, ms, s, min, h or d"
						: " with a unit of B, kB, MB, GB or TB");
	}
	if (n < min || n > p->max)
		return arena_printf(
			a, "%s must be between %.10g and %.10g%s%s", p->name, min, p->max,
			*unit ? ", in units of " : "", unit);
	return NULL;
}

static bool has_control_byte(const char *v)
{
	for (; *v; v++)
		if ((unsigned char)*v < ' ' || *v == 127)
			return true;
	return false;
}

const char *
parameter_check(struct arena *a, int major, const struct parameter *p, const char *value)
{
	if (p->context == PARAMETER_INTERNAL)
		return arena_printf(
			a, "%s is fixed in PostgreSQL %d and cannot be set", p->name, major);
	if (has_control_byte(value))
		return "must not have line breaks or other control characters in it";
	switch (p->type) {
	case PARAMETER_BOOL:
		return is_bool(value) ? NULL : arena_printf(a, "%s takes on or off", p->name);
	case PARAMETER_INTEGER:
	case PARAMETER_REAL:
		return number_check(a, p, value);
	case PARAMETER_ENUM:
		if (is_one_of(str_of(value), p->values))
			return NULL;
		return arena_printf(a, "%s takes one of: %s", p->name, p->values);
	case PARAMETER_STRING:
		return text_check(a, p, value);
	}
	return NULL;
}
