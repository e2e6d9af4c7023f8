#include "kinds/gateway.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "base/str.h"

bool gateway_is_address(const char *text)
{
	struct in6_addr any;

	return text &&
		(inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1);
}

static bool is_host(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr(".:-", s.p[i]))
			return false;
	return s.n > 0 && s.n < GATEWAY_HOST_MAX;
}

bool gateway_is_host(const char *text)
{
	return text && is_host(str_of(text));
}

bool gateway_address(const char *text, char ret_host[GATEWAY_HOST_MAX], int *ret_port)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	struct str host;
	uint64_t port;

	if (!colon || !str_to_u64(str_of(colon + 1), &port) || port < 1 || port > 65535)
		return false;
	host = (struct str){text, (size_t)(colon - text)};
	if (str_cut_prefix(&host, "[") ? !str_cut_suffix(&host, "]")
				       : memchr(host.p, ':', host.n) != NULL)
		return false;
	if (!is_host(host))
		return false;
	snprintf(ret_host, GATEWAY_HOST_MAX, STR_FMT, STR_ARG(host));
	*ret_port = (int)port;
	return true;
}
