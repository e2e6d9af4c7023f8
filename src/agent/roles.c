#include "agent/roles.h"

#include <stdio.h>

#include "agent/pgconf.h"

enum { CONNECT_MS = 10 * 1000, COPY_MS = 10 * 60 * 1000 };

const char *roles_conninfo(struct arena *a, const char *home, int port, const char *database)
{
	CLEANUP(buf_done) struct buf out = {0};
	char text[16];

	snprintf(text, sizeof(text), "%d", port);
	pgconf_conninfo_add(&out, "host", arena_printf(a, "%s/run", home));
	pgconf_conninfo_add(&out, "port", text);
	pgconf_conninfo_add(&out, "user", "postgres");
	pgconf_conninfo_add(&out, "dbname", database);
	pgconf_conninfo_add(&out, "application_name", "slipway-agent");
	pgconf_conninfo_add(&out, "sslmode", "disable");
	pgconf_conninfo_add(&out, "gssencmode", "disable");
	/* what settings the want has for everybody must not stop the agent */
	pgconf_conninfo_add(
		&out, "options",
		"-c synchronous_commit=local -c statement_timeout=0 -c lock_timeout=0"
		" -c search_path=pg_catalog -c default_transaction_read_only=off");
	return arena_strndup(a, out.p, out.n);
}

/* Quoted for SQL, in the arena. */
static const char *ident(struct arena *a, struct db *d, const char *name)
{
	char *quoted = PQescapeIdentifier(db_conn(d), name, strlen(name));
	const char *ret = arena_strdup(a, quoted ? quoted : "");

	PQfreemem(quoted);
	return ret;
}

static const char *literal(struct arena *a, struct db *d, const char *text)
{
	char *quoted = PQescapeLiteral(db_conn(d), text, strlen(text));
	const char *ret = arena_strdup(a, quoted ? quoted : "");

	PQfreemem(quoted);
	return ret;
}

static enum err_code
has_row(struct db *d, const char *sql, const char *const *params, int n, bool *ret, struct err *e)
{
	struct db_rows rows = {0};
	enum err_code code = db_exec(d, sql, params, n, &rows, e);

	if (!code)
		*ret = rows.n > 0;
	db_rows_done(&rows);
	return code;
}

/* Names that the server, or we, own. */
static bool is_reserved(const char *name)
{
	return strcmp(name, "postgres") == 0 || strncmp(name, "pg_", 3) == 0 ||
		strncmp(name, "slipway", 7) == 0;
}

static enum err_code role_set(struct db *d, const json_t *role, const char *verb, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *verifier = jv_str(role, "verifier");
	bool is_login = jv_bool(role, "login", true);
	enum err_code code = db_script(
		d,
		arena_printf(
			&a,
			"%s ROLE %s %s CONNECTION LIMIT %lld NOSUPERUSER NOCREATEDB NOCREATEROLE"
			" NOREPLICATION NOBYPASSRLS INHERIT PASSWORD %s",
			verb, ident(&a, d, jv_str(role, "name")), is_login ? "LOGIN" : "NOLOGIN",
			(long long)jv_int(role, "connectionLimit", -1),
			verifier && is_login ? literal(&a, d, verifier) : "NULL"),
		e);

	return code ? err_wrap(e, "role '%s'", jv_str(role, "name")) : ERR_OK;
}

/* A verifier that is not one would be taken for a password in clear text. */
static enum err_code role_check(const json_t *role, struct err *e)
{
	const char *name = jv_str(role, "name"), *verifier = jv_str(role, "verifier");

	if (is_reserved(name))
		return err_set(e, ERR_FORBIDDEN, "role '%s': the name is reserved", name);
	if (verifier && strncmp(verifier, "SCRAM-SHA-256$", 14) != 0)
		return err_set(
			e, ERR_INVALID, "role '%s': what should be its verifier is not one", name);
	return ERR_OK;
}

static enum err_code role_apply(struct db *d, const json_t *role, struct err *e)
{
	const char *const params[] = {jv_str(role, "name")};
	bool is_there = false;
	enum err_code code = role_check(role, e);

	if (!code)
		code = has_row(
			d, "SELECT 1 FROM pg_roles WHERE rolname = $1", params, 1, &is_there, e);
	return code ? code : role_set(d, role, is_there ? "ALTER" : "CREATE", e);
}

static bool is_in(const json_t *list, struct str name)
{
	json_t *at;
	size_t i;

	json_array_foreach ((json_t *)list, i, at)
		if (json_is_string(at) && str_is(name, json_string_value(at)))
			return true;
	return false;
}

/* Takes away what we gave (the grantor is postgres) and is no longer wanted: what an owner has
 * granted stays. */
