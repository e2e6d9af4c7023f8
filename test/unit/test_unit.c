/* What agent/unit promises: the life of a postgres is the table that agent/README.md draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/unit.h"
#include "base/file.h"

/* One line a state, one column an event, in each cell what comes next and what is done. */
static void draw(struct buf *out)
{
	buf_puts(out, "| |");
	for (int e = 0; e < UNIT_EVENTS; e++)
		buf_printf(out, " %s |", unit_event_name((enum unit_event)e));
	buf_puts(out, "\n|---|");
	for (int e = 0; e < UNIT_EVENTS; e++)
		buf_puts(out, "---|");
	for (int s = 0; s < UNIT_STATES; s++) {
		buf_printf(out, "\n| **%s** |", unit_state_name((enum unit_state)s));
		for (int e = 0; e < UNIT_EVENTS; e++) {
			struct unit_rule r = unit_next((enum unit_state)s, (enum unit_event)e);

			if (r.act)
				buf_printf(
					out, " %s → %s |", unit_act_name(r.act),
					unit_state_name(r.next));
			else
				buf_puts(out, " |");
		}
	}
	buf_putc(out, '\n');
}

static void the_readme_draws_this_table(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	CLEANUP(buf_done) struct buf table = {0};
	const char *source = getenv("SLIPWAY_SOURCE");
	struct str text;

	(void)state;
	if (!source)
		skip();
	draw(&table);
	assert_int_equal(
		file_read(
			&a, arena_printf(&a, "%s/src/agent/README.md", source), 1 << 20, &text,
			NULL),
		ERR_OK);
	if (!strstr(text.p, table.p))
		fprintf(stderr, "src/agent/README.md does not hold this table:\n%s", table.p);
	assert_non_null(strstr(text.p, table.p));
}

static void an_ignored_event_changes_nothing(void **state)
{
	(void)state;
	for (int s = 0; s < UNIT_STATES; s++)
		for (int e = 0; e < UNIT_EVENTS; e++) {
			struct unit_rule r = unit_next((enum unit_state)s, (enum unit_event)e);

			if (!r.act)
				assert_int_equal(r.next, s);
		}
}

/* Whatever happens, a process that has ended is down, and only what is down is started. */
static void an_end_is_an_end(void **state)
{
	(void)state;
	for (int s = 0; s < UNIT_STATES; s++) {
		struct unit_rule r = unit_next((enum unit_state)s, UNIT_EXITED);

		assert_int_equal(r.next, UNIT_DOWN);
		assert_true(s == UNIT_DOWN || r.act != UNIT_ACT_NONE);
		r = unit_next((enum unit_state)s, UNIT_WANT_UP);
		assert_true(s == UNIT_DOWN || r.act == UNIT_ACT_NONE);
	}
}

/* Each wait for an end has a deadline, and a harder way behind it. */
static void every_stop_ends(void **state)
{
	(void)state;
	for (int s = UNIT_STOPPING; s <= UNIT_KILLING; s++) {
		assert_true(unit_limit_ms((enum unit_state)s) > 0);
		assert_true(unit_next((enum unit_state)s, UNIT_LATE).next >= (enum unit_state)s);
		assert_true(unit_next((enum unit_state)s, UNIT_LATE).act != UNIT_ACT_NONE);
	}
	assert_int_equal(unit_limit_ms(UNIT_STARTING), 0); /* recovery takes what it takes */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_readme_draws_this_table),
		cmocka_unit_test(an_ignored_event_changes_nothing),
		cmocka_unit_test(an_end_is_an_end),
		cmocka_unit_test(every_stop_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
