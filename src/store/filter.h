/* Which objects a list or watch selects. Pure. */
#ifndef SLIPWAY_STORE_FILTER_H
#define SLIPWAY_STORE_FILTER_H

#include "store/store.h"

/* A deep copy on the heap, and its end. */
struct filter {
	char *ns, *name; /* NULL: all */
	json_t *labels; /* NULL: all */
};
void filter_init(struct filter *f, const struct store_filter *from);
void filter_done(struct filter *f);

/* ERR_INVALID: labels is not as store.h says. */
enum err_code filter_check(const struct store_filter *f, struct err *e);

bool filter_takes_name(const struct filter *f, struct str ns, struct str name);

/* labels_text is a JSON object of strings; p NULL: none. */
bool filter_takes_labels(const json_t *requirements, struct str labels_text);

#endif
