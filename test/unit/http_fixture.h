/* A server for the tests of http/: its routes, its certificates, what its handlers leave. */
#ifndef SLIPWAY_TEST_HTTP_FIXTURE_H
#define SLIPWAY_TEST_HTTP_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/server.h"
#include "net/ca.h"
#include "tls_talk.h"

extern struct arena arena;
extern struct ca_cert ca, other_ca, server_cert, zone_cert, foreign_cert, expired_cert;
extern struct http_server *server;
extern uint16_t port;
extern struct err err;

/* What the handlers leave for the tests; those without _Atomic under a lock of their own. */
extern _Atomic int handled;
extern struct http_stream *made; /* the stream that the last /stream made */
extern int gone; /* streams whose client has gone */
extern bool is_held; /* /hold waits while this is so */
extern int holding;

/* Changes one of them and wakes those who wait. */
void say(void (*change)(void));
bool wait_for(const int *counter, int n); /* at most 5 s */

/* What the server of the tests is started with. */
struct http_server_conf conf(void);

/* For cmocka_run_group_tests. */
int group_start(void **state);
int group_end(void **state);

void connect_as(struct talk *t, const struct ca_cert *me);
/* One request on an open connection; body (may be NULL) is what must come. */
void ask(struct talk *t, const char *request, int status, const char *body);
/* Opens a connection and on it a stream, whose first line is read. */
struct http_stream *stream_open(struct talk *t, const char *request);

#endif
