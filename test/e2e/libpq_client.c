/*
 * libpq_client CONNINFO [CASE]: uses libpq as no other client in the tests does: its pipeline mode
 * (after PostgreSQL's own libpq_pipeline), single rows, COPY, asynchronous connections, a cancel
 * from another connection. Each case is a promise of whoever is at the other end. Says "ok CASE"
 * for each; ends with the first that is broken.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

static const char *running;

static void fail(PGconn *c, const char *what)
{
	errx(1, "%s: %s: %s", running, what, PQerrorMessage(c));
}

static void want(PGconn *c, PGresult *r, ExecStatusType status, const char *value)
{
	if (PQresultStatus(r) != status) {
		fprintf(stderr, "%s: is %s, not %s\n", running, PQresStatus(PQresultStatus(r)),
			PQresStatus(status));
		fail(c, PQresultErrorMessage(r));
	}
	if (value && (PQntuples(r) < 1 || strcmp(PQgetvalue(r, 0, 0), value)))
		fail(c, "another value came");
	PQclear(r);
}

/* A result and the NULL behind it, as a query in a pipeline has them. */
static void want_one(PGconn *c, ExecStatusType status, const char *value)
{
	want(c, PQgetResult(c), status, value);
	if (PQgetResult(c))
		fail(c, "two results of one query");
}

static void ask(PGconn *c, const char *sql, const char *param)
{
	const char *values[] = {param};

	if (!PQsendQueryParams(c, sql, param ? 1 : 0, NULL, param ? values : NULL, NULL, NULL, 0))
		fail(c, "cannot send");
}

static void begin_pipeline(PGconn *c)
{
	if (!PQenterPipelineMode(c))
		fail(c, "no pipeline");
}

static void sync_pipeline(PGconn *c)
{
	if (!PQpipelineSync(c))
		fail(c, "no sync");
}

static void end_pipeline(PGconn *c)
{
	if (PQgetResult(c) || !PQexitPipelineMode(c))
		fail(c, "does not end");
}

static void many_in_one_pipeline(PGconn *c)
{
	char text[16];

	begin_pipeline(c);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ask(c, "select $1::int", text);
	}
	sync_pipeline(c);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		want_one(c, PGRES_TUPLES_OK, text);
	}
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	end_pipeline(c);
}

static void an_error_aborts_to_the_sync_alone(PGconn *c)
{
	begin_pipeline(c);
	ask(c, "select 1", NULL);
	ask(c, "select 1 / $1::int", "0");
	ask(c, "select 2", NULL);
	sync_pipeline(c);
	ask(c, "select 3", NULL);
	sync_pipeline(c);
	want_one(c, PGRES_TUPLES_OK, "1");
	want_one(c, PGRES_FATAL_ERROR, NULL);
	want_one(c, PGRES_PIPELINE_ABORTED, NULL);
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	want_one(c, PGRES_TUPLES_OK, "3");
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	end_pipeline(c);
}

static void answers_come_at_a_flush(PGconn *c)
{
	begin_pipeline(c);
	ask(c, "select 7", NULL);
	if (!PQsendFlushRequest(c) || PQflush(c))
		fail(c, "no flush");
	want_one(c, PGRES_TUPLES_OK, "7");
	ask(c, "select 8", NULL);
	sync_pipeline(c);
	want_one(c, PGRES_TUPLES_OK, "8");
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	end_pipeline(c);
}

static void statements_are_prepared_in_a_pipeline(PGconn *c)
{
	const char *values[] = {"20"};

	begin_pipeline(c);
	if (!PQsendPrepare(c, "twice", "select 2 * $1::int", 1, NULL) ||
	    !PQsendDescribePrepared(c, "twice"))
		fail(c, "cannot prepare");
	sync_pipeline(c);
	want_one(c, PGRES_COMMAND_OK, NULL);
	want_one(c, PGRES_COMMAND_OK, NULL);
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	for (int i = 0; i < 5; i++) {
		if (!PQsendQueryPrepared(c, "twice", 1, values, NULL, NULL, 0))
			fail(c, "cannot execute");
		sync_pipeline(c);
	}
	for (int i = 0; i < 5; i++) {
		want_one(c, PGRES_TUPLES_OK, "40");
		want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	}
	end_pipeline(c);
}

