/* What the agent promises to the control plane: it joins only the right one, obeys its wants, tells
 * what changed at once, renews its certificate, and comes back by itself. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/driver.h"
#include "agent/identity.h"
#include "agent/renew.h"
#include "base/boot.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "codec/jv.h"
#include "http/server.h"
#include "net/ca.h"

enum { LIMIT_MS = 20 * 1000 };

/* A control plane of one page. Its handlers run on threads of the server. */
struct plane {
	pthread_mutex_t lock;
	struct arena arena;
	struct ca_cert ca;
	struct http_server *server;
	uint16_t port;
	const char *token_secret;
	bool is_spent;
	char *wants; /* the line that a stream begins with */
	struct http_stream *stream;
	json_t *report; /* the last one */
	int reports, streams, renewals;
	char peer[64], group[64]; /* of the last report */
};

static struct plane plane;
static uv_loop_t loop;
static uv_timer_t tick;
static char dir[32];

static void answer(struct http_response *rs, int status, json_t *body)
{
	rs->status = status;
	jv_print(&rs->body, body, false);
	json_decref(body);
}

static void on_join(struct http_request *rq, struct http_response *rs)
{
	const struct ca_name name = {"zone-a", "slipway:hosts", NULL, 90};
	CLEANUP(jv_drop) json_t *body = NULL;
	const char *cert, *token;

	assert_int_equal(jv_parse(rq->body, 1 << 20, &body, NULL), ERR_OK);
	token = jv_str_or(body, "token", "");
	if (plane.is_spent || strncmp(token, plane.token_secret, strlen(plane.token_secret)) != 0) {
		answer(rs, 401, json_pack("{ss}", "message", "the join token is used up"));
		return;
	}
	plane.is_spent = true;
	assert_int_equal(
		ca_sign(&plane.arena, &plane.ca, jv_str(body, "csr"), &name, &cert, NULL), ERR_OK);
	answer(rs, 201,
	       json_pack(
		       "{ss ss ss}", "name", "zone-a", "certificate", cert, "ca",
		       plane.ca.cert_pem));
}

static void on_renew(struct http_request *rq, struct http_response *rs)
{
	const struct ca_name name = {"zone-a", "slipway:hosts", NULL, 90};
	CLEANUP(jv_drop) json_t *body = NULL;
	const char *cert;

	assert_int_equal(jv_parse(rq->body, 1 << 20, &body, NULL), ERR_OK);
	assert_int_equal(
		ca_sign(&plane.arena, &plane.ca, jv_str(body, "csr"), &name, &cert, NULL), ERR_OK);
	plane.renewals++;
	answer(rs, 200, json_pack("{ss}", "certificate", cert));
}

static void on_report(struct http_request *rq, struct http_response *rs)
{
	json_decref(plane.report);
	plane.report = NULL;
	assert_int_equal(jv_parse(rq->body, 1 << 20, &plane.report, NULL), ERR_OK);
	plane.reports++;
	snprintf(plane.peer, sizeof(plane.peer), "%s", rq->peer.name);
	snprintf(plane.group, sizeof(plane.group), "%s", rq->peer.group);
	answer(rs, 200, json_pack("{si}", "members", 0));
}

static void on_wants(struct http_request *rq, struct http_response *rs)
{
	plane.streams++;
	if (plane.stream)
		http_stream_close(plane.stream);
	plane.stream = http_stream_new(rq, 1 << 20, NULL, NULL);
	rs->stream = plane.stream;
	if (plane.wants)
		http_stream_write(plane.stream, str_of(plane.wants));
}

static void handler(void *ctx, struct http_request *rq, struct http_response *rs)
{
	(void)ctx;
	pthread_mutex_lock(&plane.lock);
	if (strcmp(rq->path, "/agent/v1/ca") == 0)
		buf_puts(&rs->body, plane.ca.cert_pem);
	else if (strcmp(rq->path, "/agent/v1/join") == 0)
		on_join(rq, rs);
	else if (strcmp(rq->path, "/agent/v1/renew") == 0)
		on_renew(rq, rs);
	else if (strcmp(rq->path, "/agent/v1/report") == 0)
		on_report(rq, rs);
	else if (strcmp(rq->path, "/agent/v1/wants") == 0)
		on_wants(rq, rs);
	else
		rs->status = 404;
	pthread_mutex_unlock(&plane.lock);
}

static void plane_start(void)
{
	const char *const hosts[] = {"127.0.0.1", NULL};
	const struct ca_name name = {"serve", "slipway:servers", hosts, 90};
	struct http_server_conf conf = {.address = "127.0.0.1", .handler = handler};
	struct ca_cert cert;
	struct err e;

	assert_int_equal(ca_issue(&plane.arena, &plane.ca, &name, &cert, NULL), ERR_OK);
	conf.port = plane.port; /* the same as before, once it is known */
	conf.cert_pem = cert.cert_pem;
	conf.key_pem = cert.key_pem;
	conf.client_ca_pem = plane.ca.cert_pem;
	if (http_server_start(&conf, &plane.server, &e))
		fail_msg("%s", e.text);
	plane.port = http_server_port(plane.server);
}

