/*
 * Trim: gives back the memory that only the start of a process needed.
 *
 * The dynamic linker touches a good part of each library, and a start leaves garbage on the heap.
 * Pages of programs and libraries are dropped from this process (they are the page cache's, and
 * come back when they are touched), free heap pages go back to the kernel. Once, before threads
 * start.
 */
#ifndef SLIPWAY_APP_TRIM_H
#define SLIPWAY_APP_TRIM_H

/* Nothing depends on it: what the kernel refuses stays as it is. */
void trim(void);

#endif
