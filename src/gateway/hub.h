/*
 * Hub: what all parts of a gateway share: the loop, the tables, the settings, the counters. Wired
 * by gateway.c; everything on the loop's thread.
 */
#ifndef SLIPWAY_GATEWAY_HUB_H
#define SLIPWAY_GATEWAY_HUB_H

#include <netinet/in.h>

#include "base/list.h"
#include "base/map.h"
#include "gateway/stmt.h"
#include "gateway/vars.h"
#include "net/loop.h"
#include "net/tlsio.h"

struct route;
struct server_ops;
struct session_ops;
struct session;

struct hub_limits {
	uint32_t message_bytes; /* the longest message that is passed on */
	uint32_t look_bytes; /* the longest that must be seen whole: Parse, an error, a tag */
	int64_t login_us; /* from connected to logged in */
	int64_t connect_us; /* of a server, to ready */
	unsigned clients; /* in all */
	unsigned statements; /* that a server keeps prepared, in transaction mode */
};

struct hub_counts {
	uint64_t logins, refused, cancels, ended;
};

struct hub {
	struct loop *loop;
	struct hub_limits limits;
	struct hub_counts counts;
	struct vars_table vars;
	struct stmt_table stmts;
	struct map databases; /* struct database by the route's name */
	struct route *admins; /* roles of the admin database; NULL: none */
	struct map storms; /* struct storm of login.c by address */
	struct list sessions; /* struct session */
	unsigned clients;
	struct session **ids; /* by id: cancel keys, names for people */
	uint32_t ids_n, ids_free; /* the first id that may be free */
	const struct server_ops *server_ops;
	const struct session_ops *session_ops;
	struct tlsio_ctx *tls_clients; /* NULL: no TLS for clients */
	struct tlsio_ctx *tls_members; /* verify-ca, with the gateway's certificate */
	struct tlsio_ctx *tls_any; /* members whose certificate nobody checks */
	struct sockaddr_in source; /* of connections to members; sin_family 0: any */
	unsigned char secret[32]; /* of mock verifiers */
	bool is_draining;
	int64_t drain_until_us;
};

#endif
