/* Time. Deadlines count on the monotonic clock; the wall clock is for people and rows only. */
#ifndef SLIPWAY_BASE_CLOCK_H
#define SLIPWAY_BASE_CLOCK_H

#include "base/err.h"
#include "base/str.h"

enum { CLOCK_TEXT = 32 };

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_wall_us(void); /* microseconds since 1970 */

/* RFC 3339 in UTC with milliseconds, "2026-11-24T09:00:00.123Z"; returns ret. */
const char *clock_text(int64_t wall_us, char ret[CLOCK_TEXT]);

/* As Kubernetes writes metav1.Time: whole seconds, "2026-11-24T09:00:00Z". */
const char *clock_text_s(int64_t wall_us, char ret[CLOCK_TEXT]);

/* RFC 3339 with any offset and up to nine digits of a second. */
enum err_code clock_parse(struct str in, int64_t *ret_wall_us, struct err *e);

/* An age as kubectl writes it: "5s", "3m12s", "4h", "12d"; returns ret. */
const char *clock_age(int64_t us, char ret[CLOCK_TEXT]);

#endif
