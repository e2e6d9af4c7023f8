#include "agent/pgconf.h"

#include <stdio.h>

/* Our own defaults: spec.settings may say otherwise. What initdb would write depends on the
 * machine's language and time zone; this does not. */
static const char defaults[] = "lc_messages = 'C'\n"
			       "lc_monetary = 'C'\n"
			       "lc_numeric = 'C'\n"
			       "lc_time = 'C'\n"
			       "default_text_search_config = 'pg_catalog.simple'\n"
			       "wal_retrieve_retry_interval = '500ms'\n"
			       "wal_receiver_status_interval = '1s'\n"
			       "wal_receiver_timeout = '10s'\n";

/* As guc-file.l reads it: quotes are doubled, a backslash starts an escape. */
static void value_add(struct buf *out, const char *value)
{
	buf_putc(out, '\'');
	for (; *value; value++) {
		if (*value == '\n') {
			buf_puts(out, "\\n");
			continue;
		}
		if (*value == '\'' || *value == '\\')
			buf_putc(out, *value == '\'' ? '\'' : '\\');
		buf_putc(out, *value);
	}
	buf_putc(out, '\'');
}

static void setting_add(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s = ", name);
	value_add(out, value);
	buf_putc(out, '\n');
}

static void PRINTF(3, 4) setting_printf(struct buf *out, const char *name, const char *fmt, ...)
{
	char *value = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&value, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	setting_add(out, name, value);
	free(value);
}

void pgconf_conninfo_add(struct buf *out, const char *keyword, const char *value)
{
	buf_printf(out, "%s%s='", out->n ? " " : "", keyword);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *value);
	}
	buf_putc(out, '\'');
}

/* A standby that says nothing is dropped after 10 s: a frozen one holds up writes for that long,
 * and the grace (5 s) until it is let go. A standby at work answers each second; 10 s is left for a
 * disk that takes long to flush. It is asked for in the connection, not in the server: logical
 * subscribers, which answer late from within a long transaction, keep PostgreSQL's 60 s.
 *
 * verify-ca, not verify-full: libpq before 15 does not find an address in a certificate. The CA
 * signs nobody but the platform's own. */
const char *pgconf_conninfo(struct arena *a, const struct want *w, const struct pgconf *c)
{
	CLEANUP(buf_done) struct buf out = {0};
	char port[16];

	snprintf(port, sizeof(port), "%d", w->upstream_port);
	pgconf_conninfo_add(&out, "host", w->upstream_host);
	pgconf_conninfo_add(&out, "port", port);
	pgconf_conninfo_add(&out, "user", "slipway_replication");
	pgconf_conninfo_add(&out, "application_name", w->slot);
	pgconf_conninfo_add(&out, "sslmode", "verify-ca");
	pgconf_conninfo_add(&out, "sslcert", arena_printf(a, "%s/agent.crt", c->certs));
	pgconf_conninfo_add(&out, "sslkey", arena_printf(a, "%s/agent.key", c->certs));
	pgconf_conninfo_add(&out, "sslrootcert", arena_printf(a, "%s/ca.crt", c->certs));
	pgconf_conninfo_add(&out, "ssl_min_protocol_version", "TLSv1.2");
	pgconf_conninfo_add(&out, "gssencmode", "disable");
	pgconf_conninfo_add(&out, "options", "-c wal_sender_timeout=10s");
	pgconf_conninfo_add(&out, "connect_timeout", "5");
	pgconf_conninfo_add(&out, "keepalives_idle", "10");
	pgconf_conninfo_add(&out, "keepalives_interval", "5");
	pgconf_conninfo_add(&out, "keepalives_count", "3");
	return arena_strndup(a, out.p, out.n);
}

static void
replication_add(struct buf *out, struct arena *a, const struct want *w, const struct pgconf *c)
{
	setting_add(out, "synchronous_standby_names", w->is_primary ? w->sync_names : "");
	setting_add(out, "recovery_target_timeline", "latest");
	if (w->is_primary || !w->upstream_member)
		return;
	setting_add(out, "primary_conninfo", pgconf_conninfo(a, w, c));
	setting_add(out, "primary_slot_name", w->slot);
}

static struct str copy_out(struct arena *a, const struct buf *b)
{
	return (struct str){arena_strndup(a, b->p, b->n), b->n};
}

static struct str conf_text(struct arena *a, const struct want *w, const struct pgconf *c)
{
	CLEANUP(buf_done) struct buf out = {0};
	const char *name;
	json_t *value;

	buf_puts(&out, "# Written by the agent; it writes the whole of it again.\n\n");
	buf_puts(&out, defaults);
	buf_puts(&out, "\n# What the platform wants of this server.\n");
	json_object_foreach ((json_t *)w->settings, name, value)
		setting_add(&out, name, json_string_value(value));
	buf_puts(&out, "\n# What belongs to this host.\n");
	setting_add(&out, "cluster_name", w->name);
	setting_add(&out, "listen_addresses", c->address);
	setting_printf(&out, "port", "%d", c->port);
	setting_printf(&out, "unix_socket_directories", "\"%s/run\"", c->home);
	setting_add(&out, "unix_socket_permissions", "0700");
	setting_add(&out, "ssl", "on");
	setting_printf(&out, "ssl_cert_file", "%s/agent.crt", c->certs);
	setting_printf(&out, "ssl_key_file", "%s/agent.key", c->certs);
	setting_printf(&out, "ssl_ca_file", "%s/ca.crt", c->certs);
	setting_add(&out, "ssl_min_protocol_version", "TLSv1.2");
	setting_add(&out, "password_encryption", "scram-sha-256");
	setting_add(&out, "log_destination", "stderr");
	setting_add(&out, "logging_collector", "off");
	setting_add(&out, "restart_after_crash", "on");
	replication_add(&out, a, w, c);
	return copy_out(a, &out);
}

