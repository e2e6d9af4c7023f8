/*
 * Content negotiation: in which form an Accept header wants its answer. Pure.
 */
#ifndef SLIPWAY_API_ACCEPT_H
#define SLIPWAY_API_ACCEPT_H

#include "base/str.h"

enum form {
	FORM_OBJECT, /* as it is */
	FORM_TABLE, /* meta.k8s.io/v1 Table */
	FORM_METADATA, /* PartialObjectMetadata, or its list */
	FORM_DISCOVERY, /* apidiscovery.k8s.io APIGroupDiscoveryList, v2 */
	FORM_DISCOVERY_BETA, /* the same, v2beta1 */
	FORM_NONE, /* nothing that we have: 406 */
};

struct accept {
	enum form form;
	bool is_yaml;
};

/* header NULL: JSON. The first entry that we have wins, as their order is their preference in every
 * client that sends "as=". is_discovery: aggregated discovery counts, Table does not. */
struct accept accept_parse(const char *header, bool is_discovery);

#endif
