/* The few words that every file uses: attributes, sizes, ownership of things that are not memory.
 */
#ifndef SLIPWAY_BASE_DEFS_H
#define SLIPWAY_BASE_DEFS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/param.h> /* MIN, MAX */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* CLEANUP(fd_drop) int fd = open(...): fd_drop(&fd) runs where the scope ends. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))
#define MUST_USE __attribute__((warn_unused_result))

#endif
