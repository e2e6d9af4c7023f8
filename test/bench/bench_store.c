/*
 * bench_store: what the store alone does, beside the floor of the disk that it is on.
 *
 * One JSON line a case on standard output, as script/bench has it. The system database runs with
 * sql/system.conf and fsync on. Figures of CPU are of this process and of the server together.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../unit/pgtest.h"
#include "base/clock.h"
#include "db/db.h"
#include "store/store.h"

enum { HOSTS = 1000, HOST_MEMBERS = 10, PULSE_ROUNDS = 8 };
enum { WRITERS = 16, OBJECTS = 10000, LISTS = 10, OBJECT_BYTES = 1024, FLOOR_ROUNDS = 500 };

static struct store *store;
static struct pgtest pg;
static char pad[OBJECT_BYTES];

static void say(const char *name, double value, const char *unit, const char *better)
{
	printf("{\"bench\":\"store\",\"case\":\"%s\",\"ours\":%.1f,\"unit\":\"%s\",\"better\":\"%"
	       "s\"}\n",
	       name, value, unit, better);
	fflush(stdout);
}

static void must(enum err_code code, const struct err *e)
{
	if (code == ERR_OK)
		return;
	fprintf(stderr, "bench_store: %s\n", e->text);
	exit(1);
}

/* User and system time of the server's processes, in microseconds. */
static int64_t server_cpu_us(void)
{
	char path[64], line[512];
	int64_t ticks = 0;
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while ((d = readdir(proc))) {
		unsigned long long user, sys;
		int pid, parent;
		char *rest;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%.20s/stat", d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f) && (rest = strrchr(line, ')')) &&
		    sscanf(line, "%d", &pid) == 1 &&
		    sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			   &parent, &user, &sys) == 3 &&
		    (parent == pg.pid || pid == pg.pid))
			ticks += (int64_t)(user + sys);
		fclose(f);
	}
	closedir(proc);
	return ticks * 1000000 / sysconf(_SC_CLK_TCK);
}

static int64_t own_cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000LL + r.ru_utime.tv_usec +
		r.ru_stime.tv_usec;
}

static json_t *object_new(int i)
{
	json_t *o = json_object();

	jv_set_str(o, "apiVersion", "slipway.dev/v1");
	jv_set_str(o, "kind", "Database");
	jv_set_str(o, "metadata.labels.team", "payments");
	jv_set(o, "spec.n", json_integer(i));
	jv_set_str(o, "spec.pad", pad);
	return o;
}

/* What the server has counted so far. */
struct counts {
	int64_t batches;
	int64_t wal_bytes;
};

static struct counts counts(void)
{
	CLEANUP(db_rows_done) struct db_rows r = {0};
	struct counts n;
	struct db *d;
	struct err e;

	must(db_open(pg.conninfo, 5000, &d, &e), &e);
	must(db_exec(d,
		     "SELECT sum(seq), pg_current_wal_insert_lsn() - '0/0' FROM slipway.committer",
		     NULL, 0, &r, &e),
	     &e);
	n = (struct counts){db_int(&r, 0, 0), db_int(&r, 0, 1)};
	db_close(d);
	return n;
}

struct job {
	enum store_verb verb;
	bool is_conditional;
	atomic_int next;
	int total;
};

static void *work(void *arg)
{
	struct job *job = arg;
	int i;

	while ((i = atomic_fetch_add(&job->next, 1)) < job->total) {
		char name[32];
		struct store_write w = {.verb = job->verb, .key = {"Database", "bench", name}};
		json_t *o = NULL;
		struct err e;

		snprintf(name, sizeof(name), "db-%d", (int)((int64_t)i * 7919 % OBJECTS));
		if (job->is_conditional) { /* as the API does it: read, change, write */
			must(store_get(store, w.key, &o, &e), &e);
			w.if_revision = strtoll(jv_str(o, "metadata.resourceVersion"), NULL, 10);
			jv_set(o, "spec.n", json_integer(i + 1));
		} else {
			o = object_new(i);
			jv_set(o, "status.n", json_integer(i + (job->verb == STORE_STATUS)));
		}
		w.object = o;
		must(store_write(store, &w, 1, &e), &e);
		json_decref(w.ret);
		json_decref(o);
	}
	return NULL;
}

