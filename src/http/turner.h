/*
 * One event thread: turns one libmicrohttpd daemon (of its own: daemons share the listening socket
 * only). libmicrohttpd's own threads would do the same, but spin while a handshake waits for its
 * client: see http/wire.h.
 */
#ifndef SLIPWAY_HTTP_TURNER_H
#define SLIPWAY_HTTP_TURNER_H

#include <microhttpd.h>

#include "base/err.h"

struct turner;

/* The daemon: with MHD_USE_EPOLL and no thread of its own. Stays the caller's on failure. */
enum err_code
turner_start(struct MHD_Daemon *mhd, size_t stack_bytes, struct turner **ret, struct err *e);

/* The one whose thread this is; NULL: none. */
struct turner *turner_self(void);

/* From any thread: the suspended connection of this loop goes on. */
void turner_resume(struct turner *l, struct MHD_Connection *c);

/* Ends the thread, stops the daemon (no connection may be suspended), frees. */
void turner_stop(struct turner *l);

#endif