static void roles_add(struct buf *out, const struct want *w)
{
	const char *comma = "";
	json_t *role;
	size_t i;

	json_array_foreach ((json_t *)w->roles, i, role) {
		if (!jv_bool(role, "login", true))
			continue;
		buf_printf(out, "%s\"%s\"", comma, jv_str(role, "name"));
		comma = ",";
	}
}

/* Lines are chosen by address, never by whether a certificate was shown: from where a gateway
 * comes, nobody else gets in. Before 14, a certificate is known by its common name alone. */
static void
gateways_add(struct buf *out, const struct want *w, const char *database, const char *roles)
{
	json_t *gateway;
	size_t i;

	json_array_foreach ((json_t *)w->gateways, i, gateway) {
		const char *address = jv_str(gateway, "address");

		buf_printf(
			out, "hostssl \"%s\" %s %s/%d cert %smap=slipway_gateway\n", database,
			roles, address, strchr(address, ':') ? 128 : 32,
			w->major >= 14 ? "clientname=DN " : "");
	}
}

static void database_add(struct buf *out, const struct want *w, const char *name, const char *roles)
{
	gateways_add(out, w, name, roles);
	buf_printf(out, "hostssl \"%s\" %s all scram-sha-256\n", name, roles);
}

static struct str hba_text(struct arena *a, const struct want *w)
{
	CLEANUP(buf_done) struct buf out = {0};
	CLEANUP(buf_done) struct buf roles = {0};
	json_t *database;
	size_t i;

	roles_add(&roles, w);
	buf_puts(&out, "# Written by the agent; it writes the whole of it again.\n");
	buf_puts(&out, "local all \"postgres\" peer map=slipway_agent\n");
	/* before 14, a certificate is known by its common name alone */
	buf_printf(
		&out, "hostssl replication \"slipway_replication\" all cert %smap=slipway_host\n",
		w->major >= 14 ? "clientname=DN " : "");
	json_array_foreach ((json_t *)w->databases, i, database)
		if (roles.n)
			database_add(&out, w, jv_str(database, "name"), roles.p);
	return copy_out(a, &out);
}

/* One gateway may be one role. Which way round a name is written is up to who made the certificate.
 */
static void ident_add(struct buf *out, const struct want *w, const char *gateway, const char *role)
{
	if (w->major < 14) {
		buf_printf(out, "slipway_gateway \"%s\" \"%s\"\n", gateway, role);
		return;
	}
	buf_printf(
		out,
		"slipway_gateway \"CN=%s,O=slipway:gateways\" \"%s\"\n"
		"slipway_gateway \"O=slipway:gateways,CN=%s\" \"%s\"\n",
		gateway, role, gateway, role);
}

/* Every gateway may be every role that may log in: before 16 there is no "all". */
static const char *ident_gateways(struct arena *a, const struct want *w)
{
	CLEANUP(buf_done) struct buf out = {0};
	json_t *gateway, *role;
	size_t i, j;

	json_array_foreach ((json_t *)w->gateways, i, gateway)
		json_array_foreach ((json_t *)w->roles, j, role)
			if (jv_bool(role, "login", true))
				ident_add(&out, w, jv_str(gateway, "name"), jv_str(role, "name"));
	return arena_strndup(a, out.p ? out.p : "", out.n);
}

static struct str ident_text(struct arena *a, const struct want *w, const struct pgconf *c)
{
	const char *host = w->major >= 14 ? "\"/^CN=[A-Za-z0-9.-]+,O=slipway:hosts$\""
					    " \"slipway_replication\"\n"
					    "slipway_host \"/^O=slipway:hosts,CN=[A-Za-z0-9"
					    ".-]+$\""
					  : "\"/^[A-Za-z0-9.-]+$\"";

	return str_of(arena_printf(
		a,
		"# Written by the agent; it writes the whole of it again.\n"
		"slipway_agent \"%s\" \"postgres\"\n"
		"slipway_host %s \"slipway_replication\"\n"
		"%s",
		c->os_user, host, ident_gateways(a, w)));
}

void pgconf_files(
	struct arena *a, const struct want *w, const struct pgconf *c,
	struct pgconf_file ret[PGCONF_FILES], const char **ret_hash)
{
	CLEANUP(jv_drop) json_t *all = json_array();

	/* postgresql.conf last: with it, a folder is configured */
	ret[0] = (struct pgconf_file){"slipway.conf", conf_text(a, w, c)};
	ret[1] = (struct pgconf_file){"pg_hba.conf", hba_text(a, w)};
	ret[2] = (struct pgconf_file){"pg_ident.conf", ident_text(a, w, c)};
	ret[3] = (struct pgconf_file){
		"postgresql.conf",
		STR("# Written by the agent: all settings are in the file that "
		    "this one includes.\ninclude = 'slipway.conf'\n")};
	for (size_t i = 0; i < PGCONF_FILES; i++)
		json_array_append_new(all, json_stringn_nocheck(ret[i].text.p, ret[i].text.n));
	*ret_hash = jv_hash(a, all);
}
