#include "store/pulse.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
	FRESH_MS = 2500, /* heard that lately here, nobody else can know better */
	LOOKED_MS = 1000, /* the table was looked at that lately: it has nothing newer */
	BODY_MAX = 16 << 20,
};

struct pulse {
	struct buf body; /* empty: only signs of life so far */
	int64_t heard_ms; /* on the monotonic clock, also of what another replica heard */
	int64_t looked_ms;
	bool is_heard_new; /* since the last flush, here */
	bool is_body_new;
};

void pulses_init(struct pulses *p, struct sessions *s)
{
	*p = (struct pulses){.sessions = s};
	pthread_mutex_init(&p->lock, NULL);
}

void pulses_done(struct pulses *p)
{
	map_for_each (slot, &p->hosts) {
		struct pulse *pulse = slot->value;

		buf_done(&pulse->body);
		free(pulse);
	}
	map_done(&p->hosts);
	pthread_mutex_destroy(&p->lock);
}

/* Under the lock. */
static struct pulse *pulse_of(struct pulses *p, const char *host)
{
	struct pulse *pulse = map_get(&p->hosts, str_of(host));

	if (!pulse) {
		pulse = mem_alloc(sizeof(*pulse));
		pulse->heard_ms = pulse->looked_ms = INT64_MIN / 2;
		map_put(&p->hosts, str_of(host), pulse);
	}
	return pulse;
}

static void hear(struct pulse *pulse, struct str body, int64_t heard_ms)
{
	pulse->heard_ms = heard_ms;
	if (!body.n)
		return;
	buf_clear(&pulse->body);
	buf_str(&pulse->body, body);
}

void pulses_put(struct pulses *p, const char *host, struct str body)
{
	struct pulse *pulse;

	pthread_mutex_lock(&p->lock);
	pulse = pulse_of(p, host);
	hear(pulse, body, clock_mono_ms());
	pulse->is_heard_new = true;
	pulse->is_body_new |= body.n > 0;
	pthread_mutex_unlock(&p->lock);
}

/* What another replica may have heard. */
static enum err_code look(struct pulses *p, const char *host, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	int64_t now = clock_mono_ms(), heard_ms = INT64_MIN / 2;
	struct str body = {0};
	struct pulse *pulse;
	enum err_code code = sessions_exec(
		p->sessions, true, "pulse_get",
		"SELECT (1000 * extract(epoch FROM now() - at))::bigint, body"
		" FROM slipway.pulse WHERE host = $1",
		&host, 1, &r, e);

	if (code == ERR_OK && r.n) {
		heard_ms = now - MAX(0, db_int(&r, 0, 0));
		if (!db_is_null(&r, 0, 1))
			body = db_text(&r, 0, 1);
	}
	if (code != ERR_OK)
		return code;
	pthread_mutex_lock(&p->lock);
	pulse = pulse_of(p, host);
	pulse->looked_ms = now;
	if (heard_ms > pulse->heard_ms)
		hear(pulse, body, heard_ms);
	pthread_mutex_unlock(&p->lock);
	return ERR_OK;
}

/* Under the lock. */
static bool is_known_well(const struct pulses *p, const char *host, int64_t now)
{
	const struct pulse *pulse = map_get(&p->hosts, str_of(host));

	return pulse && (now - pulse->heard_ms < FRESH_MS || now - pulse->looked_ms < LOOKED_MS);
}

enum err_code pulses_get(
	struct pulses *p, const char *host, json_t **ret_body, int64_t *ret_age_ms, struct err *e)
{
	int64_t now = clock_mono_ms();
	CLEANUP(buf_done) struct buf body = {0};
	enum err_code code = ERR_OK;
	struct pulse *pulse;
	bool is_known;

	pthread_mutex_lock(&p->lock);
	is_known = is_known_well(p, host, now);
	pthread_mutex_unlock(&p->lock);
	if (!is_known)
		code = look(p, host, e);
	pthread_mutex_lock(&p->lock);
	pulse = map_get(&p->hosts, str_of(host));
	if (pulse && pulse->heard_ms > INT64_MIN / 2) { /* better than an error, its age says all */
		if (ret_body)
			buf_str(&body, buf_view(&pulse->body));
		*ret_age_ms = MAX(0, clock_mono_ms() - pulse->heard_ms);
		code = ERR_OK;
	} else if (code == ERR_OK) {
		code = err_set(e, ERR_NOT_FOUND, "host '%s' was never heard", host);
	}
	pthread_mutex_unlock(&p->lock);
	return code == ERR_OK && body.n ? jv_parse(buf_view(&body), BODY_MAX, ret_body, e) : code;
}

struct batch {
	struct db_array hosts, ages, bodies;
	size_t n;
};

/* Takes what is new. */
static void collect(struct pulses *p, struct batch *b)
{
	int64_t now = clock_mono_ms();

	db_array_init(&b->hosts, DB_TEXT);
	db_array_init(&b->ages, DB_INT8);
	db_array_init(&b->bodies, DB_TEXT);
	pthread_mutex_lock(&p->lock);
	map_for_each (slot, &p->hosts) {
		struct pulse *pulse = slot->value;
		struct str body = {0};

		if (!pulse->is_heard_new)
			continue;
		if (pulse->is_body_new)
			body = buf_view(&pulse->body);
		db_array_text(&b->hosts, (struct str){slot->key, slot->key_n});
		db_array_i64(&b->ages, now - pulse->heard_ms);
		db_array_text(&b->bodies, body);
		pulse->is_heard_new = pulse->is_body_new = false;
		b->n++;
	}
	pthread_mutex_unlock(&p->lock);
}

static enum err_code write_batch(struct pulses *p, struct batch *b, struct err *e)
{
	const struct str params[] = {
		db_array_view(&b->hosts), db_array_view(&b->ages), db_array_view(&b->bodies)};
	struct db *d;
	enum err_code code = sessions_get(p->sessions, &d, e);

	if (code != ERR_OK)
		return code;
	code = db_exec_binary(
		d, "pulse_put",
		"INSERT INTO slipway.pulse AS p (host, at, body)"
		" SELECT host, now() - age * interval '1 millisecond', body"
		" FROM unnest($1::text[], $2::bigint[], $3::text[]) AS u (host, age, body)"
		" ON CONFLICT (host) DO UPDATE SET at = excluded.at,"
		" body = coalesce(excluded.body, p.body) WHERE p.at < excluded.at",
		params, 3, NULL, e);
	sessions_note(p->sessions, code);
	sessions_put(p->sessions, d);
	return code;
}

enum err_code pulses_flush(struct pulses *p, struct err *e)
{
	struct batch b = {0};
	enum err_code code = ERR_OK;

	collect(p, &b);
	if (b.n)
		code = write_batch(p, &b, e);
	db_array_done(&b.hosts);
	db_array_done(&b.ages);
	db_array_done(&b.bodies);
	return code;
}
