/*
 * Servers and agents of test_database_sim: members that are made, started, replicated and removed
 * in steps, agents that hear and report late.
 */
#ifndef SIM_SERVERS_H
#define SIM_SERVERS_H

#include "control_world.h"

enum { SERVERS = 32, REPORTS = 4 };

enum server_state { SERVER_NONE, SERVER_DOWN, SERVER_UP, SERVER_REMOVED };

/* A member on its host. Positions in the WAL count commits. */
struct server {
	char name[64];
	char uid[40];
	bool is_there; /* the agent knows of it */
	bool is_wiped; /* its host was lost, or somebody had it deleted: it may lack anything */
	enum server_state state;
	json_t *want; /* the spec that the agent last got */
	bool is_going;
	json_t *conf, *effect; /* settings in the file, and in effect */
	char names[200]; /* synchronous_standby_names in force */
	int64_t flushed; /* the primary's: written */
	int64_t since; /* where its names were in force */
	bool is_proven[SERVERS]; /* seen past that */
	bool is_connected; /* a standby to its primary */
	int64_t restarted, epoch;
	char roles[40];
	json_t *reports[REPORTS]; /* on their way to the control plane, in order */
	size_t reports_n;
};

/* One of two controllers, in the middle of its work. */
struct leader {
	json_t *database, *members, *secrets;
	struct outcome *out;
	struct arena arena;
};

struct sim {
	struct world w;
	struct server servers[SERVERS];
	size_t servers_n;
	struct leader leaders[2];
	uint64_t random;
	int64_t fetched; /* number of the password that somebody last read */
	int64_t acked; /* the last commit that somebody was told of */
	bool is_strict, is_verbose, was_ever_synchronous;
	size_t step;
	json_t *names_seen; /* of Members, by uid */
	char broken[300]; /* the first rule that did not hold */
};

uint64_t sim_roll(struct sim *s, uint64_t n); /* below n */
void sim_tell(struct sim *s, const char *fmt, ...) PRINTF(2, 3);
void sim_broken(struct sim *s, const char *fmt, ...) PRINTF(2, 3); /* keeps the first */

struct server *sim_server_find(struct sim *s, const char *name);
struct server *sim_primary_of(struct sim *s);
const struct place_host *sim_host_of(struct sim *s, const struct server *v);
bool sim_is_role(const struct server *v, const char *role);
bool sim_is_in_set(struct sim *s, const struct server *v); /* as the row says */
bool sim_is_named(const char *names, const struct server *v);

/* Who waits for a commit is told of it as soon as one of those that count has it. */
void sim_acknowledge(struct sim *s);
void sim_server_down(struct sim *s, struct server *v);
void sim_server_step(struct sim *s, struct server *v);

/* Agents: wants down, reports up, delivered later. */
void sim_wants(struct sim *s);
void sim_report(struct sim *s, struct server *v);
void sim_deliver(struct sim *s, struct server *v);

#endif
