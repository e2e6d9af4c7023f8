#include "agent/replication.h"

#include "agent/member.h"
#include "base/clock.h"
#include "base/log.h"
#include "codec/lsn.h"
#include "kinds/member.h"

enum {
	NAP_MS = 2,
	DROP_MS = 2000,
	RELOAD_MS = 30 * 1000,
	CHECKPOINT_MS = 60 * 60 * 1000, /* of a server with much to write */
	PROMOTE_S = 300,
};

static enum err_code slots_make(struct db *d, const struct want *w, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code = ERR_OK;

	for (size_t i = 0; !code && i < w->standbys_n; i++) {
		const char *const params[] = {member_slot(&a, w->standbys[i])};

		/* reserved at once: the WAL of a base backup that starts later is kept */
		code = db_exec(
			d,
			"SELECT pg_create_physical_replication_slot($1, true)"
			" WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)",
			params, 1, NULL, e);
	}
	return code;
}

static enum err_code
slot_try_drop(struct db *d, const char *const *slot, bool *ret_is_gone, struct err *e)
{
	struct db_rows rows = {0};
	enum err_code code =
		db_exec(d,
			"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
			" WHERE slot_name = $1 AND NOT active",
			slot, 1, NULL, e);

	if (!code)
		code =
			db_exec(d,
				"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
				" WHERE slot_name = $1",
				slot, 1, &rows, e);
	if (!code)
		*ret_is_gone = rows.n == 0;
	db_rows_done(&rows);
	return code;
}

static enum err_code slot_drop(struct db *d, const struct job *j, const char *slot, struct err *e)
{
	const char *const params[] = {slot};
	int64_t deadline_ms = clock_mono_ms() + DROP_MS;
	bool is_gone = false;

	for (;;) {
		enum err_code code = slot_try_drop(d, params, &is_gone, e);

		if (code)
			return code;
		if (is_gone)
			break;
		if (clock_mono_ms() > deadline_ms || job_sleep(j, NAP_MS))
			return err_set(
				e, ERR_UNAVAILABLE,
				"slot '%s' is not wanted any more, but a standby still uses it",
				slot);
	}
	log_info("slot dropped", "slot=%s", slot);
	return ERR_OK;
}

static enum err_code
slots_drop(struct db *d, const struct job *j, const struct want *w, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct db_rows rows = {0};
	enum err_code code = db_exec(
		d, "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical'", NULL,
		0, &rows, e);

	for (int i = 0; !code && i < rows.n; i++) {
		struct str text = db_text(&rows, i, 0);
		const char *slot = arena_strndup(&a, text.p, text.n);

		if (member_owns_slot(w, slot) && !member_wants_slot(w, slot))
			code = slot_drop(d, j, slot, e);
	}
	db_rows_done(&rows);
	return code;
}

enum err_code
replication_apply(struct db *d, const struct job *j, const struct want *w, struct err *e)
{
	enum err_code code = db_script(
		d,
		"DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname ="
		" 'slipway_replication') THEN CREATE ROLE slipway_replication LOGIN REPLICATION;"
		" END IF; END$$",
		e);

	if (!code)
		code = slots_make(d, w, e);
	return code ? code : slots_drop(d, j, w, e);
}

/* One value, as text. */
static enum err_code
ask(struct arena *a, struct db *d, const char *sql, const char **ret, struct err *e)
{
	struct db_rows rows = {0};
	enum err_code code = db_exec(d, sql, NULL, 0, &rows, e);

	if (!code && rows.n == 1 && !db_is_null(&rows, 0, 0))
		*ret = arena_strndup(a, db_text(&rows, 0, 0).p, db_text(&rows, 0, 0).n);
	else if (!code)
		*ret = "";
	db_rows_done(&rows);
	return code;
}

/* A file with a parameter that the server does not know is not loaded at all; a value that it does
 * not take is passed over, and so is one that waits for a restart: that one is not wrong. */
static enum err_code complain(struct db *d, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *wrong = "";
	enum err_code code =
		ask(&a, d,
		    "SELECT name || ': ' || error FROM pg_file_settings f WHERE error IS NOT NULL"
		    " AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = f.name"
		    " AND s.pending_restart) ORDER BY seqno LIMIT 1",
		    &wrong, e);

	if (!code && wrong[0])
		code = err_set(e, ERR_INVALID, "the server does not take setting %s", wrong);
	return code;
}

