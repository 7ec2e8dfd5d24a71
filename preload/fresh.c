#include "preload/fresh.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/config.h"
#include "preload/real.h"
#include "preload/words.h"

/*
 * Nobody takes a lock or waits: a handler may interrupt any of this and make sockets too. A record
 * stays in its place until it is dropped, and a place is emptied and taken by changing its cookie.
 * A fork in the middle of another thread's change costs the child that place.
 *
 * A socket's place is one of a few beginning with that of its cookie; the kernel hands out cookies
 * in sequence, so the cookie is its own hash. When those are taken, those of the next floor, which
 * has twice the places, and so on. Floors stay. The first is static and costs nothing until used.
 */
enum { FLOORS = 14, FIRST_PLACES = 128, NEAR = 4 };

/* The cookie of a place that somebody is about to fill. */
#define TAKEN UINT64_MAX

enum { FRESH_WORDS = sizeof(struct fresh) / sizeof(uint64_t) };

union fresh_words {
	struct fresh fresh;
	uint64_t word[FRESH_WORDS];
};

static_assert(sizeof(union fresh_words) == sizeof(struct fresh), "whole words");

struct place {
	_Atomic uint64_t cookie;  /* 0: empty */
	_Atomic uint32_t writers; /* who change the record; it is not taken by another meanwhile */
	union fresh_words record;
};

static struct place first[FIRST_PLACES + NEAR];
static struct place *_Atomic floors[FLOORS] = {first};
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

/* The places near the cookie's, NEAR of them; NULL: no such floor. */
static struct place *places_on(int floor, uint64_t cookie)
{
	struct place *p = floor < FLOORS ? atomic_load(&floors[floor]) : NULL;

	return p ? &p[cookie & (((size_t)FIRST_PLACES << floor) - 1)] : NULL;
}

static struct place *find(uint64_t cookie)
{
	struct place *p;

	for (int floor = 0; cookie && (p = places_on(floor, cookie)); floor++) {
		for (int i = 0; i < NEAR; i++) {
			if (atomic_load(&p[i].cookie) == cookie)
				return &p[i];
		}
	}
	return NULL;
}

static bool empty(struct place *p, uint64_t cookie)
{
	bool was = atomic_compare_exchange_strong(&p->cookie, &cookie, 0);

	if (was)
		atomic_fetch_sub(&count, 1);
	return was;
}

/* Somebody who found the place's last record may be about to change it: see hold(). */
static bool take(struct place *p)
{
	uint64_t none = 0;

	if (atomic_load(&p->cookie) || !atomic_compare_exchange_strong(&p->cookie, &none, TAKEN))
		return false;
	if (atomic_load(&p->writers) == 0)
		return true;
	atomic_store(&p->cookie, 0);
	return false;
}

static struct place *take_near(uint64_t cookie)
{
	struct place *p;

	for (int floor = 0; (p = places_on(floor, cookie)); floor++) {
		for (int i = 0; i < NEAR; i++) {
			if (take(&p[i]))
				return &p[i];
		}
	}
	return NULL;
}

/* Forgets sockets that were closed by means that we do not see. */
static void sweep_near(uint64_t cookie)
{
	struct place *p;

	for (int floor = 0; (p = places_on(floor, cookie)); floor++) {
		for (int i = 0; i < NEAR; i++) {
			uint64_t c = atomic_load(&p[i].cookie);
			const struct fresh *f = &p[i].record.fresh;
			if (c && c != TAKEN && !__atomic_load_n(&f->duplicated, __ATOMIC_RELAXED) &&
				raw_cookie(__atomic_load_n(&f->fd, __ATOMIC_RELAXED)) != c)
				empty(&p[i], c);
		}
	}
}

static bool add_floor(void)
{
	int floor = 0;

	while (floor < FLOORS && atomic_load(&floors[floor]))
		floor++;
	if (floor == FLOORS)
		return false;
	size_t size = (((size_t)FIRST_PLACES << floor) + NEAR) * sizeof(struct place);
	struct place *none = NULL, *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	if (!atomic_compare_exchange_strong(&floors[floor], &none, p))
		munmap(p, size);
	return true;
}

int fresh_add(const struct fresh *f)
{
	union fresh_words own = {.fresh = *f};
	struct place *p = take_near(f->cookie);

	if (!p) {
		sweep_near(f->cookie);
		p = take_near(f->cookie);
	}
	while (!p) {
		if (!add_floor())
			return -ENOMEM;
		p = take_near(f->cookie);
	}
	atomic_fetch_add(&count, 1);
	atomic_thread_fence(memory_order_release); /* TAKEN is seen before the words */
	words_store(p->record.word, own.word, FRESH_WORDS);
	atomic_store(&p->cookie, f->cookie);
	return 0;
}

bool fresh_get(uint64_t cookie, struct fresh *out)
{
	struct place *p = find(cookie);
	union fresh_words own;

	if (!p)
		return false;
	words_load(own.word, p->record.word, FRESH_WORDS);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load(&p->cookie) != cookie)
		return false;
	*out = own.fresh;
	return true;
}

/* The record, to be changed; it stays the cookie's until let_go(). */
static struct fresh *hold(uint64_t cookie, struct place **p)
{
	*p = find(cookie);
	if (!*p)
		return NULL;
	atomic_fetch_add(&(*p)->writers, 1);
	if (atomic_load(&(*p)->cookie) == cookie)
		return &(*p)->record.fresh;
	atomic_fetch_sub(&(*p)->writers, 1);
	return NULL;
}

static void let_go(struct place *p)
{
	atomic_fetch_sub(&p->writers, 1);
}

void fresh_set_option(uint64_t cookie, enum ipc_option o, int64_t value)
{
	struct place *p;
	struct fresh *f = hold(cookie, &p);

	if (!f)
		return;
	__atomic_store_n(&f->option[o], value, __ATOMIC_RELAXED);
	__atomic_fetch_or(&f->option_set, UINT32_C(1) << o, __ATOMIC_RELAXED);
	let_go(p);
}

void fresh_set_duplicated(uint64_t cookie)
{
	struct place *p;
	struct fresh *f = hold(cookie, &p);

	if (!f)
		return;
	__atomic_store_n(&f->duplicated, true, __ATOMIC_RELAXED);
	let_go(p);
}

void fresh_drop(uint64_t cookie)
{
	struct place *p = find(cookie);

	if (p)
		empty(p, cookie);
}

void fresh_closed(uint64_t cookie)
{
	struct fresh f;

	if (fresh_get(cookie, &f) && !f.duplicated)
		fresh_drop(cookie);
}
