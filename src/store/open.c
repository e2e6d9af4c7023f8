/* Opens and closes a store: puts its parts together. */
#include "store/store.h"

#include <stdlib.h>

#include "store/state.h"

enum { SESSIONS = 16 };

static enum err_code migrate(struct store *s, struct err *e)
{
	struct db *d;
	enum err_code code = sessions_open(&s->sessions, &d, e);

	if (code != ERR_OK)
		return code;
	code = db_migrate(d, e);
	db_close(d);
	return code;
}

enum err_code store_open(const struct store_conf *c, struct store **ret, struct err *e)
{
	struct store *s = mem_alloc(sizeof(*s));
	enum err_code code;

	s->key = c->key;
	busy_init(&s->busy);
	code = sessions_init(&s->sessions, c->conninfo, c->sessions ? c->sessions : SESSIONS, e);
	if (code == ERR_OK)
		code = migrate(s, e);
	if (code == ERR_OK)
		code = committer_new(&s->sessions, &s->committer, e);
	if (code != ERR_OK) {
		store_close(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	committer_free(s->committer);
	sessions_done(&s->sessions);
	busy_done(&s->busy);
	free(s);
}
