#include "agent/probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/lsn.h"

enum {
	RETRY_MS = 20,
	RETRIES = 100, /* at that pace; then at */
	RETRY_SLOW_MS = 250,
	ANSWER_MS = 10 * 1000, /* a server that does not answer for so long is asked anew */
	PENDING_MS = 30 * 1000, /* between looks at the settings that wait for a restart */
};

enum phase { PROBE_RESTS, PROBE_CONNECTS, PROBE_IDLE, PROBE_ASKS };

/* Outlives the session: libuv closes handles later. */
struct probe_socket {
	uv_poll_t poll;
	struct probe *owner;
};

/* Three results: the server, its replicas, its slots. pg_settings is expensive to look through, so
 * the part on it is only asked now and then. */
static const char question_head[] =
	"SELECT r, CASE WHEN r THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,"
	" coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::int8,"
	" CASE WHEN r THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),"
	"  (SELECT timeline_id FROM pg_control_checkpoint()))"
	"  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,"
	" coalesce((SELECT status = 'streaming' FROM pg_stat_wal_receiver), false),"
	" (SELECT system_identifier FROM pg_control_system()),"
	" current_setting('server_version'),"
	" (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8,";
static const char question_pending[] =
	" coalesce((SELECT string_agg(name, ',' ORDER BY name) FROM pg_settings"
	" WHERE pending_restart), '')";
static const char question_tail[] =
	" FROM (SELECT pg_is_in_recovery()) AS s(r);"
	"SELECT application_name, state, sync_state IN ('sync', 'quorum'), coalesce(flush_lsn, "
	"'0/0')"
	" FROM pg_stat_replication WHERE usename = 'slipway_replication' AND state <> 'backup'"
	" ORDER BY 1;"
	"SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical' ORDER BY 1";

static void on_timer(uv_timer_t *timer);
static void advance(struct probe *p);

void probe_init(struct probe *p, uv_loop_t *loop, void (*on_answer)(struct probe *p))
{
	*p = (struct probe){.loop = loop, .on_answer = on_answer, .period_ms = 1000};
	uv_timer_init(loop, &p->timer);
}

static void on_socket_closed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct probe_socket, poll));
}

/* The poll first: libpq closes the descriptor. */
static void session_drop(struct probe *p)
{
	if (p->socket) {
		uv_poll_stop(&p->socket->poll);
		uv_close((uv_handle_t *)&p->socket->poll, on_socket_closed);
	}
	p->socket = NULL;
	PQfinish(p->conn);
	p->conn = NULL;
	p->phase = PROBE_RESTS;
}

static void again_in(struct probe *p, int64_t ms)
{
	uv_timer_start(&p->timer, on_timer, (uint64_t)MAX(ms, (int64_t)0), 0);
}

/* Whatever goes wrong: a new session, soon. */
static void session_lost(struct probe *p)
{
	bool had_answer = p->has_answer;

	session_drop(p);
	p->has_answer = false;
	again_in(p, p->failures++ < RETRIES ? RETRY_MS : RETRY_SLOW_MS);
	if (had_answer)
		p->on_answer(p);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct probe *p = container_of(poll, struct probe_socket, poll)->owner;

	(void)status;
	(void)events;
	advance(p);
}

static void listen_for(struct probe *p, int events)
{
	uv_poll_start(&p->socket->poll, events, on_socket);
}

static void connect_begin(struct probe *p)
{
	p->conn = PQconnectStart(p->conninfo);
	if (!p->conn)
		abort(); /* out of memory */
	if (PQstatus(p->conn) == CONNECTION_BAD) {
		session_lost(p);
		return;
	}
	p->phase = PROBE_CONNECTS;
	p->socket = mem_alloc(sizeof(*p->socket));
	p->socket->owner = p;
	if (uv_poll_init(p->loop, &p->socket->poll, PQsocket(p->conn))) {
		free(p->socket);
		p->socket = NULL;
		session_lost(p);
		return;
	}
	listen_for(p, UV_WRITABLE);
	again_in(p, ANSWER_MS);
}

static void ask(struct probe *p)
{
	int64_t now = clock_mono_ms();
	bool has_pending = now - p->pending_ms >= PENDING_MS;
	CLEANUP(mem_drop)
	char *sql = mem_printf(
		"%s%s%s", question_head, has_pending ? question_pending : "NULL", question_tail);

	if (has_pending)
		p->pending_ms = now;
	p->asked_ms = now;
	p->questions++;
	p->phase = PROBE_ASKS;
	p->part = 0;
	p->next = (struct seen_server){0};
	memcpy(p->next.pending_restart, p->server.pending_restart, SEEN_NAMES);
	if (!PQsendQuery(p->conn, sql)) {
		session_lost(p);
		return;
	}
	listen_for(p, UV_READABLE);
	again_in(p, ANSWER_MS);
}

static void connect_go_on(struct probe *p)
{
	switch (PQconnectPoll(p->conn)) {
	case PGRES_POLLING_OK:
		ask(p);
		break;
	case PGRES_POLLING_READING:
		listen_for(p, UV_READABLE);
		break;
	case PGRES_POLLING_WRITING:
		listen_for(p, UV_WRITABLE);
		break;
	default:
		session_lost(p);
	}
}

static const char *text_at(const PGresult *r, int row, int col)
{
	return PQgetvalue(r, row, col);
}

