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
	size_t size;
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
static int map_at(struct instance *in, int fd, size_t size)
{
	struct ipc_table *old = atomic_load(&in->table);
	bool reuse = old && in->size == size;
	void *t = mmap(
		reuse ? old : NULL, size, PROT_READ, MAP_SHARED | (reuse ? MAP_FIXED : 0), fd, 0);

	if (t == MAP_FAILED)
		return -errno;
	in->size = size;
	atomic_store_explicit(&in->table, t, memory_order_release);
	return 0;
}

int instance_add(const char id[static IPC_INSTANCE_LEN], int table_fd, uint64_t size)
{
	struct ipc_table head;
	struct stat st;
	sigset_t saved;

	/* Checked before it is mapped: a short file would be SIGBUS later. */
	if (fstat(table_fd, &st) < 0 || (uint64_t)st.st_size < size || size < sizeof head)
		return -EPROTO;
	struct ipc_table *probe = mmap(NULL, sizeof head, PROT_READ, MAP_SHARED, table_fd, 0);
	if (probe == MAP_FAILED)
		return -errno;
	memcpy(&head, probe, sizeof head);
	munmap(probe, sizeof head);
	if (!ipc_table_valid(&head, size))
		return -EPROTO;

	lock_take(&saved);
	int i = find_locked(id);
	int r = 0;
	if (i < 0 && (r = map_at(&instances[next], table_fd, size)) == 0) {
		i = (int)next;
		memcpy(instances[i].id, id, IPC_INSTANCE_LEN);
		next = (next + 1) % INSTANCE_MAX;
	}
	lock_give(&saved);
	return r < 0 ? r : i;
}
