#include "agent/basebackup.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/unpack.h"
#include "base/clock.h"

enum {
	WAIT_MS = 50, /* between looks at the job's cancellation */
	SILENCE_MS = 30 * 60 * 1000, /* the checkpoint at its start may take long */
	MANIFEST_MAX = 1 << 30,
};

/* From version 15 on all archives and the manifest come in one stream of typed messages. */
enum { TYPED_VERSION = 150000 };

struct take {
	struct basebackup *b;
	struct unpack unpack;
	struct buf manifest;
	uint64_t total_bytes;
	int copies; /* streams that have begun */
	int archives;
	bool is_manifest; /* what comes now */
	basebackup_progress *progress;
	void *arg;
};

static enum err_code say(enum err_code code, const char *what, const char *text, struct err *e)
{
	struct str line = str_trim(str_of(text)), rest = line;

	str_split(&rest, '\n', &line);
	return err_set(e, code, "%s: " STR_FMT, what, STR_ARG(line));
}

static enum err_code cancelled(struct err *e)
{
	return err_set(e, ERR_GONE, "it was called off");
}

/* Waits for the socket; ERR_GONE when the job was cancelled, ERR_TIMEOUT. */
static enum err_code
wait_socket(struct basebackup *b, short events, int64_t deadline_ms, struct err *e)
{
	for (;;) {
		struct pollfd p = {.fd = PQsocket(b->conn), .events = events};
		int n = poll(&p, 1, WAIT_MS);

		if (b->job && job_is_cancelled(b->job))
			return cancelled(e);
		if (n > 0)
			return ERR_OK;
		if (n < 0 && errno != EINTR)
			return err_os(e, "wait for the primary");
		if (clock_mono_ms() > deadline_ms)
			return err_set(e, ERR_TIMEOUT, "the primary does not answer");
	}
}

static enum err_code connect_all(struct basebackup *b, int64_t deadline_ms, struct err *e)
{
	PostgresPollingStatusType step = PGRES_POLLING_WRITING;

	if (PQstatus(b->conn) == CONNECTION_BAD)
		return say(ERR_UNAVAILABLE, "connect", PQerrorMessage(b->conn), e);
	while (step != PGRES_POLLING_OK) {
		short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		enum err_code code;

		if (step == PGRES_POLLING_FAILED)
			return say(ERR_UNAVAILABLE, "connect", PQerrorMessage(b->conn), e);
		code = wait_socket(b, events, deadline_ms, e);
		if (code)
			return code;
		step = PQconnectPoll(b->conn);
	}
	return ERR_OK;
}

/* The next result, NULL at their end. */
static enum err_code next_result(struct basebackup *b, PGresult **ret, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + SILENCE_MS;

	while (PQisBusy(b->conn)) {
		enum err_code code = wait_socket(b, POLLIN, deadline_ms, e);

		if (code)
			return code;
		if (!PQconsumeInput(b->conn))
			return say(ERR_UNAVAILABLE, "the primary", PQerrorMessage(b->conn), e);
	}
	*ret = PQgetResult(b->conn);
	return ERR_OK;
}

/* The next piece of a stream; *ret NULL at its end. PQfreemem it. */
static enum err_code next_piece(struct basebackup *b, char **ret, int *ret_n, struct err *e)
{
	int64_t deadline_ms = clock_mono_ms() + SILENCE_MS;
	char *piece = NULL;
	int n;

	while ((n = PQgetCopyData(b->conn, &piece, 1)) == 0) {
		enum err_code code = wait_socket(b, POLLIN, deadline_ms, e);

		if (code)
			return code;
		if (!PQconsumeInput(b->conn))
			return say(ERR_UNAVAILABLE, "the primary", PQerrorMessage(b->conn), e);
	}
	if (n == -2)
		return say(ERR_UNAVAILABLE, "the primary", PQerrorMessage(b->conn), e);
	*ret = n > 0 ? piece : NULL;
	*ret_n = n;
	return b->job && job_is_cancelled(b->job) ? cancelled(e) : ERR_OK;
}

/* What is missing or in use now may be there soon. */
static enum err_code result_code(const PGresult *r, const char *what, struct err *e)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	static const char *const soon[] = {"42704", "55006", "57P03", "53300"};

	if (PQresultStatus(r) != PGRES_FATAL_ERROR)
		return ERR_OK;
	for (size_t i = 0; state && i < ARRAY_LEN(soon); i++)
		if (strcmp(state, soon[i]) == 0)
			return say(
				ERR_UNAVAILABLE, what,
				PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), e);
	return say(state ? ERR_IO : ERR_UNAVAILABLE, what, PQresultErrorMessage(r), e);
}

