#include "preload/fresh.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/config.h"
#include "preload/lock.h"
#include "preload/real.h"

/*
 * A hash table with linear probing; the kernel hands out cookies in sequence, so the cookie is its
 * own hash. `mask` + 1 places, at most half of them taken. The first is static and costs nothing
 * until used.
 */
enum { FIRST_PLACES = 128 };

static struct fresh first[FIRST_PLACES];
static struct fresh *places = first;
static size_t mask = FIRST_PLACES - 1;
static _Atomic size_t count;

struct fresh fresh_initial(int fd, uint64_t cookie, uint16_t family)
{
	struct fresh f = {.cookie = cookie, .fd = fd, .family = family};

	for (int o = 0; o < IPC_OPT_COUNT; o++)
		f.option[o] = ipc_option_info[o].initial;
	if (config_get()->settings.reno) {
		f.option[IPC_OPT_CONGESTION] = ipc_congestion_pack("reno", strlen("reno"));
		f.option_set |= UINT32_C(1) << IPC_OPT_CONGESTION;
	}
	return f;
}

bool fresh_any(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed) > 0;
}

/* The place of `cookie`, or the empty one where it would go. */
static struct fresh *place_of(uint64_t cookie)
{
	size_t i = (size_t)cookie & mask;

	while (places[i].cookie && places[i].cookie != cookie)
		i = (i + 1) & mask;
	return &places[i];
}

/* Empties a place and moves up what was pushed behind it. */
static void remove_place(struct fresh *f)
{
	size_t hole = (size_t)(f - places);

	f->cookie = 0;
	atomic_fetch_sub(&count, 1);
	for (size_t i = (hole + 1) & mask; places[i].cookie; i = (i + 1) & mask) {
		size_t home = (size_t)places[i].cookie & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		places[hole] = places[i];
		places[i].cookie = 0;
		hole = i;
	}
}

/* Forgets sockets that were closed by means that we do not see. */
static void sweep(void)
{
	for (size_t i = 0; i <= mask; i++) {
		while (places[i].cookie && !places[i].duplicated &&
			raw_cookie(places[i].fd) != places[i].cookie)
			remove_place(&places[i]);
	}
}

static int grow(void)
{
	struct fresh *old = places;
	size_t old_places = mask + 1;
	struct fresh *bigger = mmap(NULL, 2 * old_places * sizeof *bigger, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bigger == MAP_FAILED)
		return -ENOMEM;
	places = bigger;
	mask = 2 * old_places - 1;
	for (size_t i = 0; i < old_places; i++) {
		if (old[i].cookie)
			*place_of(old[i].cookie) = old[i];
	}
	if (old != first)
		munmap(old, old_places * sizeof *old);
	return 0;
}

static int add_locked(const struct fresh *f)
{
	if (2 * count > mask)
		sweep();
	if (2 * count > mask && grow() < 0)
		return -ENOMEM;
	struct fresh *place = place_of(f->cookie);
	if (!place->cookie)
		atomic_fetch_add(&count, 1);
	*place = *f;
	return 0;
}

int fresh_add(const struct fresh *f)
{
	sigset_t saved;

	lock_take(&saved);
	int r = add_locked(f);
	lock_give(&saved);
	return r;
}

bool fresh_get(uint64_t cookie, struct fresh *out)
{
	sigset_t saved;

	lock_take(&saved);
	*out = *place_of(cookie);
	lock_give(&saved);
	return cookie && out->cookie == cookie;
}

void fresh_set_option(uint64_t cookie, enum ipc_option o, int64_t value)
{
	sigset_t saved;

	lock_take(&saved);
	struct fresh *f = place_of(cookie);
	if (f->cookie) {
		f->option[o] = value;
		f->option_set |= UINT32_C(1) << o;
	}
	lock_give(&saved);
}

void fresh_set_duplicated(uint64_t cookie)
{
	sigset_t saved;

	lock_take(&saved);
	struct fresh *f = place_of(cookie);
	if (f->cookie)
		f->duplicated = true;
	lock_give(&saved);
}

void fresh_drop(uint64_t cookie)
{
	sigset_t saved;

	lock_take(&saved);
	struct fresh *f = place_of(cookie);
	if (f->cookie)
		remove_place(f);
	lock_give(&saved);
}

void fresh_closed(uint64_t cookie)
{
	sigset_t saved;

	lock_take(&saved);
	struct fresh *f = place_of(cookie);
	if (f->cookie && !f->duplicated)
		remove_place(f);
	lock_give(&saved);
}
