/*
 * Work: the steps of a real server that block: straight-line code in a job's thread.
 *
 * Each can be killed anywhere and be begun anew. It gets copies of what it needs, changes its copy
 * of the state only for what is done, and the server takes that over when it has ended, also in
 * failure. Before its own work, each keeps the want that it acts on.
 */
#ifndef SLIPWAY_AGENT_WORK_H
#define SLIPWAY_AGENT_WORK_H

#include "agent/driver.h"
#include "agent/home.h"
#include "agent/job.h"

struct work {
	struct job job;
	enum step step;

	/* what it works on; the server keeps them */
	const struct driver_host *host;
	const char *home;
	const char *bin; /* programs of the wanted major; NULL: none */
	struct want *want;
	bool is_saved; /* want.json is this want */
	bool has_process;
	struct home_state state;

	/* what comes out of it */
	bool is_noted; /* state.json holds state */

	/* while it runs: bytes of a copy */
	atomic_ullong done_bytes, total_bytes;
};

/* Everything but step, want and state is set. For job_start. */
enum err_code work_run(struct job *j, struct err *e);

/* The hash over the files of configuration that this want means here. */
void work_conf_hash(
	const struct driver_host *h, const char *home, const struct want *w, int port,
	char ret[HOME_HASH]);

#endif
