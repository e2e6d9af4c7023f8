/*
 * Kubernetes' protocol buffers, read: kubectl sends its built-in kinds so (application/
 * vnd.kubernetes.protobuf), as "k8s\0" and a runtime.Unknown that wraps the object.
 *
 * Pure. Field numbers are those of k8s.io/api and k8s.io/apimachinery (generated.proto); fields
 * that are not in the tables are skipped, as the format asks for. Lengths are checked before use.
 */
#ifndef SLIPWAY_API_KUBEPB_H
#define SLIPWAY_API_KUBEPB_H

#include "codec/jv.h"

#define KUBEPB_TYPE "application/vnd.kubernetes.protobuf"

/* ERR_INVALID: broken, or of a kind that is not known here. */
enum err_code kubepb_read(struct str in, json_t **ret, struct err *e);

#endif