static enum err_code memberships_revoke(struct db *d, const json_t *role, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *name = jv_str(role, "name");
	const char *const params[] = {name};
	struct db_rows rows = {0};
	enum err_code code = db_exec(
		d,
		"SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
		" JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1 AND m.grantor = 10",
		params, 1, &rows, e);

	for (int i = 0; !code && i < rows.n; i++) {
		struct str group = db_text(&rows, i, 0);

		if (is_in(jv_at(role, "inRoles"), group))
			continue;
		code = db_script(
			d,
			arena_printf(
				&a, "REVOKE %s FROM %s",
				ident(&a, d, arena_strndup(&a, group.p, group.n)),
				ident(&a, d, name)),
			e);
	}
	db_rows_done(&rows);
	return code;
}

static enum err_code memberships_apply(struct db *d, const json_t *role, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *name = jv_str(role, "name");
	enum err_code code = memberships_revoke(d, role, e);
	json_t *group;
	size_t i;

	json_array_foreach (jv_at(role, "inRoles"), i, group) {
		const char *const params[] = {name, json_string_value(group)};
		bool is_there = false;

		if (code || !params[1])
			break;
		code = has_row(
			d,
			"SELECT 1 FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
			" JOIN pg_roles r ON r.oid = m.member"
			" WHERE r.rolname = $1 AND g.rolname = $2",
			params, 2, &is_there, e);
		if (!code && !is_there)
			code = db_script(
				d,
				arena_printf(
					&a, "GRANT %s TO %s", ident(&a, d, params[1]),
					ident(&a, d, name)),
				e);
	}
	return code ? err_wrap(e, "memberships of role '%s'", name) : ERR_OK;
}

/* The role that owns a database unless it says so itself. */
static const char *owner_of(const struct want *w, const json_t *database)
{
	const json_t *first = json_array_get(w->roles, 0);

	return jv_str_or(database, "owner", jv_str_or(first, "name", "postgres"));
}

static enum err_code
database_make(struct db *d, const json_t *database, const char *owner, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *name = jv_str(database, "name");
	const char *const params[] = {name};
	bool is_there = false;
	enum err_code code =
		has_row(d, "SELECT 1 FROM pg_database WHERE datname = $1", params, 1, &is_there, e);

	if (code)
		return code;
	return db_script(
		d,
		is_there ? arena_printf(
				   &a, "ALTER DATABASE %s OWNER TO %s", ident(&a, d, name),
				   ident(&a, d, owner))
			 : arena_printf(
				   &a, "CREATE DATABASE %s OWNER %s", ident(&a, d, name),
				   ident(&a, d, owner)),
		e);
}

/* In the database itself. Before 15, everybody could make tables in the schema public. */
static enum err_code inside_apply(
	struct db *d, const struct want *w, const json_t *database, const char *owner,
	struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	enum err_code code = ERR_OK;
	json_t *extension;
	size_t i;

	if (w->major < 15)
		code = db_script(
			d,
			arena_printf(
				&a,
				"DO $$BEGIN IF EXISTS (SELECT FROM pg_namespace WHERE nspname ="
				" 'public' AND nspowner = 10) THEN REVOKE CREATE ON SCHEMA public"
				" FROM PUBLIC; ALTER SCHEMA public OWNER TO %s; END IF; END$$",
				ident(&a, d, owner)),
			e);
	json_array_foreach (jv_at(database, "extensions"), i, extension) {
		const char *name = json_string_value(extension);

		if (code || !name)
			break;
		code = db_script(
			d,
			arena_printf(
				&a, "CREATE EXTENSION IF NOT EXISTS %s SCHEMA public",
				ident(&a, d, name)),
			e);
		if (code)
			err_wrap(e, "extension '%s'", name);
	}
	return code;
}

static enum err_code database_apply(
	struct db *d, const struct want *w, const json_t *database, const char *home, int port,
	struct err *e)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *name = jv_str(database, "name");
	const char *owner = owner_of(w, database);
	struct db *inside = NULL;
	enum err_code code = database_make(d, database, owner, e);

	if (!code && w->major >= 15 && json_array_size(jv_at(database, "extensions")) == 0)
		return ERR_OK; /* no need to look inside */
	if (!code)
		code = db_open(roles_conninfo(&a, home, port, name), CONNECT_MS, &inside, e);
	if (!code)
		code = inside_apply(inside, w, database, owner, e);
	db_close(inside);
	return code ? err_wrap(e, "database '%s'", name) : ERR_OK;
}

enum err_code
roles_apply(struct db *d, const struct want *w, const char *home, int port, struct err *e)
{
	enum err_code code = ERR_OK;
	json_t *at;
	size_t i;

	db_set_timeout(d, COPY_MS); /* before 15, a new database waits for two checkpoints */
	json_array_foreach ((json_t *)w->roles, i, at)
		if (!code)
			code = role_apply(d, at, e);
	json_array_foreach ((json_t *)w->roles, i, at)
		if (!code)
			code = memberships_apply(d, at, e);
	json_array_foreach ((json_t *)w->databases, i, at)
		if (!code)
			code = database_apply(d, w, at, home, port, e);
	return code;
}
