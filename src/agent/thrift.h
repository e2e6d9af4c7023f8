/*
 * Thrift: gives memory back that only the start of the process, or the last big job, needed.
 *
 * Start-up touches most pages of a dozen libraries once (symbols, relocations). They are clean
 * copies of files: given back, the few that are needed again come from the page cache. An agent
 * shares its host with the databases, and runs for months: this is a third of its size.
 */
#ifndef SLIPWAY_AGENT_THRIFT_H
#define SLIPWAY_AGENT_THRIFT_H

/* Some milliseconds. Any thread; what cannot be read or given back stays. */
void thrift_trim(void);

#endif