static void run(const char *name, struct job *job)
{
	struct counts before = counts(), after;
	int64_t server = server_cpu_us(), own = own_cpu_us(), start = clock_mono_us();
	char text[64];
	pthread_t t[WRITERS];
	int64_t took;

	for (size_t i = 0; i < WRITERS; i++)
		pthread_create(&t[i], NULL, work, job);
	for (size_t i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	took = clock_mono_us() - start;
	after = counts();
	snprintf(text, sizeof(text), "write/%s/16", name);
	say(text, job->total * 1e6 / (double)took, "writes/s", "higher");
	snprintf(text, sizeof(text), "batch/%s/16", name);
	say(text, (double)job->total / (double)(after.batches - before.batches), "writes",
	    "higher");
	snprintf(text, sizeof(text), "wal/%s/16", name);
	say(text, (double)(after.wal_bytes - before.wal_bytes) / job->total, "bytes", "lower");
	snprintf(text, sizeof(text), "cpu/%s/16/own", name);
	say(text, (double)(own_cpu_us() - own) / job->total, "us", "lower");
	snprintf(text, sizeof(text), "cpu/%s/16/server", name);
	say(text, (double)(server_cpu_us() - server) / job->total, "us", "lower");
}

static bool count_bytes(void *arg, const char *ns, const char *name, struct str text)
{
	(void)ns;
	(void)name;
	*(size_t *)arg += text.n;
	return true;
}

static void run_list(void)
{
	int64_t server = server_cpu_us(), own = own_cpu_us(), start = clock_mono_us();
	size_t bytes = 0;
	int64_t revision;
	struct err e;

	for (int i = 0; i < LISTS; i++)
		must(store_list(
			     store, "Database", NULL, 0, NULL, count_bytes, &bytes, &revision, &e),
		     &e);
	say("list/10000", (double)(clock_mono_us() - start) / 1000 / LISTS, "ms", "lower");
	say("cpu/list/10000/own", (double)(own_cpu_us() - own) / 1000 / LISTS, "ms", "lower");
	say("cpu/list/10000/server", (double)(server_cpu_us() - server) / 1000 / LISTS, "ms",
	    "lower");
	say("list/10000/bytes", (double)(bytes / LISTS), "bytes", "lower");
}

static json_t *report_new(int seed)
{
	json_t *report = json_object(), *members = json_array();

	for (int i = 0; i < HOST_MEMBERS; i++) {
		json_t *m = json_object();

		jv_set_str(m, "name", "orders-1");
		jv_set_str(m, "state", "running");
		jv_set_str(m, "role", i % 2 ? "standby" : "primary");
		jv_set_str(m, "flushed", "0/3000148");
		jv_set_str(m, "replayed", "0/3000148");
		jv_set(m, "lagBytes", json_integer(seed + i));
		jv_set(m, "port", json_integer(5432 + i));
		json_array_append_new(members, m);
	}
	json_object_set_new(report, "members", members);
	return report;
}

/* All hosts report each second: CPU of one core. */
static void run_pulses(void)
{
	int64_t server = server_cpu_us(), own = own_cpu_us(), start = clock_mono_us(), took;

	for (int round = 0; round < PULSE_ROUNDS; round++) {
		for (int i = 0; i < HOSTS; i++) {
			json_t *report = report_new(round);
			struct arena a = {0};
			char host[16];

			snprintf(host, sizeof(host), "host-%d", i);
			store_pulse_put(store, host, jv_text(&a, report));
			json_decref(report);
			arena_done(&a);
		}
		poll(NULL, 0,
		     (int)MAX(0, (start + (round + 1) * 1000000LL - clock_mono_us()) / 1000));
	}
	took = clock_mono_us() - start;
	say("cpu/pulse/1000/own", 100.0 * (double)(own_cpu_us() - own) / (double)took, "%",
	    "lower");
	say("cpu/pulse/1000/server", 100.0 * (double)(server_cpu_us() - server) / (double)took, "%",
	    "lower");
}

static void run_floor(void)
{
	static char block[16384];
	char path[96];
	int64_t start;
	int fd;

	snprintf(path, sizeof(path), "%s/floor", pg.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < FLOOR_ROUNDS; i++)
		if (pwrite(fd, block, sizeof(block), (off_t)i * (off_t)sizeof(block)) < 0)
			exit(1);
	fsync(fd);
	start = clock_mono_us();
	for (int i = 0; i < FLOOR_ROUNDS; i++)
		if (pwrite(fd, block, sizeof(block), (off_t)i * (off_t)sizeof(block)) < 0 ||
		    fdatasync(fd) < 0)
			exit(1);
	say("floor/fdatasync", (double)(clock_mono_us() - start) / FLOOR_ROUNDS, "us", "lower");
	close(fd);
}

static void say_rss(void)
{
	long pages = 0, ignored;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%ld %ld", &ignored, &pages) == 2)
		say("rss", (double)(pages * sysconf(_SC_PAGESIZE)) / 1e6, "MB", "lower");
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	struct job create = {.verb = STORE_CREATE, .total = OBJECTS};
	struct job status = {.verb = STORE_STATUS, .total = OBJECTS};
	struct job update = {.verb = STORE_UPDATE, .is_conditional = true, .total = OBJECTS};
	struct store_conf c = {.conninfo = pg.conninfo};
	char *conf = mem_printf(STR_FMT "\nfsync = on\n", STR_ARG(db_system_conf()));
	struct err e;

	if (!pgtest_start(&pg, argc > 1 ? (int)strtol(argv[1], NULL, 10) : 15, conf))
		return 1;
	memset(pad, 'x', sizeof(pad) - 300);
	must(store_open(&c, &store, &e), &e);
	run_floor();
	run("create", &create);
	run("status", &status);
	run("update", &update);
	run_list();
	run_pulses();
	say_rss();
	store_close(store);
	pgtest_stop(&pg);
	free(conf);
	return 0;
}