/* 0 for null. */
static uint64_t lsn_at(const PGresult *r, int row, int col)
{
	uint64_t lsn = 0;

	lsn_parse(str_of(PQgetvalue(r, row, col)), &lsn, NULL);
	return lsn;
}

static int64_t int_at(const PGresult *r, int row, int col)
{
	return strtoll(PQgetvalue(r, row, col), NULL, 10);
}

static void server_read(struct probe *p, const PGresult *r)
{
	struct seen_server *s = &p->next;
	struct str version;
	struct str rest;

	if (PQntuples(r) != 1 || PQnfields(r) != 9)
		return;
	s->is_standby = text_at(r, 0, 0)[0] == 't';
	s->lsn = lsn_at(r, 0, 1);
	s->lag_bytes = (uint64_t)MAX(int_at(r, 0, 2), (int64_t)0);
	s->timeline = int_at(r, 0, 3);
	s->is_receiving = text_at(r, 0, 4)[0] == 't';
	snprintf(s->system_identifier, sizeof(s->system_identifier), "%s", text_at(r, 0, 5));
	rest = str_of(text_at(r, 0, 6));
	str_split(&rest, ' ', &version);
	snprintf(s->version, sizeof(s->version), STR_FMT, STR_ARG(version));
	s->started_us = int_at(r, 0, 7);
	if (!PQgetisnull(r, 0, 8))
		snprintf(s->pending_restart, sizeof(s->pending_restart), "%s", text_at(r, 0, 8));
}

static void replicas_read(struct probe *p, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r) && p->next.replicas_n < WANT_STANDBYS_MAX; i++) {
		struct seen_replica *at = &p->next.replicas[p->next.replicas_n++];

		snprintf(at->slot, sizeof(at->slot), "%s", text_at(r, i, 0));
		snprintf(at->state, sizeof(at->state), "%s", text_at(r, i, 1));
		at->is_sync = text_at(r, i, 2)[0] == 't';
		at->flush_lsn = lsn_at(r, i, 3);
	}
}

static void slots_read(struct probe *p, const PGresult *r)
{
	for (int i = 0; i < PQntuples(r) && p->next.slots_n < SEEN_SLOTS; i++)
		snprintf(p->next.slots[p->next.slots_n++], SEEN_NAME, "%s", text_at(r, i, 0));
}

static void (*const parts[])(struct probe *p, const PGresult *r) = {
	server_read, replicas_read, slots_read};

static void answered(struct probe *p)
{
	p->phase = PROBE_IDLE;
	p->server = p->next;
	p->has_answer = true;
	p->failures = 0;
	listen_for(p, UV_READABLE); /* a server that goes away is noticed at once */
	again_in(p, p->asked_ms + p->period_ms - clock_mono_ms());
	p->on_answer(p);
}

static void answer_take(struct probe *p)
{
	while (!PQisBusy(p->conn)) {
		PGresult *r = PQgetResult(p->conn);
		bool is_rows = PQresultStatus(r) == PGRES_TUPLES_OK;

		if (!r && p->part == ARRAY_LEN(parts)) {
			answered(p);
			return;
		}
		if (is_rows && p->part < (int)ARRAY_LEN(parts))
			parts[p->part](p, r);
		else
			log_debug(
				"a server does not answer as it should", "why=%s",
				log_q(PQerrorMessage(p->conn)));
		p->part++;
		PQclear(r);
		if (!is_rows) {
			session_lost(p);
			return;
		}
	}
}

static void advance(struct probe *p)
{
	if (p->phase == PROBE_CONNECTS) {
		connect_go_on(p);
		return;
	}
	if (!PQconsumeInput(p->conn)) {
		session_lost(p);
		return;
	}
	if (p->phase == PROBE_ASKS)
		answer_take(p);
}

static void on_timer(uv_timer_t *timer)
{
	struct probe *p = container_of(timer, struct probe, timer);

	if (p->phase == PROBE_RESTS)
		connect_begin(p);
	else if (p->phase == PROBE_IDLE)
		ask(p);
	else
		session_lost(p); /* no answer in time */
}

void probe_start(struct probe *p, const char *conninfo)
{
	probe_stop(p);
	p->conninfo = mem_strdup(conninfo);
	p->pending_ms = clock_mono_ms() - PENDING_MS;
	p->server = (struct seen_server){0};
	p->failures = 0;
	again_in(p, 0);
}

void probe_stop(struct probe *p)
{
	session_drop(p);
	uv_timer_stop(&p->timer);
	mem_drop(&p->conninfo);
	p->has_answer = false;
}

void probe_set_period(struct probe *p, int period_ms)
{
	bool is_sooner = period_ms < p->period_ms;

	p->period_ms = period_ms;
	if (is_sooner && p->phase == PROBE_IDLE)
		again_in(p, p->asked_ms + period_ms - clock_mono_ms());
}

void probe_now(struct probe *p)
{
	p->pending_ms = clock_mono_ms() - PENDING_MS;
	p->asked_ms = clock_mono_ms() - p->period_ms; /* an answer under way may be too old */
	if (p->phase == PROBE_IDLE)
		again_in(p, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct probe *p = container_of((uv_timer_t *)handle, struct probe, timer);

	p->closed(p);
}

void probe_close(struct probe *p, void (*closed)(struct probe *p))
{
	probe_stop(p);
	p->closed = closed;
	uv_close((uv_handle_t *)&p->timer, on_closed);
}