static enum err_code reload_once(struct db *d, const struct job *j, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	int64_t deadline_ms = clock_mono_ms() + RELOAD_MS;
	const char *before, *now;
	enum err_code code = ask(&a, d, "SELECT pg_conf_load_time()::text", &before, e);

	if (!code)
		code = db_exec(d, "SELECT pg_reload_conf()", NULL, 0, NULL, e);
	while (!code) {
		code = ask(&a, d, "SELECT pg_conf_load_time()::text", &now, e);
		if (code || strcmp(now, before) != 0)
			break;
		if (clock_mono_ms() > deadline_ms)
			code = complain(d, e);
		if (!code && clock_mono_ms() > deadline_ms)
			code = err_set(e, ERR_TIMEOUT, "the server does not load its settings");
		if (!code && job_sleep(j, NAP_MS))
			code = err_set(e, ERR_GONE, "it was called off");
	}
	return code;
}

enum err_code replication_reload(struct db *d, const struct job *j, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *unknown = "";
	enum err_code code =
		ask(&a, d,
		    "SELECT coalesce(name || ': ', '') || error FROM pg_file_settings"
		    " WHERE error IS NOT NULL AND error <> 'setting could not be applied'"
		    " ORDER BY seqno LIMIT 1",
		    &unknown, e);

	if (!code && unknown[0])
		code = err_set(e, ERR_INVALID, "the server does not take setting %s", unknown);
	if (!code)
		code = reload_once(d, j, e);
	return code ? code : complain(d, e);
}

static enum err_code names_check(struct db *d, const char *names, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *now = "";
	enum err_code code =
		ask(&a, d, "SELECT current_setting('synchronous_standby_names')", &now, e);

	if (!code && strcmp(now, names) != 0)
		code = err_set(
			e, ERR_INTERNAL,
			"synchronous_standby_names is '%s' after a reload, and '%s' is wanted", now,
			names);
	return code;
}

/* A sender that has not loaded the names yet may still count its standby, and acknowledge by it. */
static enum err_code
others_wait(struct db *d, const struct job *j, const char *names, struct err *e)
{
	const char *const params[] = {names};
	int64_t deadline_ms = clock_mono_ms() + RELOAD_MS;

	for (;;) {
		struct db_rows rows = {0};
		enum err_code code = db_exec(
			d,
			"SELECT FROM pg_stat_replication WHERE sync_priority > 0 AND state <>"
			" 'backup' AND position('\"' || application_name || '\"' IN $1) = 0",
			params, 1, &rows, e);
		int n = rows.n;

		db_rows_done(&rows);
		if (code || !n)
			return code;
		if (clock_mono_ms() > deadline_ms)
			return err_set(
				e, ERR_TIMEOUT,
				"%d standby(s) that writes shall not wait for are still counted",
				n);
		if (job_sleep(j, NAP_MS))
			return err_set(e, ERR_GONE, "it was called off");
	}
}

enum err_code replication_prove(
	struct db *d, const struct job *j, const char *names, uint64_t *ret_lsn, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *lsn = "";
	enum err_code code = reload_once(d, j, e);

	if (!code)
		code = names_check(d, names, e);
	if (!code && names[0]) {
		db_set_timeout(d, CHECKPOINT_MS);
		code = reload_once(d, j, e);
		if (!code)
			code = db_exec(d, "CHECKPOINT", NULL, 0, NULL, e);
		if (!code)
			code = others_wait(d, j, names, e);
	}
	if (!code)
		code = ask(&a, d, "SELECT pg_current_wal_lsn()::text", &lsn, e);
	return code ? code : lsn_parse(str_of(lsn), ret_lsn, e);
}

enum err_code replication_promote(struct db *d, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *done = "";
	enum err_code code;

	db_set_timeout(d, (PROMOTE_S + 10) * 1000);
	code =
		ask(&a, d,
		    arena_printf(
			    &a,
			    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, %d)"
			    " ELSE true END",
			    PROMOTE_S),
		    &done, e);
	if (!code && done[0] != 't')
		code = err_set(
			e, ERR_TIMEOUT, "the server was not promoted within %d s", PROMOTE_S);
	return code;
}
