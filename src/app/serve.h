/* The verb `serve`: one replica of the control plane, until a signal asks it to stop. */
#ifndef SLIPWAY_APP_SERVE_H
#define SLIPWAY_APP_SERVE_H

#include "base/opt.h"

extern const struct opt_verb serve_verb;

/* <data>/serve.json, {"api": url, "pid": n}, says that it is ready. */
#define SERVE_READY "serve.json"

#endif
