#include "gateway/admin.h"

#include <stdio.h>
#include <strings.h>

#include "base/arena.h"
#include "gateway/carry.h"
#include "gateway/hold.h"
#include "gateway/login.h"

enum { COLUMNS = 16 };

struct table {
	struct buf *out;
	struct arena *a;
	struct hub *hub;
	struct str cells[COLUMNS];
	size_t n;
};

static void cell(struct table *t, const char *fmt, ...) PRINTF(2, 3);
static void cell(struct table *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->cells[t->n++] = str_of(arena_vprintf(t->a, fmt, ap));
	va_end(ap);
}

static void row(struct table *t)
{
	pgw_put_row(t->out, t->cells, t->n);
	t->n = 0;
}

static const char *mode_of(const struct pool *p)
{
	return p->database->route && p->database->route->mode == ROUTE_TRANSACTION ? "transaction"
										   : "session";
}

#define each_pool(t, p)                                                                            \
	map_for_each (slot, &(t)->hub->databases)                                                  \
		list_for_each (at, &((struct database *)slot->value)->pools)                       \
			for (struct pool *p = list_entry(at, struct pool, node); p; p = NULL)

static void show_pools(struct table *t)
{
	each_pool(t, p)
	{
		int64_t waits = 0;

		if (!list_is_empty(&p->line))
			waits = loop_now_us(t->hub->loop) -
				list_entry(p->line.next, struct pool_wait, node)->since_us;
		cell(t, "%s%s/%s", p->database->name, p->is_read_only ? "-ro" : "", p->dbname);
		cell(t, "%s", p->user);
		cell(t, "%u", p->clients - p->line_n);
		cell(t, "%u", p->line_n);
		cell(t, "%u", p->n[SERVER_BUSY]);
		cell(t, "%u", p->n[SERVER_IDLE]);
		cell(t, "%u", p->n[SERVER_WARM]);
		cell(t, "%u", p->n[SERVER_OPENING]);
		cell(t, "%lld", (long long)waits / 1000000);
		cell(t, "%lld", (long long)waits % 1000000);
		cell(t, "%s", mode_of(p));
		row(t);
	}
}

static void show_clients(struct table *t)
{
	list_for_each (at, &t->hub->sessions) {
		struct session *c = list_entry(at, struct session, node);
		struct str app;

		if (!c->pool)
			continue;
		app = c->vars ? vars_get(c->vars, "application_name") : STR("");
		cell(t, "C");
		cell(t, "%s", c->pool->user);
		cell(t, "%s", c->pool->database->name);
		cell(t, "%s",
		     c->is_waiting          ? "waiting"
			     : c->is_parked ? "parked"
			     : c->server    ? "active"
					    : "idle");
		cell(t, "%u", c->id);
		cell(t, "%.*s", (int)app.n, app.p ? app.p : "");
		cell(t, "%s", c->server ? c->server->member : "");
		cell(t, "%s", c->had_tls ? "yes" : "no");
		cell(t, "%llu", (unsigned long long)c->queries);
		cell(t, "%s", c->carry && c->carry->obstacle[0] ? c->carry->obstacle : "");
		row(t);
	}
}

static void show_servers(struct table *t)
{
	static const char *const places[] = {"opening", "warm", "idle", "active", "leaving"};

	each_pool(t, p) for (int i = 0; i < SERVER_PLACES; i++) list_for_each (one, &p->at[i])
	{
		struct server *s = list_entry(one, struct server, node);

		cell(t, "S");
		cell(t, "%s", p->user);
		cell(t, "%s", p->database->name);
		cell(t, "%s", places[i]);
		cell(t, "%s", s->member);
		cell(t, "%lld", (long long)s->epoch);
		cell(t, "%u", s->pid);
		cell(t, "%u", s->session ? s->session->id : 0);
		cell(t, "%zu", s->stmts.names.n);
		row(t);
	}
}

static void show_stats(struct table *t)
{
	map_for_each (slot, &t->hub->databases) {
		struct database *d = slot->value;

		cell(t, "%s", d->name);
		cell(t, "%llu", (unsigned long long)d->xacts);
		cell(t, "%llu", (unsigned long long)d->query_count);
		cell(t, "%llu", (unsigned long long)d->bytes_in);
		cell(t, "%llu", (unsigned long long)d->bytes_out);
		cell(t, "%llu", (unsigned long long)d->queries.sum_us);
		cell(t, "%llu", (unsigned long long)d->waits.sum_us);
		row(t);
	}
}

