#include "api/gateways.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/follow.h"
#include "api/gateway_routes.h"
#include "api/hash.h"
#include "api/lines.h"
#include "api/reply.h"
#include "api/report.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/map.h"
#include "kinds/gateway.h"

enum {
	REPORT_MAX = 4 << 20, /* 10,000 databases */
	HOLDS_MAX = 1000,
	STUCK_MAX = 20, /* sessions named of one hold */
	SOURCES_MAX = 16,
	TEXT_MAX = 200,
	WRITING_MS = 3000,
};

/* One that has a row, or was heard. Never freed before all are. */
struct gateway {
	struct turn turn; /* the newest report */
	uint64_t row, writing; /* hashes: of its status as stored, as being written */
	int64_t writing_ms;
};

struct gateways {
	struct store *store;
	struct reports *reports;
	struct gateway_routes *routes;
	struct lines *lines;
	struct follow *follow;
	pthread_mutex_t lock;
	struct map by_name;
};

/* Rows. */

static struct gateway *gateway_get(struct gateways *g, const char *name)
{
	struct gateway *one = map_get(&g->by_name, str_of(name));

	if (one)
		return one;
	one = mem_alloc(sizeof(*one));
	map_put(&g->by_name, str_of(name), one);
	return one;
}

/* Of what the gateway itself says: conditions are the controller's. */
static uint64_t hash_of(const json_t *status)
{
	CLEANUP(jv_drop) json_t *own = json_copy((json_t *)(uintptr_t)status);

	json_object_del(own, "conditions");
	return hash_value(own);
}

static uint64_t row_hash(struct str text)
{
	CLEANUP(jv_drop) json_t *o = NULL;

	return jv_parse(text, SIZE_MAX, &o, NULL) ? 0 : hash_of(json_object_get(o, "status"));
}

static void
on_row(void *arg, enum follow_event what, const char *ns, const char *name, struct str text)
{
	struct gateways *g = arg;

	(void)ns;
	pthread_mutex_lock(&g->lock);
	if (what == FOLLOW_BEGIN) {
		map_for_each (slot, &g->by_name)
			((struct gateway *)slot->value)->row = 0;
	} else if (what == FOLLOW_PUT) {
		gateway_get(g, name)->row = row_hash(text);
	} else if (what == FOLLOW_DROP) {
		gateway_get(g, name)->row = gateway_get(g, name)->writing = 0;
	}
	pthread_mutex_unlock(&g->lock);
}

/* Hearing. */

static void on_change(void *arg)
{
	struct gateways *g = arg;

	lines_touch(g->lines, NULL);
}

static void print(void *arg, const char *name, int64_t *position, struct buf *out)
{
	struct gateways *g = arg;

	(void)name;
	gateway_routes_print(g->routes, position, out);
}

enum err_code gateways_new(
	struct store *s, struct fleet *fleet, struct reports *reports, struct gateways **ret,
	struct err *e)
{
	struct gateways *g = mem_alloc(sizeof(*g));
	enum err_code code;

	g->store = s;
	g->reports = reports;
	pthread_mutex_init(&g->lock, NULL);
	code = lines_new(print, g, &g->lines, e);
	if (!code)
		code = gateway_routes_new(s, fleet, on_change, g, &g->routes, e);
	if (!code)
		code = follow_start(s, "Gateway", on_row, g, &g->follow, e);
	if (code) {
		gateways_free(g);
		return code;
	}
	*ret = g;
	return ERR_OK;
}

