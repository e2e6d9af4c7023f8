#include <fnmatch.h>
#include <strings.h>

#include "base/str.h"
#include "kinds/parameter.h"

#define ADDRESS "the platform gives each server its address and port"
#define FILES "the platform lays out the server's files"
#define ACCESS "the platform says who may connect, by TLS and SCRAM"
#define REPLICATION "the platform runs replication, and no acknowledged commit may depend on it"
#define DURABLE "switching it off can lose or damage committed data"
#define LOGS "the platform collects the server's log"
#define CODE "it would load code into the server"
#define OWN "the platform needs it for its own connections"

/* What people may not set, and why. */
static const struct {
	const char *pattern; /* of the name, in lower case */
	const char *why;
	const char *only; /* "a,b": these values are fine */
} refusals[] = {
	{"listen_addresses", ADDRESS},
	{"port", ADDRESS},
	{"unix_socket_*", ADDRESS},
	{"bonjour*", ADDRESS},
	{"cluster_name", REPLICATION},
	{"data_directory*", FILES},
	{"config_file", FILES},
	{"hba_file", ACCESS},
	{"ident_file", ACCESS},
	{"external_pid_file", FILES},
	{"stats_temp_directory", FILES},
	{"allow_alter_system", "parameters are set here, so that they are the same on each server"},
	{"ssl*", ACCESS},
	{"krb_*", ACCESS},
	{"gss_*", ACCESS},
	{"db_user_namespace", ACCESS},
	{"oauth_*", ACCESS},
	{"password_encryption", ACCESS, "scram-sha-256"},
	{"synchronous_standby_names", REPLICATION},
	{"synchronous_commit",
	 "with it an acknowledged commit could be lost; a session that can do without its last "
	 "commits may SET it for itself",
	 "on,remote_apply"},
	{"primary_*", REPLICATION},
	{"promote_trigger_file", REPLICATION},
	{"trigger_file", REPLICATION},
	{"standby_mode", REPLICATION},
	{"hot_standby", REPLICATION},
	{"sync_replication_slots", REPLICATION},
	{"synchronized_standby_slots", REPLICATION},
	{"idle_replication_slot_timeout", REPLICATION},
	{"max_wal_senders", REPLICATION},
	{"max_replication_slots", REPLICATION},
	{"max_slot_wal_keep_size", REPLICATION},
	{"wal_level", REPLICATION},
	{"wal_sender_timeout", REPLICATION},
	{"wal_receiver_*", REPLICATION},
	{"default_transaction_read_only", "whether a server takes writes is the platform's to say"},
	{"restore_command", "the platform restores from its backups itself"},
	{"recovery_*", "the platform restores from its backups itself"},
	{"archive_*", "the platform archives WAL for its backups itself"},
	{"summarize_wal", "the platform archives WAL for its backups itself"},
	{"fsync", DURABLE, "on,true,yes,1"},
	{"full_page_writes", DURABLE, "on,true,yes,1"},
	{"wal_log_hints", "the platform needs it to bring an old primary back", "on,true,yes,1"},
	{"wal_sync_method", DURABLE},
	{"data_sync_retry", DURABLE},
	{"restart_after_crash", "the server's agent restarts it"},
	{"log_destination", LOGS},
	{"logging_collector", LOGS},
	{"log_directory", LOGS},
	{"log_filename", LOGS},
	{"log_file_mode", LOGS},
	{"log_rotation_*", LOGS},
	{"log_truncate_on_rotation", LOGS},
	{"syslog_*", LOGS},
	{"event_source", LOGS},
	{"dynamic_library_path", CODE},
	{"extension_control_path", CODE},
	{"extension_destdir", CODE},
	{"output_plugin_libraries", CODE},
	{"jit_provider", CODE},
	{"local_preload_libraries", CODE},
	{"superuser_reserved_connections", OWN},
	{"reserved_connections", OWN},
	{"huge_pages", "a server that insists on them may not start", "try,off"},
	{"max_stack_depth", "the host's own limit decides it"},
	{"session_replication_role", "it would switch off foreign keys and triggers"},
	{"exit_on_error", "applications would lose their sessions"},
	{"transaction_*", "it belongs to one transaction"},
	{"slipway.*", "names that begin with slipway. are the platform's"},
};

static bool is_allowed_value(const char *only, const char *value)
{
	struct str rest = str_of(only), one;

	while (rest.n && str_split(&rest, ',', &one))
		if (one.n == strlen(value) && !strncasecmp(one.p, value, one.n))
			return true;
	return false;
}

const char *parameter_refusal(struct arena *a, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (fnmatch(refusals[i].pattern, name, FNM_CASEFOLD))
			continue;
		if (refusals[i].only && is_allowed_value(refusals[i].only, value))
			return NULL;
		return arena_printf(
			a, "%s cannot be set%s%s: %s", name,
			refusals[i].only ? " to anything but " : "",
			refusals[i].only ? refusals[i].only : "", refusals[i].why);
	}
	return NULL;
}
