/*
 * Kubeconfig: where the API is, whom to trust and who we are, in the file that kubectl reads too.
 *
 * Looked for, in this order: --kubeconfig, $SLIPWAY_KUBECONFIG, $KUBECONFIG, ~/.kube/config if its
 * current context is a Slipway's, and the one in the default data folder. Texts live in the arena.
 */
#ifndef SLIPWAY_CLI_KUBECONFIG_H
#define SLIPWAY_CLI_KUBECONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct kubeconfig {
	const char *server; /* "https://127.0.0.1:6443" */
	const char *ca_pem;
	const char *token; /* NULL: none */
	const char *cert_pem, *key_pem; /* NULL: none */
	const char *ns; /* of the context; NULL: none is said */
	bool is_ours; /* its cluster is called slipway */
};

/* The default data folder, whose kubeconfig is looked at last: /var/lib/slipway for root, else
 * ~/.local/share/slipway. */
const char *kubeconfig_home(struct arena *a);

/* Reads the current context; files that it names are read too. ERR_INVALID says what is missing. */
enum err_code
kubeconfig_read(struct arena *a, const char *path, struct kubeconfig *ret, struct err *e);

/* path NULL: looks where the top of this file says. */
enum err_code
kubeconfig_find(struct arena *a, const char *path, struct kubeconfig *ret, struct err *e);

/* A file (0600, durable) with one context for this server and token. */
enum err_code kubeconfig_write(const char *path, const struct kubeconfig *k, struct err *e);

#endif
