#include "http/peer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"

static const union MHD_ConnectionInfo *
info(struct MHD_Connection *c, enum MHD_ConnectionInfoType type)
{
	return MHD_get_connection_info(c, type);
}

static gnutls_session_t session_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return i ? i->tls_session : NULL;
}

static void address_read(struct MHD_Connection *c, char ret[INET6_ADDRSTRLEN])
{
	const struct sockaddr *sa = info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	const void *at = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;

	if (sa->sa_family == AF_INET6)
		at = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	if (!inet_ntop(sa->sa_family, at, ret, INET6_ADDRSTRLEN))
		ret[0] = '\0';
}

struct peer *peer_new(struct MHD_Connection *c, struct tls *tls, int handshake_ms)
{
	struct peer *p = mem_alloc(sizeof(*p));

	p->loop = turner_self();
	p->wire.fd = info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	address_read(c, p->address);
	if (tls) {
		tls_session_start(tls, session_of(c));
		wire_attach(&p->wire, p->wire.fd, session_of(c), handshake_ms);
	}
	return p;
}

void peer_free(struct peer *p)
{
	wire_done(&p->wire);
	free(p);
}

struct peer *peer_of(struct MHD_Connection *c)
{
	return info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

struct http_peer peer_identify(struct peer *p, struct MHD_Connection *c)
{
	gnutls_session_t session = session_of(c);

	if (!p->is_identified && session)
		tls_identify(session, &p->id);
	p->is_identified = true;
	return (struct http_peer){
		.address = p->address,
		.name = p->id.name,
		.group = p->id.group,
		.error = p->id.error};
}
