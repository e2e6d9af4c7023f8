#include "gateway/guest.h"

#include "base/clock.h"

/* What a callback begins to watch, libuv tells the kernel at its next run only. */
enum { RUNS = 3 };

static int64_t before_wait(void *arg)
{
	struct guest *g = arg;
	int wait_ms;

	if (g->is_due || (g->due_us >= 0 && clock_mono_us() >= g->due_us)) {
		g->is_due = false;
		for (int i = 0; i < RUNS; i++)
			uv_run(&g->uv, UV_RUN_NOWAIT);
		wait_ms = uv_backend_timeout(&g->uv);
		g->due_us = wait_ms < 0 ? -1 : clock_mono_us() + wait_ms * 1000LL;
	}
	return g->due_us < 0 ? -1 : MAX(g->due_us - clock_mono_us(), 0);
}

static void on_ready(struct watch *w)
{
	container_of(w, struct guest, watch)->is_due = true;
}

enum err_code guest_open(struct guest *g, struct err *e)
{
	int no;

	*g = (struct guest){.is_due = true, .due_us = -1};
	no = uv_loop_init(&g->uv);
	if (no)
		return err_set(e, ERR_IO, "a loop for HTTP: %s", uv_strerror(no));
	return ERR_OK;
}

void guest_join(struct guest *g, struct loop *host)
{
	g->host = host;
	g->watch = (struct watch){.fd = uv_backend_fd(&g->uv), .ready = on_ready};
	loop_watch(host, &g->watch);
	loop_guest(host, before_wait, g);
}

void guest_touch(struct guest *g)
{
	g->is_due = true;
}

void guest_close(struct guest *g)
{
	int no;

	if (g->host)
		loop_guest(g->host, NULL, NULL);
	loop_unwatch(&g->watch);
	uv_run(&g->uv, UV_RUN_DEFAULT);
	no = uv_loop_close(&g->uv);
	assert(no == 0);
}
