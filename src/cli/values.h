/*
 * Values: what the options of all client verbs are read into, and how a verb answers.
 */
#ifndef SLIPWAY_CLI_VALUES_H
#define SLIPWAY_CLI_VALUES_H

#include "base/opt.h"

struct cli_values {
	const char *kubeconfig, *ns, *output, *selector, *role, *zone, *name, *drain, *on_drain;
	struct opt_strs files, hosts;
	bool is_everywhere, is_watch, is_wait, is_forced, is_gateway;
	int64_t timeout_s, ttl_s;
};

#define CLI_AT(field) offsetof(struct cli_values, field)
#define CLI_KUBECONFIG                                                                             \
	{                                                                                          \
		"kubeconfig", 0, OPT_STR, CLI_AT(kubeconfig), "FILE",                              \
			"Where the platform is and who we are (else $SLIPWAY_KUBECONFIG, "         \
			"$KUBECONFIG, the "                                                        \
			"data folder's)."                                                          \
	}
#define CLI_NAMESPACE                                                                              \
	{                                                                                          \
		"namespace", 'n', OPT_STR, CLI_AT(ns), "NAMESPACE",                                \
			"The namespace (the kubeconfig's, else default)."                          \
	}
#define CLI_OUTPUT(forms, help)                                                                    \
	{                                                                                          \
		"output", 'o', OPT_STR, CLI_AT(output), forms, help                                \
	}
#define CLI_FILES(help)                                                                            \
	{                                                                                          \
		"file", 'f', OPT_STRS, CLI_AT(files), "FILE", help                                 \
	}
#define CLI_TIMEOUT(help)                                                                          \
	{                                                                                          \
		"timeout", 0, OPT_INT, CLI_AT(timeout_s), "SECONDS", help, 1, 86400                \
	}

/* Says the sentence on standard error; 1, the exit code. */
int cli_fail(const struct err *e);

/* Writes all to standard output; 0, or 1 after saying why not. */
int cli_print(const struct buf *out);

#endif
