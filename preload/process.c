#include "preload/process.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A page of its own that reads 0 in every child with memory of its own (MADV_WIPEONFORK, Linux
 * 4.14). NULL: no such page.
 */
static _Atomic uint64_t *number;

static _Atomic uint64_t last; /* given out: children go on from here */
static atomic_bool confined;

void process_init(void)
{
	enum { LEN = 4096 }; /* what is wiped is whole pages, of whatever size */
	void *page = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, LEN, MADV_WIPEONFORK) < 0)
		munmap(page, LEN);
	else
		number = page;
}

uint64_t process_number(void)
{
	if (!number)
		return (uint64_t)getpid();
	uint64_t mine = atomic_load_explicit(number, memory_order_relaxed);
	if (mine)
		return mine;
	/* Threads may get here together: the first one's counts. */
	uint64_t fresh = atomic_fetch_add(&last, 1) + 1;
	return atomic_compare_exchange_strong(number, &mine, fresh) ? fresh : mine;
}

void process_confine(void)
{
	atomic_store(&confined, true);
}

bool process_is_confined(void)
{
	return atomic_load_explicit(&confined, memory_order_relaxed);
}