static enum err_code command_send(struct basebackup *b, const char *command, struct err *e)
{
	if (!PQsendQuery(b->conn, command))
		return say(ERR_UNAVAILABLE, "the primary", PQerrorMessage(b->conn), e);
	return ERR_OK;
}

/* Reads results to their end and drops them; the first error counts. */
static enum err_code drain(struct basebackup *b, const char *what, struct err *e)
{
	enum err_code code = ERR_OK;

	for (;;) {
		PGresult *r = NULL;
		enum err_code got = next_result(b, &r, e);

		if (got || !r)
			return code ? code : got;
		if (!code)
			code = result_code(r, what, e);
		PQclear(r);
	}
}

static enum err_code identify(struct basebackup *b, struct err *e)
{
	PGresult *r = NULL;
	enum err_code code = command_send(b, "IDENTIFY_SYSTEM", e);

	if (!code)
		code = next_result(b, &r, e);
	if (code)
		return code;
	code = result_code(r, "identify the primary", e);
	if (!code && (PQntuples(r) != 1 || PQnfields(r) < 3))
		code = err_set(e, ERR_INTERNAL, "the primary does not identify itself");
	if (!code) {
		snprintf(
			b->system_identifier, sizeof(b->system_identifier), "%s",
			PQgetvalue(r, 0, 0));
		snprintf(b->wal_at, sizeof(b->wal_at), "%s", PQgetvalue(r, 0, 2));
	}
	PQclear(r);
	return code ? code : drain(b, "identify the primary", e);
}

/* Ends the stream that has begun: what comes until the server has heard it is dropped. */
static enum err_code rehearsal_end(struct basebackup *b, struct err *e)
{
	char *piece = NULL;
	int n;

	if (PQputCopyEnd(b->conn, NULL) < 0 || PQflush(b->conn) < 0)
		return say(ERR_UNAVAILABLE, "the primary", PQerrorMessage(b->conn), e);
	for (;;) {
		enum err_code code = next_piece(b, &piece, &n, e);

		if (code)
			return code;
		if (!piece)
			return drain(b, "slot", e);
		PQfreemem(piece);
	}
}

static enum err_code rehearse(struct basebackup *b, const char *slot, struct err *e)
{
	char command[200];
	PGresult *r = NULL;
	enum err_code code;
	bool streams;

	snprintf(
		command, sizeof(command), "START_REPLICATION SLOT \"%s\" PHYSICAL %s", slot,
		b->wal_at);
	code = command_send(b, command, e);
	if (!code)
		code = next_result(b, &r, e);
	if (code)
		return code;
	code = result_code(r, "slot", e);
	streams = PQresultStatus(r) == PGRES_COPY_BOTH;
	PQclear(r);
	if (code) {
		drain(b, "slot", NULL);
		return code;
	}
	return streams ? rehearsal_end(b, e) : drain(b, "slot", e);
}

enum err_code basebackup_open(
	struct basebackup *b, const struct job *job, const char *conninfo, const char *slot,
	int timeout_ms, struct err *e)
{
	CLEANUP(mem_drop) char *all = mem_printf("%s replication=1", conninfo);
	enum err_code code;

	*b = (struct basebackup){.job = job, .conn = PQconnectStart(all)};
	if (!b->conn)
		abort(); /* out of memory */
	code = connect_all(b, clock_mono_ms() + timeout_ms, e);
	if (!code) {
		b->version = PQserverVersion(b->conn);
		code = identify(b, e);
	}
	if (!code)
		code = rehearse(b, slot, e);
	if (code)
		basebackup_close(b);
	return code;
}

void basebackup_close(struct basebackup *b)
{
	PQfinish(b->conn);
	b->conn = NULL;
}

static enum err_code archive_begin(struct take *t, const char *tablespace, struct err *e)
{
	if (t->archives++ > 0 || (tablespace && tablespace[0]))
		return err_set(
			e, ERR_INVALID,
			"the primary has tablespaces, which a standby cannot have here: drop them");
	t->is_manifest = false;
	return ERR_OK;
}

static enum err_code content_take(struct take *t, struct str bytes, struct err *e)
{
	if (!t->is_manifest)
		return unpack_feed(&t->unpack, bytes, e);
	if (t->manifest.n + bytes.n > MANIFEST_MAX)
		return err_set(e, ERR_LIMIT, "the backup's manifest is over 1 GiB");
	buf_str(&t->manifest, bytes);
	return ERR_OK;
}

