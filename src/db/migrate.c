#include <stdlib.h>

#include "base/arena.h"
#include "base/embed.h"
#include "base/fault.h"
#include "base/log.h"
#include "db/db.h"

extern const struct embed sql_files[]; /* made by script/embed, in order of their names */

enum { OLDEST_SERVER = 140000, MIGRATE_MS = 600000 };

/* Any number will do, as long as every replica takes the same one. */
#define LOCK "SELECT pg_advisory_lock(7539211)"
#define UNLOCK "SELECT pg_advisory_unlock(7539211)"

/* "0003-tokens.sql" is migration 3; 0: the file is no migration. */
static uint64_t number_of(const struct embed *f)
{
	struct str rest = str_of(f->name), digits;
	uint64_t number = 0;

	if (str_ends(rest, ".sql") && str_split(&rest, '-', &digits))
		str_to_u64(digits, &number);
	return number;
}

struct str db_system_conf(void)
{
	for (const struct embed *f = sql_files; f->name; f++)
		if (str_is(str_of(f->name), "system.conf"))
			return f->bytes;
	abort(); /* it is part of the build */
}

static enum err_code apply(struct db *d, const struct embed *f, struct err *e)
{
	CLEANUP(mem_drop)
	char *script = mem_printf(
		"BEGIN;\n%s\n;INSERT INTO slipway.migration (number, name) VALUES (%llu, '%s');",
		f->bytes.p, (unsigned long long)number_of(f), f->name);
	enum err_code code = db_script(d, script, e);

	if (code == ERR_OK && fault_hit("db.migrate"))
		code = err_set(e, ERR_UNAVAILABLE, "fault point db.migrate");
	if (code == ERR_OK)
		code = db_script(d, "COMMIT", e);
	if (code != ERR_OK) {
		err_wrap(e, "migration %s", f->name);
		db_script(d, "ROLLBACK", NULL);
		return code;
	}
	log_info("schema migrated", "file=%s", f->name);
	return ERR_OK;
}

static enum err_code schema_number(struct db *d, uint64_t *ret, struct err *e)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	enum err_code code = db_script(
		d,
		"SET client_min_messages = warning;"
		"CREATE SCHEMA IF NOT EXISTS slipway;"
		"CREATE TABLE IF NOT EXISTS slipway.migration (number bigint PRIMARY KEY,"
		" name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());"
		"RESET client_min_messages",
		e);

	if (code == ERR_OK)
		code =
			db_exec(d, "SELECT coalesce(max(number), 0) FROM slipway.migration", NULL,
				0, &r, e);
	if (code == ERR_OK)
		*ret = (uint64_t)db_int(&r, 0, 0);
	return code;
}

static enum err_code migrate_locked(struct db *d, struct err *e)
{
	uint64_t have = 0, known = 0;
	enum err_code code = schema_number(d, &have, e);

	for (const struct embed *f = sql_files; f->name; f++)
		known = MAX(known, number_of(f));
	if (code == ERR_OK && have > known)
		return err_set(
			e, ERR_CONFLICT,
			"the system database has schema %llu, made by a newer slipway; this one "
			"knows up to %llu: start the newer program",
			(unsigned long long)have, (unsigned long long)known);
	for (const struct embed *f = sql_files; code == ERR_OK && f->name; f++)
		if (number_of(f) > have)
			code = apply(d, f, e);
	return code;
}

enum err_code db_migrate(struct db *d, struct err *e)
{
	int version = PQserverVersion(db_conn(d));
	enum err_code code;

	if (version < OLDEST_SERVER)
		return err_set(
			e, ERR_INVALID,
			"the system database is PostgreSQL %d; slipway needs 14 or newer",
			version / 10000);
	db_set_timeout(d, MIGRATE_MS); /* another replica may be at it */
	code = db_exec(d, LOCK, NULL, 0, NULL, e);
	if (code != ERR_OK)
		return code;
	code = migrate_locked(d, e);
	db_exec(d, UNLOCK, NULL, 0, NULL, NULL);
	return code;
}