static void show_routes(struct table *t)
{
	map_for_each (slot, &t->hub->databases) {
		struct database *d = slot->value;
		const struct route_member *m = d->route ? route_primary(d->route) : NULL;
		struct hold_tally n = hold_count(d);

		cell(t, "%s", d->name);
		cell(t, "%lld", d->route ? (long long)d->route->epoch : 0);
		cell(t, "%s", m ? m->name : "");
		cell(t, "%s", m ? m->host : "");
		cell(t, "%d", m ? m->port : 0);
		cell(t, "%s", hold_name(d->hold));
		cell(t, "%s", d->hold_id);
		cell(t, "%u", n.parked);
		cell(t, "%u", n.active);
		cell(t, "%u", d->clients);
		row(t);
	}
}

static void show_version(struct table *t)
{
	cell(t, "slipway %s", SLIPWAY_VERSION);
	row(t);
}

static void show_help(struct table *t);

static const struct show {
	const char *name;
	void (*rows)(struct table *t);
	const char *columns[COLUMNS];
} shows[] = {
	{"POOLS",
	 show_pools,
	 {"database", "user", "cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_warm",
	  "sv_login", "maxwait", "maxwait_us", "pool_mode"}},
	{"CLIENTS",
	 show_clients,
	 {"type", "user", "database", "state", "id", "application_name", "member", "tls", "queries",
	  "obstacle"}},
	{"SERVERS",
	 show_servers,
	 {"type", "user", "database", "state", "member", "epoch", "remote_pid", "link",
	  "prepared_statements"}},
	{"STATS",
	 show_stats,
	 {"database", "total_xact_count", "total_query_count", "total_received", "total_sent",
	  "total_query_time", "total_wait_time"}},
	{"ROUTES",
	 show_routes,
	 {"database", "epoch", "primary", "host", "port", "hold", "hold_id", "parked", "active",
	  "clients"}},
	{"VERSION", show_version, {"version"}},
	{"HELP", show_help, {"command"}},
};

static void show_help(struct table *t)
{
	for (size_t i = 0; i < ARRAY_LEN(shows); i++) {
		cell(t, "SHOW %s", shows[i].name);
		row(t);
	}
}

static struct str next_word(struct str *rest)
{
	struct str w;

	*rest = str_trim(*rest);
	w = (struct str){rest->p, 0};
	while (w.n < rest->n && !strchr(" \t\r\n;", rest->p[w.n]))
		w.n++;
	rest->p += w.n;
	rest->n -= w.n;
	return w;
}

static bool is_word(struct str a, const char *b)
{
	return a.n == strlen(b) && !strncasecmp(a.p, b, a.n);
}

static void answer(struct session *c, struct str sql)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct buf b = {0};
	struct table t = {.out = &b, .a = &a, .hub = c->hub};
	struct str verb = next_word(&sql), what = next_word(&sql);

	for (size_t i = 0; i < ARRAY_LEN(shows); i++) {
		if (!is_word(verb, "SHOW") || !is_word(what, shows[i].name))
			continue;
		pgw_put_columns(&b, shows[i].columns);
		shows[i].rows(&t);
		pgw_put_complete(&b, "SHOW");
		session_send(c, &b);
		return;
	}
	session_error(c, "42601", "the gateway's own database knows SHOW HELP and what it lists");
}

void admin_welcome(struct session *c)
{
	struct buf b = {0};

	c->vars = vars_with(
		vars_empty(&c->hub->vars), STR("server_version"),
		STR("15.0 (slipway " SLIPWAY_VERSION ")"));
	pgw_put_parameter(&b, STR("server_version"), vars_get(c->vars, "server_version"));
	pgw_put_parameter(&b, STR("client_encoding"), STR("UTF8"));
	pgw_put_parameter(&b, STR("standard_conforming_strings"), STR("on"));
	pgw_put_key(&b, c->id, (struct str){c->key, sizeof(c->key)});
	pgw_put_ready(&b, 'I');
	session_send(c, &b);
	login_free(c->login);
	c->login = NULL;
	loop_timer_stop(c->hub->loop, &c->timer);
	c->is_admin = true;
	c->state = SESSION_READY;
}

size_t admin_data(struct session *c, const char *p, size_t n)
{
	struct pgw_msg m;
	struct str sql;
	struct buf b = {0};
	size_t used;

	switch (pgw_next((struct str){p, n}, 1 << 16, &m, &used)) {
	case PGW_MORE:
		return 0;
	case PGW_BAD:
		session_fail(c, "08P01", "the client broke the protocol");
		return n;
	case PGW_MSG:
		break;
	}
	if (m.type == 'X') {
		session_end(c, "client said goodbye");
		return n;
	}
	if (m.type == 'Q' && pgw_get_text(&m.body, &sql)) {
		answer(c, sql);
		pgw_put_ready(&b, 'I');
	} else if (m.type == 'S') {
		c->is_skipping = false;
		pgw_put_ready(&b, 'I');
	} else if (!c->is_skipping) {
		session_error(
			c, "0A000", "the gateway's own database speaks the simple protocol only");
		c->is_skipping = true;
	}
	session_send(c, &b);
	return used;
}
