/*
 * Reviews: "may I?" and "who am I?", answered from the table of rules and never kept.
 */
#ifndef SLIPWAY_API_REVIEW_H
#define SLIPWAY_API_REVIEW_H

#include "api/call.h"

/* POST of a SelfSubjectAccessReview, SelfSubjectRulesReview, SelfSubjectReview. */
json_t *review_handle(struct call *c);

#endif
