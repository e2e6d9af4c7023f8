#include "agent/port.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

void port_keep(struct port_book *b, int port)
{
	b->kept[port / 8] |= (unsigned char)(1 << port % 8);
}

void port_drop(struct port_book *b, int port)
{
	b->kept[port / 8] &= (unsigned char)~(1 << port % 8);
}

static bool is_kept(const struct port_book *b, int port)
{
	return b->kept[port / 8] >> port % 8 & 1;
}

/* Without SO_REUSEADDR: a socket with it could be bound beside this one. */
enum err_code port_hold(const char *address, int port, int *ret_fd, struct err *e)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	CLEANUP(fd_drop) int fd = -1;
	struct addrinfo *at = NULL;
	char text[16];
	int got = -1;

	snprintf(text, sizeof(text), "%d", port);
	if (getaddrinfo(address, text, &hints, &at) != 0)
		return err_set(e, ERR_INVALID, "'%s' is no IP address", address);
	fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		got = bind(fd, at->ai_addr, at->ai_addrlen);
	freeaddrinfo(at);
	if (got < 0 && errno == EADDRINUSE)
		return err_set(
			e, ERR_CONFLICT, "port %d of %s is taken by another program", port,
			address);
	if (got < 0 && errno == EADDRNOTAVAIL)
		return err_set(
			e, ERR_INVALID, "%s is not an address of this host: join with one that is",
			address);
	if (got < 0)
		return err_os(e, "bind to port %d of %s", port, address);
	*ret_fd = fd;
	fd = -1;
	return ERR_OK;
}

enum err_code
port_pick(struct port_book *b, const char *address, int *ret_port, int *ret_fd, struct err *e)
{
	for (int port = PORT_FIRST; port <= PORT_LAST; port++) {
		enum err_code code;

		if (is_kept(b, port))
			continue;
		code = port_hold(address, port, ret_fd, e);
		if (code == ERR_OK) {
			port_keep(b, port);
			*ret_port = port;
			return ERR_OK;
		}
		if (code != ERR_CONFLICT)
			return code;
	}
	return err_set(
		e, ERR_LIMIT, "no port from %d to %d of %s is free", PORT_FIRST, PORT_LAST,
		address);
}