static void a_name_is_prepared_once(PGconn *c)
{
	want(c, PQprepare(c, "name", "select 1", 0, NULL), PGRES_COMMAND_OK, NULL);
	want(c, PQprepare(c, "name", "select 2", 0, NULL), PGRES_FATAL_ERROR, NULL);
	want(c, PQexecPrepared(c, "name", 0, NULL, NULL, NULL, 0), PGRES_TUPLES_OK, "1");
	want(c, PQdescribePrepared(c, "none"), PGRES_FATAL_ERROR, NULL);
}

static void rows_come_one_by_one(PGconn *c)
{
	int rows = 0;
	PGresult *r;

	ask(c, "select generate_series(1, 5000)", NULL);
	if (!PQsetSingleRowMode(c))
		fail(c, "no single rows");
	while ((r = PQgetResult(c))) {
		rows += PQresultStatus(r) == PGRES_SINGLE_TUPLE;
		PQclear(r);
	}
	if (rows != 5000)
		fail(c, "rows are missing");
}

static void transactions_span_a_pipeline(PGconn *c)
{
	begin_pipeline(c);
	ask(c, "begin", NULL);
	sync_pipeline(c);
	ask(c, "select txid_current()", NULL);
	ask(c, "select 1", NULL);
	sync_pipeline(c);
	ask(c, "commit", NULL);
	sync_pipeline(c);
	want_one(c, PGRES_COMMAND_OK, NULL);
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	want_one(c, PGRES_TUPLES_OK, NULL);
	want_one(c, PGRES_TUPLES_OK, "1");
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	want_one(c, PGRES_COMMAND_OK, NULL);
	want(c, PQgetResult(c), PGRES_PIPELINE_SYNC, NULL);
	end_pipeline(c);
	if (PQtransactionStatus(c) != PQTRANS_IDLE)
		fail(c, "the transaction is open");
}

static void copies_go_in_and_out(PGconn *c)
{
	char *row;
	int n = 0;

	want(c, PQexec(c, "begin; create temp table t (a int) on commit drop"), PGRES_COMMAND_OK,
	     NULL);
	want(c, PQexec(c, "copy t from stdin"), PGRES_COPY_IN, NULL);
	for (int i = 0; i < 3000; i++)
		if (PQputCopyData(c, "12345\n", 6) != 1)
			fail(c, "cannot copy");
	if (PQputCopyEnd(c, NULL) != 1)
		fail(c, "cannot end the copy");
	want(c, PQgetResult(c), PGRES_COMMAND_OK, NULL);
	if (PQgetResult(c))
		fail(c, "the copy does not end");
	want(c, PQexec(c, "copy t to stdout"), PGRES_COPY_OUT, NULL);
	for (; PQgetCopyData(c, &row, 0) > 0; n++)
		PQfreemem(row);
	want(c, PQgetResult(c), PGRES_COMMAND_OK, NULL);
	if (PQgetResult(c) || n != 3000)
		fail(c, "rows are missing");
	want(c, PQexec(c, "copy t from stdin"), PGRES_COPY_IN, NULL);
	PQputCopyEnd(c, "thought better of it");
	want(c, PQgetResult(c), PGRES_FATAL_ERROR, NULL);
	if (PQgetResult(c))
		fail(c, "a failed copy does not end");
	want(c, PQexec(c, "rollback"), PGRES_COMMAND_OK, NULL);
}

/* PostgreSQL overlooks a Sync that comes while it copies in: there are two, and one answer. */
static void copies_go_in_by_the_extended_protocol(PGconn *c)
{
	want(c, PQexec(c, "begin; create temp table t (a int) on commit drop"), PGRES_COMMAND_OK,
	     NULL);
	for (int again = 0; again < 3; again++) {
		ask(c, "copy t from stdin", NULL);
		want(c, PQgetResult(c), PGRES_COPY_IN, NULL);
		if (PQputCopyData(c, "1\n2\n", 4) != 1 || PQputCopyEnd(c, NULL) != 1)
			fail(c, "cannot copy");
		want(c, PQgetResult(c), PGRES_COMMAND_OK, NULL);
		if (PQgetResult(c))
			fail(c, "the copy does not end");
	}
	want(c, PQexec(c, "select count(*) from t"), PGRES_TUPLES_OK, "6");
	want(c, PQexec(c, "commit"), PGRES_COMMAND_OK, NULL);
	want(c, PQexec(c, "select 1"), PGRES_TUPLES_OK, "1");
}

