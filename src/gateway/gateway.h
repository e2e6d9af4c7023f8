/*
 * Gateway: the process: its loop, its listening sockets, its routes, its signals.
 *
 * Routes come from a file (again at SIGHUP) or from the control plane (feed.h). SIGTERM drains:
 * nobody new is let in, sessions end at their next boundary. SIGINT ends at once.
 */
#ifndef SLIPWAY_GATEWAY_GATEWAY_H
#define SLIPWAY_GATEWAY_GATEWAY_H

#include "codec/jv.h"
#include "net/loop.h"

struct gateway;

struct gateway_conf {
	const char *data; /* folder: gateway.json, ca.crt, gateway.crt, gateway.key */
	const char *routes; /* file; NULL: the control plane's */
	const char *api; /* the control plane; NULL: none */
	const char *source; /* address that members are connected from; NULL: the kernel's choice */
	const char *address; /* host that clients connect to; NULL: that of listen */
	const char *listen; /* address:port; port 0: any */
	const char *cert, *key, *ca; /* files; NULL: those of the folder where they are */
	enum loop_io io;
	int64_t clients; /* at most */
	int64_t login_s, drain_s;
	uint32_t message_bytes;
};

enum err_code gateway_new(const struct gateway_conf *c, struct gateway **ret, struct err *e);
/* Until it is asked to end. */
enum err_code gateway_run(struct gateway *g, struct err *e);
void gateway_free(struct gateway *g);

/* {"databases":[…],"admins":[…]}: the whole set. Where any of it cannot be read, nothing changes.
 */
enum err_code gateway_routes(struct gateway *g, const json_t *v, struct err *e);
/* One of them, and the end of one. */
enum err_code gateway_put(struct gateway *g, const json_t *route, struct err *e);
void gateway_gone(struct gateway *g, const char *name);

#endif