/* One message of the stream of version 15 and newer: a type byte, and what belongs to it. */
static enum err_code typed_take(struct take *t, struct str piece, struct err *e)
{
	struct str body = {piece.p + 1, piece.n - 1};
	const char *name_end;

	switch (piece.p[0]) {
	case 'n': /* a new archive: its name, and the tablespace's path */
		name_end = memchr(body.p, '\0', body.n);
		if (!name_end || !memchr(name_end + 1, '\0', body.n - 1 - strlen(body.p)))
			return err_set(e, ERR_INVALID, "base backup: a broken message");
		return archive_begin(t, name_end + 1, e);
	case 'm':
		t->is_manifest = true;
		return ERR_OK;
	case 'd':
		return content_take(t, body, e);
	case 'p':
		return ERR_OK; /* we count ourselves */
	default:
		return err_set(
			e, ERR_INVALID, "base backup: a message of unknown type %d", piece.p[0]);
	}
}

static enum err_code piece_take(struct take *t, struct str piece, struct err *e)
{
	enum err_code code;

	if (t->b->version >= TYPED_VERSION)
		code = piece.n ? typed_take(t, piece, e) : ERR_OK;
	else
		code = content_take(t, piece, e);
	if (t->progress)
		t->progress(t->arg, t->unpack.total_bytes, t->total_bytes);
	return code;
}

/* Before version 15: the first stream is the data folder's archive, the second the manifest. */
static enum err_code stream_take(struct take *t, struct err *e)
{
	enum err_code code = ERR_OK;
	char *piece = NULL;
	int n;

	if (t->b->version < TYPED_VERSION) {
		if (t->copies == 0)
			code = archive_begin(t, NULL, e);
		else
			t->is_manifest = true;
	}
	t->copies++;
	while (!code) {
		code = next_piece(t->b, &piece, &n, e);
		if (code || !piece)
			break;
		code = piece_take(t, (struct str){piece, (size_t)n}, e);
		PQfreemem(piece);
	}
	return code;
}

/* A row a tablespace: its number, its path, its size in KiB; the data folder's has no number. */
static enum err_code header_take(struct take *t, const PGresult *r, struct err *e)
{
	uint64_t kib = 0;

	if (PQnfields(r) < 3)
		return ERR_OK;
	if (PQntuples(r) != 1 || !PQgetisnull(r, 0, 0))
		return archive_begin(t, "another", e);
	if (str_to_u64(str_of(PQgetvalue(r, 0, 2)), &kib))
		t->total_bytes = kib << 10;
	return ERR_OK;
}

static enum err_code results_take(struct take *t, struct err *e)
{
	for (;;) {
		PGresult *r = NULL;
		enum err_code code = next_result(t->b, &r, e);
		ExecStatusType status;

		if (code || !r)
			return code;
		status = PQresultStatus(r);
		code = result_code(r, "base backup", e);
		if (!code && status == PGRES_TUPLES_OK)
			code = header_take(t, r, e);
		PQclear(r);
		if (!code && status == PGRES_COPY_OUT)
			code = stream_take(t, e);
		if (code)
			return code;
	}
}

static enum err_code backup_take(struct take *t, struct err *e)
{
	bool is_typed = t->b->version >= TYPED_VERSION;
	enum err_code code = command_send(
		t->b,
		is_typed ? "BASE_BACKUP (LABEL 'slipway', PROGRESS, CHECKPOINT 'fast', WAIT false,"
			   " MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')"
			 : "BASE_BACKUP LABEL 'slipway' PROGRESS FAST NOWAIT"
			   " MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'",
		e);

	if (!code)
		code = results_take(t, e);
	if (!code)
		code = unpack_end(&t->unpack, e);
	if (!code && !t->archives)
		code = err_set(e, ERR_INVALID, "base backup: the primary sent none");
	return code ? code : manifest_check(&t->unpack.written, buf_view(&t->manifest), e);
}

enum err_code basebackup_take(
	struct basebackup *b, const char *dir, basebackup_progress *progress, void *arg,
	struct err *e)
{
	struct take t = {.b = b, .progress = progress, .arg = arg};
	enum err_code code = unpack_init(&t.unpack, dir, e);

	if (code)
		return code;
	code = backup_take(&t, e);
	unpack_done(&t.unpack);
	buf_done(&t.manifest);
	return code;
}