static void a_cancel_ends_the_query_alone(PGconn *c)
{
	char why[256];
	PGcancel *cancel = PQgetCancel(c);
	PGresult *r;

	want(c, PQexec(c, "begin"), PGRES_COMMAND_OK, NULL);
	want(c, PQexec(c, "savepoint a"), PGRES_COMMAND_OK, NULL);
	ask(c, "select pg_sleep(60)", NULL);
	do { /* a cancel that comes before the query has begun is lost, as PostgreSQL says */
		struct pollfd at = {.fd = PQsocket(c), .events = POLLIN};

		if (PQflush(c) || !PQcancel(cancel, why, sizeof(why)))
			fail(c, why);
		poll(&at, 1, 200);
		if (!PQconsumeInput(c))
			fail(c, "the connection is gone");
	} while (PQisBusy(c));
	r = PQgetResult(c);
	if (strcmp(PQresultErrorField(r, PG_DIAG_SQLSTATE), "57014"))
		fail(c, "another error");
	PQclear(r);
	if (PQgetResult(c))
		fail(c, "two results");
	want(c, PQexec(c, "rollback to a"), PGRES_COMMAND_OK, NULL);
	want(c, PQexec(c, "rollback"), PGRES_COMMAND_OK, NULL);
	PQfreeCancel(cancel);
}

static void notices_arrive(PGconn *c)
{
	want(c, PQexec(c, "do $$ begin raise notice 'one'; raise warning 'two'; end $$"),
	     PGRES_COMMAND_OK, NULL);
}

static void functions_are_called(PGconn *c)
{
	char in[4] = {0, 0, 0, 21};
	int out, n;
	PGresult *oid = PQexec(c, "select 'pg_catalog.int4abs'::regproc::oid");
	PQArgBlock arg = {.len = 4, .isint = 0, .u.ptr = (int *)(void *)in};

	if (PQntuples(oid) != 1)
		fail(c, "no function");
	want(c, PQfn(c, (int)strtol(PQgetvalue(oid, 0, 0), NULL, 10), &out, &n, 1, &arg, 1),
	     PGRES_COMMAND_OK, NULL);
	if (out != 21)
		fail(c, "another value came");
	PQclear(oid);
}

/* { name, what it does } */
static const struct {
	const char *name;
	void (*run)(PGconn *c);
} cases[] = {
#define CASE(f)                                                                                    \
	{                                                                                          \
#f, f                                                                              \
	}
	CASE(many_in_one_pipeline),
	CASE(an_error_aborts_to_the_sync_alone),
	CASE(answers_come_at_a_flush),
	CASE(statements_are_prepared_in_a_pipeline),
	CASE(a_name_is_prepared_once),
	CASE(rows_come_one_by_one),
	CASE(transactions_span_a_pipeline),
	CASE(copies_go_in_and_out),
	CASE(copies_go_in_by_the_extended_protocol),
	CASE(a_cancel_ends_the_query_alone),
	CASE(notices_arrive),
	CASE(functions_are_called),
};

static PGconn *connect_slowly(const char *conninfo)
{
	PGconn *c = PQconnectStart(conninfo);
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;

	while (next != PGRES_POLLING_OK) {
		struct pollfd at = {
			.fd = PQsocket(c),
			.events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT};

		if (poll(&at, 1, 10000) != 1)
			errx(1, "no answer to the connection");
		next = PQconnectPoll(c);
		if (next == PGRES_POLLING_FAILED)
			errx(1, "%s", PQerrorMessage(c));
	}
	return c;
}

static void quiet(void *unused, const char *text)
{
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: libpq_client CONNINFO [CASE]");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (argc > 2 && strcmp(argv[2], cases[i].name))
			continue;
		PGconn *c = connect_slowly(argv[1]);

		running = cases[i].name;
		PQsetNoticeProcessor(c, quiet, NULL);
		cases[i].run(c);
		PQfinish(c);
		printf("ok %s\n", cases[i].name);
	}
	return 0;
}
