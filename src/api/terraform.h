/*
 * terraform's http state backend, a state a name in a namespace:
 *
 *   address = lock_address = unlock_address = https://…/terraform/v1/state/<namespace>/<name>
 *   lock_method = "LOCK", unlock_method = "UNLOCK", username = "admin", password = <token>
 *
 * States are sealed at rest by the store.
 */
#ifndef SLIPWAY_API_TERRAFORM_H
#define SLIPWAY_API_TERRAFORM_H

#include "api/call.h"

/* GET, POST ?ID=, DELETE, LOCK, UNLOCK. 423 with the holder's JSON when somebody else holds it. */
json_t *terraform_handle(struct call *c);

#endif
