/*
 * Routes: what the control plane says of each Database (ARCHITECTURE.md, "What gateway and control
 * plane say to each other"), read from JSON.
 *
 * Immutable once read; a change is a new one in its place. Pure, everything in the route's own
 * arena.
 */
#ifndef SLIPWAY_GATEWAY_ROUTE_H
#define SLIPWAY_GATEWAY_ROUTE_H

#include "base/secret.h"
#include "codec/jv.h"
#include "codec/scram.h"

enum route_mode { ROUTE_SESSION, ROUTE_TRANSACTION };
enum route_drain { ROUTE_WAIT, ROUTE_REFUSE, ROUTE_END };
enum route_tls { ROUTE_VERIFY_CA, ROUTE_REQUIRE, ROUTE_OFF };

enum { ROUTE_VERIFIERS_MAX = 4, ROUTE_NAME_MAX = 255 };

struct route_member {
	const char *name, *host;
	int port;
	bool is_primary;
	int64_t lag_bytes; /* of a standby; -1: unknown */
	enum route_tls tls;
};

struct route_role {
	const char *name;
	int connections; /* -1: no limit of its own */
	struct scram verifiers[ROUTE_VERIFIERS_MAX];
	size_t verifiers_n;
};

struct route_pool {
	int64_t size, reserve, reserve_after_ms, queue_ms, min, lifetime_s, idle_s;
	int64_t clients, client_idle_s, max_lag_bytes;
	const char *reset; /* "": none */
};

struct route_hold {
	const char *id; /* NULL: open */
	int64_t drain_ms;
	enum route_drain on_drain;
	const char *next; /* member that will be primary; NULL: not said */
};

struct route {
	const char *name;
	int64_t revision, epoch;
	enum route_mode mode;
	bool needs_tls;
	const char *const *databases; /* the first is the default */
	size_t databases_n;
	struct route_pool pool;
	struct route_hold hold;
	struct route_member *members;
	size_t members_n;
	struct route_role *roles;
	size_t roles_n;
	const char *user; /* of an external server; NULL: members know the gateway's certificate */
	struct secret password;
	struct arena arena;
};

/* ERR_INVALID names what is wrong with it. */
enum err_code route_read(const json_t *v, struct route **ret, struct err *e);
void route_free(struct route *r);

const struct route_role *route_role(const struct route *r, struct str name);
const struct route_member *route_member(const struct route *r, const char *name);
const struct route_member *route_primary(const struct route *r); /* NULL: none now */
/* A standby that is not further behind than allowed, by turns; NULL: none. */
const struct route_member *route_standby(const struct route *r, unsigned turn);

/* "<route>[-ro][/<dbname>]" as a client says it: which part is what. */
struct route_place {
	struct str route, dbname; /* dbname empty: the default */
	bool is_read_only;
};
struct route_place route_place(struct str database);
/* The PostgreSQL database; NULL: the route has none of that name. */
const char *route_dbname(const struct route *r, struct str dbname);

#endif
