#include "base/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

enum { FAULT_MAX = 16 };

struct fault {
	struct str point;
	bool is_kill;
	atomic_uint_fast64_t left;
};

static struct fault faults[FAULT_MAX];
static size_t faults_n;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void arm(void)
{
	struct str rest = {getenv("SLIPWAY_FAULT"), 0};
	struct str one, nth, how;

	rest.n = rest.p ? strlen(rest.p) : 0;
	while (faults_n < FAULT_MAX && str_split(&rest, ',', &one)) {
		struct fault *f = &faults[faults_n];
		uint64_t left = 1;

		if (!str_split(&one, ':', &f->point) || !f->point.n)
			continue;
		if (str_split(&one, ':', &nth))
			str_to_u64(nth, &left);
		f->is_kill = str_split(&one, ':', &how) && str_is(how, "kill");
		f->left = left;
		faults_n++;
	}
}

bool fault_hit(const char *point)
{
	pthread_once(&once, arm);
	for (size_t i = 0; i < faults_n; i++) {
		struct fault *f = &faults[i];

		if (!str_is(f->point, point) || atomic_fetch_sub(&f->left, 1) != 1)
			continue;
		log_warn("fault point hit", "point=%s", point);
		if (f->is_kill)
			kill(getpid(), SIGKILL);
		errno = EIO;
		return true;
	}
	return false;
}
