#include "api/gist.h"

#include "api/hash.h"

enum { GIB_BITS = 30, DIGITS_MAX = 18 };

/* Takes what stands before and in the first `what` off *rest. A quote inside a JSON string has a
 * backslash before it, so a key with its quotes and colon is never part of a string. */
static bool cut_past(struct str *rest, struct str what, struct str *ret_passed)
{
	const char *at = memmem(rest->p, rest->n, what.p, what.n);

	if (!at)
		return false;
	*ret_passed = (struct str){rest->p, (size_t)(at - rest->p) + what.n};
	*rest = (struct str){rest->p + ret_passed->n, rest->n - ret_passed->n};
	return true;
}

/* The bytes that rest begins with, as long as they are of the set, at most max. */
static struct str span_of(struct str rest, struct str set, size_t max)
{
	struct str span = {rest.p, 0};

	while (span.n < MIN(rest.n, max) && memchr(set.p, rest.p[span.n], set.n))
		span.n++;
	return span;
}

static bool cut_number(struct str *rest, int64_t *ret)
{
	struct str digits = span_of(*rest, STR("-0123456789"), DIGITS_MAX);

	*rest = (struct str){rest->p + digits.n, rest->n - digits.n};
	return str_to_i64(digits, ret);
}

static bool cut_lsn(struct str *rest, char ret[GIST_LSN])
{
	struct str lsn = span_of(*rest, STR("0123456789ABCDEF/"), GIST_LSN - 1);

	memcpy(ret, lsn.p, lsn.n);
	ret[lsn.n] = '\0';
	*rest = (struct str){rest->p + lsn.n, rest->n - lsn.n};
	return lsn.n > 0;
}

/* What stands between the braces of "live". */
static bool cut_live(struct str *rest, struct gist_live *ret)
{
	*ret = (struct gist_live){.lag_bytes = -1};
	if (!str_starts(*rest, "}") &&
	    !(str_cut_prefix(rest, "\"lsn\":\"") && cut_lsn(rest, ret->lsn) &&
	      str_cut_prefix(rest, "\",\"lagBytes\":") && cut_number(rest, &ret->lag_bytes)))
		return false;
	return str_starts(*rest, "}");
}

bool gist_take(struct str report, struct gist *ret)
{
	struct str rest = report, passed;

	ret->hash = 1;
	ret->n = 0;
	ret->disk_free_bytes = -1;
	if (cut_past(&rest, STR("\"diskFreeBytes\":"), &passed) &&
	    cut_number(&rest, &ret->disk_free_bytes)) {
		ret->hash = hash_bytes(ret->hash, passed);
		ret->hash += (uint64_t)ret->disk_free_bytes >> GIB_BITS;
	} else {
		rest = report;
	}
	while (cut_past(&rest, STR("\"live\":{"), &passed)) {
		ret->hash = hash_bytes(ret->hash, passed);
		if (ret->n == GIST_MEMBERS_MAX || !cut_live(&rest, &ret->live[ret->n++]))
			return false;
	}
	ret->hash = hash_bytes(ret->hash, rest);
	return true;
}

bool gist_fits(const struct gist *g, const json_t *report)
{
	json_t *members = json_object_get(report, "members"), *m;
	size_t i;

	if (json_array_size(members) != g->n ||
	    jv_int(report, "capacity.diskFreeBytes", -1) != g->disk_free_bytes)
		return false;
	json_array_foreach (members, i, m)
		if (strcmp(jv_str_or(m, "live.lsn", ""), g->live[i].lsn) != 0 ||
		    jv_int(m, "live.lagBytes", -1) != g->live[i].lag_bytes)
			return false;
	return true;
}
