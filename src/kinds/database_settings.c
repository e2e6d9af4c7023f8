#include <stdlib.h>

#include "kinds/database.h"
#include "kinds/parameter.h"

struct setting {
	const char *name;
	const char *value;
};

/* What the platform needs of each server, whatever its size. WAL is always logical, so that a
 * database can be moved, or get a standby, without a restart. */
static const struct setting always[] = {
	{"wal_level", "logical"},
	{"hot_standby", "on"},
	{"wal_log_hints", "on"},
	{"max_wal_senders", "16"},
	{"max_replication_slots", "16"},
	{"max_worker_processes", "16"},
	{"max_logical_replication_workers", "8"},
	{"password_encryption", "scram-sha-256"},
	{"wal_compression", "on"},
	{"checkpoint_completion_target", "0.9"},
	{"checkpoint_timeout", "5min"},
	{"log_checkpoints", "on"},
	{"log_lock_waits", "on"},
	{"log_temp_files", "10MB"},
	{"log_autovacuum_min_duration", "10s"},
	{"log_min_duration_statement", "5s"},
	{"log_line_prefix", "%m [%p] %q%u@%d %a "},
	{"log_timezone", "UTC"},
	{"timezone", "UTC"},
	{"track_io_timing", "on"},
	{"random_page_cost", "1.1"},
	{"effective_io_concurrency", "100"},
};

static const struct setting small[] = {
	{"max_connections", "50"},         {"shared_buffers", "128MB"},
	{"effective_cache_size", "384MB"}, {"work_mem", "4MB"},
	{"maintenance_work_mem", "64MB"},  {"wal_buffers", "4MB"},
	{"min_wal_size", "80MB"},          {"max_wal_size", "1GB"},
	{"max_parallel_workers", "2"},     {"max_parallel_workers_per_gather", "1"},
};

static const struct setting medium[] = {
	{"max_connections", "150"},         {"shared_buffers", "512MB"},
	{"effective_cache_size", "1536MB"}, {"work_mem", "8MB"},
	{"maintenance_work_mem", "128MB"},  {"wal_buffers", "16MB"},
	{"min_wal_size", "256MB"},          {"max_wal_size", "4GB"},
	{"max_parallel_workers", "4"},      {"max_parallel_workers_per_gather", "2"},
};

static const struct setting large[] = {
	{"max_connections", "400"},        {"shared_buffers", "2GB"},
	{"effective_cache_size", "6GB"},   {"work_mem", "16MB"},
	{"maintenance_work_mem", "512MB"}, {"wal_buffers", "16MB"},
	{"min_wal_size", "1GB"},           {"max_wal_size", "8GB"},
	{"max_parallel_workers", "8"},     {"max_parallel_workers_per_gather", "4"},
};

static const struct size {
	const char *name;
	const struct setting *v;
	size_t n;
} sizes[] = {
	{"small", small, ARRAY_LEN(small)},
	{"medium", medium, ARRAY_LEN(medium)},
	{"large", large, ARRAY_LEN(large)},
};

/* Under the parameter's own spelling; not at all where the major does not know it. */
static void settings_put(json_t *to, int major, const char *name, const char *value)
{
	const struct parameter *p = parameter_find(major, name);

	if (p)
		json_object_set_new(to, p->name, json_string(value));
	else if (strchr(name, '.'))
		json_object_set_new(to, name, json_string(value));
}

static void settings_put_all(json_t *to, int major, const struct setting *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		settings_put(to, major, v[i].name, v[i].value);
}

static void settings_put_size(json_t *to, int major, const char *name)
{
	const struct size *size = &sizes[0];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (!strcmp(sizes[i].name, name))
			size = &sizes[i];
	settings_put_all(to, major, size->v, size->n);
}

/* A standby that is away keeps WAL on the primary: a quarter of the storage, and then it is copied
 * anew. */
static void settings_put_slots(json_t *to, int major, const char *storage)
{
	uint64_t mb = MAX(database_storage_bytes(storage) / 4 >> 20, UINT64_C(1024));
	char text[32];

	snprintf(text, sizeof(text), "%lluMB", (unsigned long long)MIN(mb, UINT64_C(2097152)));
	settings_put(to, major, "max_slot_wal_keep_size", text);
}

json_t *database_settings(const json_t *database)
{
	int major = parameter_major(jv_str_or(database, "spec.version", "15"));
	json_t *ret = json_object(), *own = jv_at(database, "spec.parameters"), *value;
	const char *name;

	settings_put_all(ret, major, always, ARRAY_LEN(always));
	settings_put_size(ret, major, jv_str_or(database, "spec.size", "small"));
	settings_put_slots(ret, major, jv_str_or(database, "spec.storage", "10Gi"));
	json_object_foreach (own, name, value)
		if (json_is_string(value))
			settings_put(ret, major, name, json_string_value(value));
	return ret;
}

bool database_setting_needs_restart(const char *version, const char *name)
{
	const struct parameter *p = parameter_find(parameter_major(version), name);

	return p && p->context == PARAMETER_RESTART;
}

bool database_setting_is_standby_bound(const char *name)
{
	static const char *const bound[] = {
		"max_connections",           "max_worker_processes",      "max_wal_senders",
		"max_prepared_transactions", "max_locks_per_transaction",
	};

	for (size_t i = 0; i < ARRAY_LEN(bound); i++)
		if (!strcmp(bound[i], name))
			return true;
	return false;
}

static void reasons_add(json_t *reasons, const char *version, const json_t *a, const json_t *b)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)a, name, value)
		if (database_setting_needs_restart(version, name) &&
		    !json_equal(value, json_object_get(b, name)))
			json_object_set_new(reasons, name, json_true());
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *database_restart_reasons(const char *version, const json_t *from, const json_t *to)
{
	json_t *found = json_object(), *ret = json_array(), *value;
	struct arena a = {0};
	const char **names, *name;
	size_t n = 0;

	reasons_add(found, version, from, to);
	reasons_add(found, version, to, from);
	names = arena_array(&a, const char *, json_object_size(found));
	json_object_foreach (found, name, value)
		names[n++] = name;
	qsort(names, n, sizeof(*names), name_compare);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(ret, json_string(names[i]));
	arena_done(&a);
	json_decref(found);
	return ret;
}

uint64_t database_storage_bytes(const char *storage)
{
	static const struct {
		const char *suffix;
		int shift;
	} units[] = {{"Mi", 20}, {"Gi", 30}, {"Ti", 40}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		struct str s = str_of(storage);
		uint64_t n;

		if (str_cut_suffix(&s, units[i].suffix))
			return str_to_u64(s, &n) && n < UINT64_C(1) << 20 ? n << units[i].shift : 0;
	}
	return 0;
}
