/*
 * Discovery: which groups, versions and resources there are, in the old form (a document a level)
 * and the aggregated one. Pure, from the table of kinds.
 */
#ifndef SLIPWAY_API_DISCOVERY_H
#define SLIPWAY_API_DISCOVERY_H

#include "api/accept.h"
#include "codec/jv.h"

json_t *discovery_api(const char *address); /* /api: APIVersions */
json_t *discovery_apis(void); /* /apis: APIGroupList */
json_t *discovery_group(const char *group); /* NULL: no such group */
json_t *discovery_resources(const char *group_version); /* APIResourceList; NULL: none */
/* APIGroupDiscoveryList of the core group (/api) or of the others (/apis). */
json_t *discovery_aggregated(bool is_core, enum form form);

/* The Content-Type of an aggregated answer. */
const char *discovery_content_type(enum form form);

json_t *discovery_version(void); /* /version */

#endif
