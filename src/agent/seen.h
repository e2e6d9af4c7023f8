/*
 * Seen: what is so of one member on this host, as far as its driver knows: plain values, no
 * pointers.
 *
 * The driver fills it in on the loop's thread and says when it has changed; member.c decides by it,
 * report.c tells it to the control plane.
 */
#ifndef SLIPWAY_AGENT_SEEN_H
#define SLIPWAY_AGENT_SEEN_H

#include "agent/unit.h"
#include "agent/want.h"

/* What a driver can be asked to do to a member: one at a time, each safe to be killed in and begun
 * anew. */
enum step {
	STEP_NONE,
	STEP_SAVE, /* keep the want, and the epoch that it brought, on disk */
	STEP_REMOVE, /* remove the member's folder */
	STEP_QUIT, /* stop the server without waiting for a checkpoint */
	STEP_STOP, /* stop the server */
	STEP_INIT, /* make a new cluster */
	STEP_COPY, /* make a standby from a base backup of upstream */
	STEP_START,
	STEP_PROMOTE,
	STEP_CONFIGURE, /* write the files of configuration, and have them loaded */
	STEP_REPLICATION, /* on a primary: the role and the slots of its standbys */
	STEP_ROLES, /* databases, roles, extensions */
	STEP_SYNC, /* on a primary: prove synchronous_standby_names to be in force */
	STEPS
};

enum seen_data {
	SEEN_NOTHING,
	SEEN_PRIMARY, /* a data folder without standby.signal */
	SEEN_STANDBY,
	SEEN_BAD, /* one that must not be started: data_why */
};

enum { SEEN_HASH = 33, SEEN_NAME = 64, SEEN_NAMES = 512, SEEN_WHY = 400, SEEN_SLOTS = 16 };

struct seen_replica {
	char slot[SEEN_NAME]; /* its application_name */
	char state[16]; /* "streaming" */
	bool is_sync; /* sync_state is sync or quorum */
	uint64_t flush_lsn;
};

/* What the server's own session says. */
struct seen_server {
	bool is_standby;
	bool is_receiving; /* a standby: its walreceiver streams */
	uint64_t lsn; /* written on a primary, replayed on a standby */
	uint64_t lag_bytes; /* received but not replayed */
	int64_t timeline;
	char system_identifier[24];
	char version[16]; /* "15.18" */
	int64_t started_us; /* wall clock */
	char pending_restart[SEEN_NAMES]; /* names of settings, with commas */
	struct seen_replica replicas[WANT_STANDBYS_MAX];
	size_t replicas_n;
	char slots[SEEN_SLOTS][SEEN_NAME]; /* physical ones */
	size_t slots_n;
};

struct seen {
	int64_t now_ms; /* monotonic: when this was looked at */

	/* the host */
	bool is_heard; /* the control plane has spoken since the agent started */
	bool has_major; /* programs of the wanted major are here */
	bool has_folder;
	enum seen_data data;
	char data_why[SEEN_WHY];

	/* state.json */
	char saved[SEEN_HASH]; /* hash of want.json */
	int64_t epoch; /* whose role is in place */
	int64_t restarted, restart_ms;
	int port; /* 0: none yet */
	bool is_noted; /* it holds what is known now */

	/* the process, and what it was told */
	enum unit_state process;
	bool is_conf_current; /* the files are as wanted, and loaded if it runs */
	char settings[SEEN_HASH]; /* want.settings_hash of what is loaded */
	char access[SEEN_HASH], roles[SEEN_HASH]; /* hashes of the want whose roles are there */
	bool is_proven; /* proven_names are in force since proven_lsn */
	char proven_names[SEEN_NAMES];
	uint64_t proven_lsn;
	bool is_probed; /* server is of this process */
	struct seen_server server;

	/* the driver */
	enum step busy; /* what it does now */
	uint64_t done_bytes, total_bytes; /* of a copy; total 0: not known */
	enum step failed; /* what it could not do, */
	char why[SEEN_WHY]; /* why, */
	int64_t retry_ms; /* and when it may try again (monotonic) */
};

#endif