static void plane_stop(void)
{
	pthread_mutex_lock(&plane.lock);
	if (plane.stream)
		http_stream_close(plane.stream);
	plane.stream = NULL;
	pthread_mutex_unlock(&plane.lock);
	http_server_stop(plane.server);
	plane.server = NULL;
}

static void plane_wants(const char *line)
{
	pthread_mutex_lock(&plane.lock);
	free(plane.wants);
	plane.wants = mem_strdup(line);
	if (plane.stream)
		http_stream_write(plane.stream, str_of(line));
	pthread_mutex_unlock(&plane.lock);
}

static bool looks(bool (*what)(void))
{
	bool ret;

	pthread_mutex_lock(&plane.lock);
	ret = what();
	pthread_mutex_unlock(&plane.lock);
	return ret;
}

static void wait_for(bool (*what)(void))
{
	int64_t deadline = clock_mono_ms() + LIMIT_MS;

	while (!looks(what)) {
		uv_run(&loop, UV_RUN_ONCE);
		assert_true(clock_mono_ms() < deadline);
	}
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static const char *member_state(size_t i)
{
	const json_t *m = json_array_get(jv_at(plane.report, "members"), i);

	return jv_str_or(m, "status.state", "");
}

static bool has_report(void)
{
	return plane.report;
}

static bool is_running(void)
{
	return strcmp(member_state(0), "Running") == 0 && strcmp(member_state(1), "Running") == 0 &&
		json_array_size(
			jv_at(json_array_get(jv_at(plane.report, "members"), 0),
			      "status.synchronous.members")) == 1;
}

/* The one that cannot be read, the other that goes on, and the one that nobody names. */
static bool is_told(void)
{
	return strcmp(member_state(0), "Failed") == 0 && strcmp(member_state(1), "Running") == 0 &&
		json_array_size(jv_at(plane.report, "orphans")) == 1;
}

static bool is_removed(void)
{
	return strcmp(member_state(0), "Removed") == 0;
}

static bool has_no_member(void)
{
	return plane.report && json_array_size(jv_at(plane.report, "members")) == 0;
}

static int streams_before;

static bool has_new_stream(void)
{
	return plane.streams > streams_before;
}

static int reports_before;

static bool has_new_reports(void)
{
	return plane.reports > reports_before + 1;
}

static const char *token_make(struct arena *a)
{
	const char *fingerprint;

	assert_int_equal(ca_fingerprint(a, plane.ca.cert_pem, &fingerprint, NULL), ERR_OK);
	return arena_printf(a, "%s.%.32s", plane.token_secret, fingerprint);
}

static struct agent_join join_conf(struct arena *a)
{
	return (struct agent_join){
		.data = arena_printf(a, "%s/agent", dir),
		.url = arena_printf(a, "https://127.0.0.1:%d", plane.port),
		.token = token_make(a),
		.name = "zone-a",
		.zone = "zone-a",
		.address = "127.0.0.1",
	};
}

static void a_token_is_never_shown_to_another_platform(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct agent_join j = join_conf(&a);
	struct err e;

	(void)state;
	j.token = "secret.00000000000000000000000000000000";
	assert_int_equal(agent_join(&j, &e), ERR_FORBIDDEN);
	assert_false(plane.is_spent);
	j.token = "secret";
	assert_int_equal(agent_join(&j, &e), ERR_INVALID);
	j.token = "secret.00";
	assert_int_equal(agent_join(&j, &e), ERR_INVALID);
}

static void a_join_spends_the_token_once(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct agent_join j = join_conf(&a), other = j;
	struct identity id;
	struct err e;

	(void)state;
	if (agent_join(&j, &e))
		fail_msg("%s", e.text);
	assert_true(plane.is_spent);
	assert_int_equal(identity_load(&a, j.data, &id, &e), ERR_OK);
	assert_string_equal(id.name, "zone-a");
	assert_int_equal(agent_join(&j, &e), ERR_OK); /* nothing is spent */
	other.data = arena_printf(&a, "%s/other", dir);
	assert_int_equal(agent_join(&other, &e), ERR_FORBIDDEN);
	assert_non_null(strstr(e.text, "the join token is used up"));
}

/* A kill between any two steps of a renewal leaves a pair that belongs together. */
static void each_life_has_a_greater_number(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	const char *data = arena_printf(&a, "/tmp/slipway-boot-%d", (int)getpid());
	const char *path = arena_printf(&a, "%s/boot", data);
	int64_t boot = 0, next = 0, now = clock_wall_us();
	struct err e;

	(void)state;
	assert_int_equal(dir_make(data, 0700, &e), ERR_OK);
	assert_int_equal(boot_next(data, &boot, &e), ERR_OK);
	assert_true(boot >= now);
	assert_int_equal(boot_next(data, &next, &e), ERR_OK);
	assert_true(next > boot);
	/* the clock was set back */
	assert_int_equal(file_write(path, 0600, STR("9000000000000000000\n"), &e), ERR_OK);
	assert_int_equal(boot_next(data, &next, &e), ERR_OK);
	assert_true(next == INT64_C(9000000000000000001));
	assert_int_equal(dir_remove(data, &e), ERR_OK);
	assert_int_equal(boot_next(data, &next, &e), ERR_NOT_FOUND);
}

static void a_renewal_that_was_cut_short_leaves_a_pair(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct agent_join j = join_conf(&a);
	const struct ca_name name = {"zone-a", "slipway:hosts", NULL, 90};
	struct identity id;
	struct ca_cert next;
	struct err e;

	(void)state;
	for (int cut = 0; cut < 4; cut++) {
		bool is_new = cut >= 2;

		assert_int_equal(ca_issue(&a, &plane.ca, &name, &next, NULL), ERR_OK);
		assert_int_equal(identity_load(&a, j.data, &id, &e), ERR_OK);
		/* what is on the disk after so many of its steps */
		if (cut >= 1 && cut < 4)
			assert_int_equal(
				file_write(
					arena_printf(&a, "%s/agent.key.new", j.data), 0600,
					str_of(next.key_pem), NULL),
				ERR_OK);
		if (cut == 2)
			assert_int_equal(
				file_write(
					arena_printf(&a, "%s/agent.crt.new", j.data), 0600,
					str_of(next.cert_pem), NULL),
				ERR_OK);
		if (cut == 3)
			assert_int_equal(
				file_write(
					arena_printf(&a, "%s/agent.crt", j.data), 0600,
					str_of(next.cert_pem), NULL),
				ERR_OK);
		assert_int_equal(identity_load(&a, j.data, &id, &e), ERR_OK);
		assert_true((strcmp(id.key_pem, next.key_pem) == 0) == is_new);
		assert_false(file_exists(arena_printf(&a, "%s/agent.key.new", j.data)));
	}
	assert_int_equal(identity_replace(j.data, next.cert_pem, "no key", &e), ERR_INVALID);
}

#define MEMBER(n, role, more)                                                                      \
	"{\"uid\":\"00000000000" n "-0000\",\"namespace\":\"dev\",\"name\":\"orders-" n "\","      \
	"\"deleting\":false,\"spec\":{\"database\":\"orders\",\"version\":\"15\",\"role\":\"" role \
	"\",\"epoch\":1" more "}}"

static void wants_come_down_and_reports_go_up(void **state)
{
	(void)state;
	wait_for(has_report);
	assert_string_equal(plane.peer, "zone-a");
	assert_string_equal(plane.group, "slipway:hosts");
	plane_wants("{\"type\":\"wants\",\"revision\":\"1\",\"members\":["
		    MEMBER("1", "primary",
			   ",\"standbys\":[\"orders-2\"],"
			   "\"synchronousStandbyNames\":\"ANY 1 (\\\"orders_2\\\")\"")
		    "," MEMBER("2", "standby",
			       ",\"upstream\":{\"member\":\"orders-1\",\"host\":\"127.0.0.1\","
			       "\"port\":5433}")
		    "]}\n{\"type\":\"ping\"}\n");
	wait_for(is_running);
}

/* Beside what is right: the rest goes on. */
static void a_want_that_is_not_understood_is_told(void **state)
{
	(void)state;
	plane_wants("{\"type\":\"wants\",\"revision\":\"2\",\"members\":[{\"uid\":\"1\","
		    "\"namespace\":\"dev\",\"name\":\"x\"}," MEMBER("1", "primary", "") "]}\n");
	wait_for(is_told);
}

static void a_removed_member_is_told_until_nobody_names_it(void **state)
{
	(void)state;
	plane_wants(
		"{\"type\":\"wants\",\"revision\":\"3\",\"members\":[{\"uid\":"
		"\"000000000001-0000\",\"namespace\":\"dev\",\"name\":\"orders-1\",\"deleting\":"
		"true,\"spec\":{\"database\":\"orders\",\"version\":\"15\",\"role\":\"primary\","
		"\"epoch\":1}}]}\n");
	wait_for(is_removed);
	reports_before = plane.reports;
	wait_for(has_new_reports);
	assert_true(looks(is_removed));
	plane_wants("{\"type\":\"wants\",\"revision\":\"4\",\"members\":[]}\n");
	wait_for(has_no_member);
}

static void a_plane_that_was_away_is_found_again(void **state)
{
	(void)state;
	plane_stop();
	for (int64_t end = clock_mono_ms() + 300; clock_mono_ms() < end;)
		uv_run(&loop, UV_RUN_ONCE);
	streams_before = plane.streams;
	reports_before = plane.reports;
	plane_start();
	wait_for(has_new_stream);
	wait_for(has_new_reports);
}

static struct agent *agent;

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static int set_up(void **state)
{
	(void)state;
	pthread_mutex_init(&plane.lock, NULL);
	plane.token_secret = "s3cr3t";
	snprintf(dir, sizeof(dir), "/tmp/agent.XXXXXX");
	if (!mkdtemp(dir) || ca_new(&plane.arena, "test", &plane.ca, NULL))
		return -1;
	plane_start();
	uv_loop_init(&loop);
	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, on_tick, 5, 5);
	return 0;
}

