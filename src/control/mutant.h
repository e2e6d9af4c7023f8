/*
 * Mutants: deliberate mistakes in the rules, which the simulation must notice (test_database_sim).
 * In the product they do not exist.
 */
#ifndef SLIPWAY_CONTROL_MUTANT_H
#define SLIPWAY_CONTROL_MUTANT_H

#ifdef SLIPWAY_MUTANTS
extern int mutant; /* 0: none */
#define MUTANT(n) (mutant == (n))
#else
#define MUTANT(n) false
#endif

#define MUTANTS(X)                                                                                 \
	X(MUTANT_GROW_UNSEEN, "the row names a standby before it was seen to hold everything")     \
	X(MUTANT_GROW_NAMES_FIRST, "the primary counts a second standby that the row lacks")       \
	X(MUTANT_SHRINK_ROW_FIRST, "a row of two loses a member while the primary counts it")      \
	X(MUTANT_SHRINK_UNSEEN, "a row of two is cut before the other was seen to hold all")       \
	X(MUTANT_EMPTY_NAMES_FIRST, "the primary goes on alone while the row still has a member")  \
	X(MUTANT_TWO_AT_A_TIME, "names are changed while the last change is on its way")           \
	X(MUTANT_STRICT_LETS_GO, "a strict database goes on without a standby")                    \
	X(MUTANT_UNGUARDED, "a verdict is written whatever the row has become")                    \
	X(MUTANT_LOWER_STANDBY_FIRST, "a standby gets less than its primary has")                  \
	X(MUTANT_RAISE_PRIMARY_FIRST, "the primary gets more than its standbys have")              \
	X(MUTANT_RESTART_TOGETHER, "all servers are restarted at once")                            \
	X(MUTANT_REMOVE_COUNTED, "a standby goes that the primary waits for")                      \
	X(MUTANT_FORGET_SECRET, "a deleted database leaves its Secrets")                           \
	X(MUTANT_REUSE_NUMBER, "a member's number is used again")                                  \
	X(MUTANT_SAME_ZONE, "two members share a zone")                                            \
	X(MUTANT_VERIFIER_EARLY, "a rotated password's verifier does not wait")

#define MUTANT_ENUM(name, text) name,
enum { MUTANT_NONE, MUTANTS(MUTANT_ENUM) MUTANT_COUNT };

#endif
