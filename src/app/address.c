#include "app/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

bool address_is_ip(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

bool address_is_any(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

enum err_code address_parse(struct arena *a, const char *text, struct address *ret, struct err *e)
{
	const char *colon = strrchr(text, ':');
	struct address at;
	uint64_t port;
	struct str host;

	if (!colon || !str_to_u64(str_of(colon + 1), &port) || port > UINT16_MAX)
		return err_set(
			e, ERR_INVALID, "'%s' is no ADDRESS:PORT, such as 127.0.0.1:6443", text);
	host = (struct str){text, (size_t)(colon - text)};
	if (str_cut_prefix(&host, "["))
		str_cut_suffix(&host, "]");
	at = (struct address){arena_strndup(a, host.p, host.n), (uint16_t)port};
	if (!address_is_ip(at.host))
		return err_set(e, ERR_INVALID, "'%s' is no IP address (in '%s')", at.host, text);
	*ret = at;
	return ERR_OK;
}

const char *address_url(struct arena *a, const char *host, uint16_t port)
{
	return arena_printf(a, strchr(host, ':') ? "https://[%s]:%u" : "https://%s:%u", host, port);
}

static socklen_t to_sockaddr(const struct address *at, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, at->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(at->port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, at->host, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(at->port);
	return sizeof(*v6);
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage sa = {0};
	socklen_t n = sizeof(sa);

	getsockname(fd, (struct sockaddr *)&sa, &n);
	if (sa.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
	return ntohs(((struct sockaddr_in *)&sa)->sin_port);
}

enum err_code address_is_free(const struct address *at, uint16_t *ret_port, struct err *e)
{
	struct sockaddr_storage sa;
	socklen_t n = to_sockaddr(at, &sa);
	CLEANUP(fd_drop) int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	/* as a server would: what its last connections left behind does not count */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_os(e, "look at %s port %u", at->host, at->port);
	if (bind(fd, (struct sockaddr *)&sa, n) == 0) {
		*ret_port = bound_port(fd);
		return ERR_OK;
	}
	if (errno == EADDRINUSE)
		return err_set(
			e, ERR_CONFLICT, "port %u on %s is in use by another program", at->port,
			at->host);
	if (errno == EADDRNOTAVAIL)
		return err_set(e, ERR_INVALID, "%s is no address of this machine", at->host);
	return err_os(e, "listen on %s port %u", at->host, at->port);
}

/* host and port of "https://host:port/...". */
static bool
url_split(struct arena *a, const char *url, const char **ret_host, const char **ret_port)
{
	const char *at = strstr(url, "://"), *end;
	struct str host;

	if (!at)
		return false;
	at += 3;
	end = at + strcspn(at, "/?#");
	host = (struct str){at, (size_t)(end - at)};
	*ret_port = "443";
	for (size_t i = host.n; i-- > 0 && host.p[i] != ']';)
		if (host.p[i] == ':') {
			*ret_port = arena_strndup(a, host.p + i + 1, host.n - i - 1);
			host.n = i;
			break;
		}
	if (str_cut_prefix(&host, "["))
		str_cut_suffix(&host, "]");
	*ret_host = arena_strndup(a, host.p, host.n);
	return host.n > 0;
}

static bool own_address(const struct addrinfo *to, char ret[NI_MAXHOST])
{
	CLEANUP(fd_drop) int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	/* sends nothing: only asks the kernel for the way */
	return fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
		getsockname(fd, (struct sockaddr *)&sa, &n) == 0 &&
		getnameinfo((struct sockaddr *)&sa, n, ret, NI_MAXHOST, NULL, 0, NI_NUMERICHOST) ==
		0;
}

enum err_code address_towards(struct arena *a, const char *url, const char **ret, struct err *e)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	const char *host, *port;
	char own[NI_MAXHOST];
	struct addrinfo *all;
	bool is_found;
	int no;

	if (!url_split(a, url, &host, &port))
		return err_set(e, ERR_INVALID, "'%s' is no address such as https://host:6443", url);
	no = getaddrinfo(host, port, &hints, &all);
	if (no)
		return err_set(e, ERR_NOT_FOUND, "look up '%s': %s", host, gai_strerror(no));
	is_found = own_address(all, own);
	freeaddrinfo(all);
	if (!is_found)
		return err_os(e, "find the way to '%s'", host);
	*ret = arena_strdup(a, own);
	return ERR_OK;
}
