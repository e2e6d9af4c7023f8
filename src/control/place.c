#include "control/place.h"

#include "kinds/cond.h"

enum { MAJORS = 32 };

static bool has_major(const struct place_host *h, int major)
{
	return major > 0 && major < MAJORS && h->majors >> major & 1;
}

static bool is_used(const struct place_ask *ask, const char *zone)
{
	for (size_t i = 0; i < ask->used_n; i++)
		if (!strcmp(ask->used[i], zone))
			return true;
	return false;
}

/* Place of the zone among the allowed ones, 0 for the best; -1: not allowed. */
static int zone_rank(const struct place_ask *ask, const char *zone)
{
	json_t *one;
	size_t i;

	if (!json_array_size(ask->zones))
		return 0;
	json_array_foreach (ask->zones, i, one)
		if (!strcmp(json_string_value(one), zone))
			return (int)i;
	return -1;
}

static bool is_open(const struct place_host *h)
{
	return h->is_ready && !h->is_closed;
}

static bool is_eligible(const struct place_host *h, const struct place_ask *ask)
{
	return is_open(h) && has_major(h, ask->major) && zone_rank(ask, h->zone) >= 0;
}

static bool
is_better(const struct place_host *h, const struct place_host *than, const struct place_ask *ask)
{
	int rank = zone_rank(ask, h->zone), other = zone_rank(ask, than->zone);

	if (rank != other)
		return rank < other;
	if (h->members != than->members)
		return h->members < than->members;
	return strcmp(h->name, than->name) < 0;
}

/* A set of words in order, for a sentence: "zone-a, zone-b and zone-c". */
struct words {
	const char **v;
	size_t n;
};

static void words_add(struct words *w, const char *word)
{
	size_t at = 0;

	while (at < w->n && strcmp(w->v[at], word) < 0)
		at++;
	if (at < w->n && !strcmp(w->v[at], word))
		return;
	memmove(w->v + at + 1, w->v + at, (w->n - at) * sizeof(*w->v));
	w->v[at] = word;
	w->n++;
}

static const char *words_text(struct arena *a, const struct words *w)
{
	const char *text = w->n ? w->v[0] : "";

	for (size_t i = 1; i < w->n; i++)
		text = arena_printf(a, "%s%s%s", text, i + 1 < w->n ? ", " : " and ", w->v[i]);
	return text;
}

/* Hosts that almost do: with the version and in an allowed zone, but not to be had. */
static const char *
text_of_near(struct arena *a, const struct place_host *hosts, size_t n, const struct place_ask *ask)
{
	const char *text = "";

	for (size_t i = 0; i < n; i++) {
		const struct place_host *h = &hosts[i];

		if (!has_major(h, ask->major) || is_open(h) || is_used(ask, h->zone) ||
		    zone_rank(ask, h->zone) < 0)
			continue;
		text = arena_printf(
			a, "%s; host %s in %s has it but %s", text, h->name, h->zone,
			h->is_closed ? "takes no new members" : "is silent");
	}
	return text;
}

static const char *text_of_installed(struct arena *a, const struct place_host *hosts, size_t n)
{
	struct words majors = {arena_array(a, const char *, MAJORS), 0};

	for (int major = 0; major < MAJORS; major++)
		for (size_t i = 0; i < n; i++)
			if (has_major(&hosts[i], major)) {
				words_add(&majors, arena_printf(a, "%d", major));
				break;
			}
	return majors.n ? words_text(a, &majors) : NULL;
}

static const char *text_of_allowed(struct arena *a, const struct place_ask *ask)
{
	struct words zones = {arena_array(a, const char *, json_array_size(ask->zones) + 1), 0};
	json_t *one;
	size_t i;

	json_array_foreach (ask->zones, i, one)
		words_add(&zones, json_string_value(one));
	return zones.n ? arena_printf(a, " (zones that it may use: %s)", words_text(a, &zones))
		       : "";
}

static const char *
why_none(struct arena *a, const struct place_host *hosts, size_t n, const struct place_ask *ask)
{
	struct words zones = {arena_array(a, const char *, n + 1), 0};
	const char *near = text_of_near(a, hosts, n, ask), *allowed = text_of_allowed(a, ask);
	const char *installed = text_of_installed(a, hosts, n);

	for (size_t i = 0; i < n; i++)
		if (is_eligible(&hosts[i], ask))
			words_add(&zones, hosts[i].zone);
	if (n == 0)
		return "Waiting for a host: none has joined yet";
	if (zones.n)
		return arena_printf(
			a,
			"Waiting for a %s zone: a flexible database needs %zu, only %s %s a host "
			"with PostgreSQL %d%s%s",
			place_ordinal(ask->used_n + 1), ask->zones_needed, words_text(a, &zones),
			zones.n > 1 ? "have" : "has", ask->major, near, allowed);
	if (*near || !installed)
		return arena_printf(
			a, "Waiting for a host with PostgreSQL %d: there is none to be had%s%s",
			ask->major, near, allowed);
	return arena_printf(
		a, "Waiting for a host with PostgreSQL %d%s: the hosts have %s", ask->major,
		allowed, installed);
}

const struct place_host *place_choose(
	struct arena *a, const struct place_host *hosts, size_t n, const struct place_ask *ask,
	const char **ret_why)
{
	const struct place_host *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (is_eligible(&hosts[i], ask) && !is_used(ask, hosts[i].zone) &&
		    (!best || is_better(&hosts[i], best, ask)))
			best = &hosts[i];
	if (!best)
		*ret_why = why_none(a, hosts, n, ask);
	return best;
}

const char *place_ordinal(size_t n)
{
	static const char *const words[] = {"first", "second", "third"};

	return n >= 1 && n <= ARRAY_LEN(words) ? words[n - 1] : "next";
}

static uint32_t majors_of(const json_t *host)
{
	json_t *all = jv_at(host, "status.postgres"), *one;
	uint32_t majors = 0;
	size_t i;

	json_array_foreach (all, i, one) {
		uint64_t major;

		if (str_to_u64(str_of(jv_str_or(one, "major", "")), &major) && major < MAJORS)
			majors |= UINT32_C(1) << major;
	}
	return majors;
}

void place_host_of(const json_t *host, struct place_host *ret)
{
	const json_t *ready = cond_get(host, "Ready");
	bool is_ready = ready && !strcmp(jv_str_or(ready, "status", ""), "True");

	*ret = (struct place_host){
		.name = jv_str_or(host, "metadata.name", ""),
		.zone = jv_str_or(host, "spec.zone", ""),
		.address = jv_str(host, "status.address"),
		.majors = majors_of(host),
		.is_ready = is_ready,
		.is_closed = jv_bool(host, "spec.unschedulable", false),
	};
	if (ready && !is_ready)
		ret->silent_since = jv_str(ready, "lastTransitionTime");
}
