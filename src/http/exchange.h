/*
 * One request and its response: libmicrohttpd's callbacks.
 *
 * An exchange belongs to its connection's event thread, but for the time in which it is suspended
 * and a worker runs the handler; a worker hands it back by resuming, and only event threads call
 * anything else of libmicrohttpd. It ends in exchange_on_completed.
 */
#ifndef SLIPWAY_HTTP_EXCHANGE_H
#define SLIPWAY_HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/server.h"
#include "http/stream.h"
#include "http/tls.h"
#include "http/workers.h"

/* What all exchanges of a server share. */
struct exchange_core {
	http_handler *handler;
	http_is_quick *is_quick; /* may be NULL */
	void *ctx;
	size_t max_body;
	int handshake_ms;
	struct tls *tls; /* NULL: plain HTTP */
	struct workers *workers;
	struct streams *streams;
	_Atomic bool is_stopping;
	_Atomic uint64_t serial; /* for request ids */
	uint32_t epoch; /* random: ids of two servers differ */
	pthread_mutex_t lock;
	pthread_cond_t ended;
	size_t running; /* exchanges */
};

void exchange_core_init(struct exchange_core *core);
void exchange_core_done(struct exchange_core *core);

/* Waits until no exchange runs, at most so long. */
void exchange_core_drain(struct exchange_core *core, int timeout_ms);

/* MHD_OPTION_URI_LOG_CALLBACK: the first that is heard of a request. */
void *exchange_on_target(void *core, const char *target, struct MHD_Connection *c);
/* MHD_AccessHandlerCallback */
enum MHD_Result exchange_on_data(
	void *core, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *n, void **slot);
/* MHD_OPTION_NOTIFY_COMPLETED */
void exchange_on_completed(
	void *core, struct MHD_Connection *c, void **slot, enum MHD_RequestTerminationCode why);
/* MHD_OPTION_NOTIFY_CONNECTION */
void exchange_on_connection(
	void *core, struct MHD_Connection *c, void **slot,
	enum MHD_ConnectionNotificationCode what);

#endif