/* Changes end before those who are told of them, streams before what is printed into them. */
void gateways_free(struct gateways *g)
{
	if (!g)
		return;
	follow_stop(g->follow);
	gateway_routes_stop(g->routes);
	lines_free(g->lines);
	gateway_routes_free(g->routes);
	map_for_each (slot, &g->by_name)
		free(slot->value);
	map_done(&g->by_name);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

json_t *gateways_routes(struct call *c)
{
	lines_open(c->api->gateways->lines, c);
	return NULL;
}

/* Telling. */

static void put_text(json_t *to, const char *key, const json_t *from)
{
	const char *text = json_string_value(json_object_get(from, key));

	if (text)
		json_object_set_new(
			to, key,
			jv_string((struct str){text, MIN(strlen(text), (size_t)TEXT_MAX)}));
}

static void put_number(json_t *to, const char *key, const json_t *from)
{
	json_object_set_new(to, key, json_integer(MAX(jv_int(from, key, 0), 0)));
}

static json_t *stuck_of(const json_t *hold)
{
	static const char *const keys[] = {"client", "user", "application", "reason"};
	json_t *ret = json_array(), *one, *said;
	size_t i;

	json_array_foreach (jv_at(hold, "stuck"), i, said) {
		if (i == STUCK_MAX)
			break;
		one = json_object();
		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			put_text(one, keys[k], said);
		json_array_append_new(ret, one);
	}
	return ret;
}

static json_t *hold_of(const json_t *database)
{
	const json_t *hold = jv_at(database, "hold");
	json_t *ret = json_object();

	put_text(ret, "name", database);
	put_text(ret, "id", hold);
	put_text(ret, "state", hold);
	put_number(ret, "parked", hold);
	put_number(ret, "active", hold);
	json_object_set_new(
		ret, "stuckCount", json_integer((json_int_t)json_array_size(jv_at(hold, "stuck"))));
	json_object_set_new(ret, "stuck", stuck_of(hold));
	return ret;
}

static json_t *holds_of(const json_t *report)
{
	json_t *ret = json_array(), *one;
	size_t i;

	json_array_foreach (jv_at(report, "databases"), i, one)
		if (json_is_object(jv_at(one, "hold")) && json_array_size(ret) < HOLDS_MAX)
			json_array_append_new(ret, hold_of(one));
	return ret;
}

/* Where its connections to members come from: where it listens, unless it says otherwise. */
static json_t *sources_of(const json_t *report)
{
	json_t *said = jv_at(report, "sources"), *ret = json_array(), *one;
	char host[GATEWAY_HOST_MAX];
	int port;
	size_t i;

	json_array_foreach (said, i, one)
		if (gateway_is_address(json_string_value(one)) && i < SOURCES_MAX)
			json_array_append(ret, one);
	if (!json_array_size(ret) &&
	    gateway_address(jv_str_or(report, "address", ""), host, &port) &&
	    gateway_is_address(host))
		json_array_append_new(ret, json_string(host));
	return ret;
}

json_t *gateways_status(const json_t *report)
{
	json_t *ret = json_object();

	put_text(ret, "address", report);
	put_text(ret, "version", report);
	json_object_set_new(ret, "sources", sources_of(report));
	json_object_set_new(ret, "holds", holds_of(report));
	return ret;
}

static json_t *report_check(struct call *c, const json_t *report)
{
	const char *address = jv_str(report, "address");
	char host[GATEWAY_HOST_MAX];
	int port;

	if (!json_is_object(report) ||
	    (jv_at(report, "databases") && !json_is_array(jv_at(report, "databases"))))
		return status_bad_request("a report is an object with a list of databases");
	if (!address || !gateway_address(address, host, &port))
		return status_bad_request(
			"address: \"%s\" is no host:port that clients can connect to",
			address ? address : "");
	if (!kind_name_is_ok(c->user.name))
		return status_bad_request("a gateway's certificate must be for a name");
	return NULL;
}

/* True: its row says something else, and nobody writes it yet. */
static bool
take(struct gateways *g, const char *name, struct turn turn, uint64_t status, bool *ret_is_late)
{
	int64_t now = clock_mono_ms();
	struct gateway *one;
	bool is_news;

	pthread_mutex_lock(&g->lock);
	one = gateway_get(g, name);
	*ret_is_late = !turn_take(&one->turn, turn);
	is_news = !*ret_is_late && one->row != status &&
		(one->writing != status || now - one->writing_ms > WRITING_MS);
	if (is_news) {
		one->writing = status;
		one->writing_ms = now;
	}
	pthread_mutex_unlock(&g->lock);
	return is_news;
}

static void pulse(struct call *c, const json_t *report)
{
	CLEANUP(jv_drop)
	json_t *body = json_pack(
		"{s:I, s:I}", "clients", (json_int_t)MAX(jv_int(report, "clients", 0), 0),
		"databases", (json_int_t)json_array_size(jv_at(report, "databases")));

	store_pulse_put(
		c->api->store, gateway_pulse_name(c->arena, c->user.name), jv_text(c->arena, body));
}

json_t *gateways_report(struct call *c)
{
	CLEANUP(jv_drop) json_t *report = NULL;
	json_t *told, *status;
	struct err e = {0};
	bool is_late, is_news;

	if (jv_parse(c->rq->body, REPORT_MAX, &report, &e))
		return status_bad_request("the report is broken: %s", e.text);
	status = report_check(c, report);
	if (status)
		return status;
	told = gateways_status(report);
	is_news =
		take(c->api->gateways, c->user.name,
		     (struct turn){jv_int(report, "boot", 0), jv_int(report, "number", 0)},
		     hash_of(told), &is_late);
	if (is_news) /* from here on it is the writing thread's alone */
		report_write(c->api->reports, "Gateway", c->user.name, told);
	else
		json_decref(told);
	if (is_late)
		return status_conflict(
			kind_by_name("Gateway"), c->user.name, "a newer report was taken already");
	pulse(c, report);
	buf_puts(&c->rs->body, "{}\n");
	return NULL;
}
