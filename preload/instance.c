#include "preload/instance.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "preload/lock.h"

static struct instance {
	char id[IPC_INSTANCE_LEN];
	uint32_t nsets;
	struct ipc_table *_Atomic table;
} instances[INSTANCE_MAX];

static unsigned next; /* the place that is filled next */

const struct ipc_table *instance_table(unsigned index)
{
	return index < INSTANCE_MAX
		       ? atomic_load_explicit(&instances[index].table, memory_order_acquire)
		       : NULL;
}

bool instance_id(unsigned index, char out[static IPC_INSTANCE_LEN])
{
	if (!instance_table(index))
		return false;
	memcpy(out, instances[index].id, IPC_INSTANCE_LEN);
	return true;
}

static int find_locked(const char id[static IPC_INSTANCE_LEN])
{
	for (int i = 0; i < INSTANCE_MAX; i++) {
		if (instance_table((unsigned)i) &&
			memcmp(instances[i].id, id, IPC_INSTANCE_LEN) == 0)
			return i;
	}
	return -1;
}

int instance_find(const char id[static IPC_INSTANCE_LEN])
{
	sigset_t saved;

	lock_take(&saved);
	int i = find_locked(id);
	lock_give(&saved);
	return i;
}

/*
 * Mapped over the place's old table when that has the same size (it always has, with one build), so
 * that a reader in another thread never sees unmapped memory: at worst it finds nothing under its
 * cookie.
 */
static int map_at(struct instance *in, const int fd[IPC_FDS_MAX], uint32_t nsets)
{
	struct ipc_table *old = atomic_load(&in->table);
	bool reuse = old && in->nsets == nsets;
	struct ipc_table *t = ipc_table_map(reuse ? old : NULL, fd[0], fd[1], nsets, false);

	if (!t)
		return -errno;
	in->nsets = nsets;
	atomic_store_explicit(&in->table, t, memory_order_release);
	return 0;
}

/* Whether the file is as long as it should be: a short one would be SIGBUS later. */
static bool has_size(int fd, size_t size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_size >= size;
}

int instance_add(const char id[static IPC_INSTANCE_LEN], const int fd[IPC_FDS_MAX], uint64_t size)
{
	struct ipc_table head;
	sigset_t saved;

	if (!has_size(fd[0], size) || size < sizeof head)
		return -EPROTO;
	struct ipc_table *probe = mmap(NULL, sizeof head, PROT_READ, MAP_SHARED, fd[0], 0);
	if (probe == MAP_FAILED)
		return -errno;
	memcpy(&head, probe, sizeof head);
	munmap(probe, sizeof head);
	if (!ipc_table_valid(&head, size) || !has_size(fd[1], ipc_corks_size(head.nsets)))
		return -EPROTO;

	lock_take(&saved);
	int i = find_locked(id);
	int r = 0;
	if (i < 0 && (r = map_at(&instances[next], fd, head.nsets)) == 0) {
		i = (int)next;
		memcpy(instances[i].id, id, IPC_INSTANCE_LEN);
		next = (next + 1) % INSTANCE_MAX;
	}
	lock_give(&saved);
	return r < 0 ? r : i;
}
