#include "http/handle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum {
	CONNECT_MS = 10000,
	BUFFER_BYTES = 8192, /* libcurl's for reading, one a handle */
};

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

struct http_client_conf handle_conf_copy(const struct http_client_conf *c)
{
	struct http_client_conf ret = {
		.base_url = copy(c->base_url),
		.ca_pem = copy(c->ca_pem),
		.token = copy(c->token),
		.cert_pem = copy(c->cert_pem),
		.key_pem = copy(c->key_pem),
		.accept = copy(c->accept),
		.trusts_anyone = c->trusts_anyone,
		.timeout_ms = c->timeout_ms ? c->timeout_ms : 30000};
	char *end = (char *)(uintptr_t)ret.base_url + strlen(ret.base_url);

	if (end > ret.base_url && end[-1] == '/')
		end[-1] = '\0';
	return ret;
}

static void wipe(const char *s)
{
	char *p = (char *)(uintptr_t)s; /* ours: handle_conf_copy made it */

	if (p)
		explicit_bzero(p, strlen(p));
	free(p);
}

void handle_conf_done(struct http_client_conf *c)
{
	free((char *)(uintptr_t)c->base_url);
	free((char *)(uintptr_t)c->ca_pem);
	free((char *)(uintptr_t)c->cert_pem);
	free((char *)(uintptr_t)c->accept);
	wipe(c->token);
	wipe(c->key_pem);
	*c = (struct http_client_conf){0};
}

static CURLcode init_code;

static void init_once(void)
{
	init_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum err_code handle_init(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_once);
	if (init_code != CURLE_OK)
		return err_set(e, ERR_INTERNAL, "libcurl: %s", curl_easy_strerror(init_code));
	return ERR_OK;
}

/* An option that this libcurl does not know, or has no memory for, is our own bug. */
#define SET(curl, option, value)                                                                   \
	do {                                                                                       \
		CURLcode set_code = curl_easy_setopt(curl, option, value);                         \
		assert(set_code == CURLE_OK);                                                      \
	} while (0)

static struct curl_blob blob(const char *pem)
{
	return (struct curl_blob){(void *)(uintptr_t)pem, strlen(pem), CURL_BLOB_NOCOPY};
}

/* Without CAPATH = NULL, libcurl would trust the system's authorities beside ours. */
static void set_tls(CURL *curl, const struct http_client_conf *c)
{
	struct curl_blob ca = blob(c->ca_pem ? c->ca_pem : "");

	SET(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(curl, CURLOPT_SSL_VERIFYPEER, c->trusts_anyone ? 0L : 1L);
	SET(curl, CURLOPT_SSL_VERIFYHOST, c->trusts_anyone ? 0L : 2L);
	SET(curl, CURLOPT_CAPATH, NULL);
	SET(curl, CURLOPT_CAINFO, NULL);
	if (c->ca_pem)
		SET(curl, CURLOPT_CAINFO_BLOB, &ca);
	if (c->cert_pem) {
		struct curl_blob cert = blob(c->cert_pem), key = blob(c->key_pem);

		SET(curl, CURLOPT_SSLCERT_BLOB, &cert);
		SET(curl, CURLOPT_SSLKEY_BLOB, &key);
	}
}

CURL *handle_new(const struct http_client_conf *c, char *why)
{
	CURL *curl = curl_easy_init();

	assert(curl);
	assert(!c->trusts_anyone || (!c->token && !c->cert_pem)); /* nothing to give away */
	SET(curl, CURLOPT_ERRORBUFFER, why);
	SET(curl, CURLOPT_NOSIGNAL, 1L);
	SET(curl, CURLOPT_PROXY, "");
	SET(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(curl, CURLOPT_PATH_AS_IS, 1L);
	SET(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(curl, CURLOPT_TCP_KEEPIDLE, 15L);
	SET(curl, CURLOPT_TCP_KEEPINTVL, 5L);
	SET(curl, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	SET(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)MIN(c->timeout_ms, CONNECT_MS));
	SET(curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	set_tls(curl, c);
	return curl;
}

static struct curl_slist *add_header(struct curl_slist *all, const char *name, const char *value)
{
	CLEANUP(mem_drop) char *line = mem_printf("%s: %s", name, value);
	struct curl_slist *ret = curl_slist_append(all, line);

	assert(ret);
	explicit_bzero(line, strlen(line));
	return ret;
}

static void set_method(CURL *curl, const struct handle_request *rq)
{
	bool is_get = strcmp(rq->method, "GET") == 0;

	SET(curl, CURLOPT_NOBODY, 0L);
	SET(curl, CURLOPT_HTTPGET, 1L);
	if (rq->content_type) {
		SET(curl, CURLOPT_POST, 1L);
		SET(curl, CURLOPT_POSTFIELDS, rq->body.p ? rq->body.p : "");
		SET(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body.n);
	} else if (strcmp(rq->method, "HEAD") == 0) {
		SET(curl, CURLOPT_NOBODY, 1L);
	}
	SET(curl, CURLOPT_CUSTOMREQUEST, is_get && !rq->content_type ? NULL : rq->method);
}

void handle_prepare(
	CURL *curl, const struct http_client_conf *c, const struct handle_request *rq,
	struct curl_slist **headers)
{
	CLEANUP(mem_drop) char *url = mem_printf("%s%s", c->base_url, rq->path_and_query);
	CLEANUP(mem_drop) char *bearer = NULL;
	struct curl_slist *all = add_header(NULL, "User-Agent", "slipway/" SLIPWAY_VERSION);

	all = curl_slist_append(all, "Expect:"); /* no wait for 100-continue */
	all = add_header(all, "Accept", c->accept ? c->accept : "application/json");
	if (rq->content_type)
		all = add_header(all, "Content-Type", rq->content_type);
	if (c->token) {
		bearer = mem_printf("Bearer %s", c->token);
		all = add_header(all, "Authorization", bearer);
		explicit_bzero(bearer, strlen(bearer));
	}
	SET(curl, CURLOPT_URL, url);
	SET(curl, CURLOPT_HTTPHEADER, all);
	set_method(curl, rq);
	*headers = all;
}

struct meaning {
	CURLcode no;
	enum err_code code;
	const char *text; /* NULL: libcurl's own */
};

static const struct meaning meanings[] = {
	{CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, NULL},
	{CURLE_PEER_FAILED_VERIFICATION, ERR_UNAUTHORIZED, NULL},
	{CURLE_URL_MALFORMAT, ERR_INVALID, NULL},
	{CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID, NULL},
	{CURLE_SSL_CERTPROBLEM, ERR_INVALID, "our own certificate or its key cannot be used"},
	{CURLE_SSL_CACERT_BADFILE, ERR_INVALID, "the CA's certificate cannot be used"},
	{CURLE_GOT_NOTHING, ERR_UNAVAILABLE, "the server closed the connection"},
};

enum err_code
handle_error(const struct http_client_conf *c, CURLcode no, const char *why, struct err *e)
{
	const char *text = why[0] ? why : curl_easy_strerror(no);
	enum err_code code = ERR_UNAVAILABLE;

	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].no == no) {
			code = meanings[i].code;
			text = meanings[i].text ? meanings[i].text : text;
		}
	return err_set(e, code, "%s: %s", c->base_url, text);
}