static void agent_begins(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	const struct agent_conf conf = {
		.data = arena_printf(&a, "%s/agent", dir), .driver = &agent_driver_fake};
	struct err e;

	(void)state;
	if (agent_new(&loop, &conf, &agent, &e))
		fail_msg("%s", e.text);
}

static void no_wants(void *arg, const json_t *wants)
{
	(void)arg;
	(void)wants;
}

static json_t *empty_report(void *arg)
{
	(void)arg;
	return json_object();
}

static const struct link_ops link_ops = {.wants = no_wants, .report = empty_report};
static struct link link_of_renew;
static int parts_closed;

static void on_renewed(void *arg, const struct identity *id)
{
	struct err e;

	if (link_renew(&link_of_renew, id, &e))
		fail_msg("%s", e.text);
	*(bool *)arg = true;
}

static void on_link_closed(struct link *l)
{
	(void)l;
	parts_closed++;
}

static void on_renew_closed(struct renew *r)
{
	(void)r;
	parts_closed++;
}

static void a_certificate_is_renewed_in_place(void **state)
{
	CLEANUP(arena_done) struct arena a = {0};
	struct agent_join j = join_conf(&a);
	struct identity before, after;
	bool is_renewed = false;
	struct renew r = {
		.data = j.data,
		.link = &link_of_renew,
		.id = &before,
		.on_renewed = on_renewed,
		.arg = &is_renewed,
	};
	int64_t end;
	struct err e;

	(void)state;
	assert_int_equal(identity_load(&a, j.data, &before, NULL), ERR_OK);
	assert_int_equal(link_init(&link_of_renew, &loop, &before, &link_ops, NULL, &e), ERR_OK);
	renew_init(&r, &loop);
	renew_begin(&r);
	end = clock_mono_ms() + LIMIT_MS;
	while (!is_renewed) {
		uv_run(&loop, UV_RUN_ONCE);
		assert_true(clock_mono_ms() < end);
	}
	assert_int_equal(plane.renewals, 1);
	assert_int_equal(identity_load(&a, j.data, &after, NULL), ERR_OK);
	assert_string_not_equal(before.cert_pem, after.cert_pem);
	assert_string_not_equal(before.key_pem, after.key_pem);
	reports_before = plane.reports;
	wait_for(has_new_reports); /* with the new one */
	renew_close(&r, on_renew_closed);
	link_close(&link_of_renew, on_link_closed);
	while (parts_closed < 2)
		uv_run(&loop, UV_RUN_ONCE);
}

static int tear_down(void **state)
{
	bool is_stopped = false;

	(void)state;
	if (agent) {
		agent_stop(agent, true, on_stopped, &is_stopped);
		while (!is_stopped)
			uv_run(&loop, UV_RUN_ONCE);
		agent_free(agent);
	}
	plane_stop();
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	json_decref(plane.report);
	free(plane.wants);
	arena_done(&plane.arena);
	return uv_loop_close(&loop) || dir_remove(dir, NULL) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_never_shown_to_another_platform),
		cmocka_unit_test(a_join_spends_the_token_once),
		cmocka_unit_test(each_life_has_a_greater_number),
		cmocka_unit_test(a_renewal_that_was_cut_short_leaves_a_pair),
		cmocka_unit_test(a_certificate_is_renewed_in_place),
		cmocka_unit_test(agent_begins),
		cmocka_unit_test(wants_come_down_and_reports_go_up),
		cmocka_unit_test(a_want_that_is_not_understood_is_told),
		cmocka_unit_test(a_removed_member_is_told_until_nobody_names_it),
		cmocka_unit_test(a_plane_that_was_away_is_found_again),
	};

	if (!getenv("SLIPWAY_LOG"))
		log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
