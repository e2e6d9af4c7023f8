/*
 * Database: what its spec means: defaults, rules across fields, and the settings of its servers.
 *
 * Pure functions over JSON values; any thread. Whatever passes database_check has settings that a
 * server of its version starts with.
 */
#ifndef SLIPWAY_KINDS_DATABASE_H
#define SLIPWAY_KINDS_DATABASE_H

#include "codec/schema.h"

/* What a Database's name has behind it at the gateway for its read-only endpoint. */
#define DATABASE_READ_ONLY "-ro"

/* Of max_connections, for the platform: superuser_reserved_connections, which nobody may change. */
enum { DATABASE_RESERVED_CONNECTIONS = 3 };

/* struct kind's rules. */
void database_prepare(json_t *object, const json_t *old);
void database_check(const json_t *object, const json_t *old, struct schema_causes *out);
enum err_code database_check_delete(const json_t *object, struct err *e);

/* All parameters of this Database's servers that do not depend on the host: what the size stands
 * for, what the platform needs, and spec.parameters over them; {name: text}, a new value. Settings
 * that belong to one server (addresses, files, TLS, replication) are its agent's. */
json_t *database_settings(const json_t *database);

/* Does a server of this major need a restart before a changed value is in effect? */
bool database_setting_needs_restart(const char *version, const char *name);

/* Must a lowered value reach the primary before its standbys (a standby refuses to go on with less
 * than its primary has)? max_connections and its like. */
bool database_setting_is_standby_bound(const char *name);

/* Names, in order, of the settings that differ between two results of database_settings and need a
 * restart: a new array. */
json_t *database_restart_reasons(const char *version, const json_t *from, const json_t *to);

/* Bytes of spec.storage ("10Gi"); 0 where it is no such text. */
uint64_t database_storage_bytes(const char *storage);

#endif
