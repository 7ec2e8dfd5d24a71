/*
 * The table's writer: one memfd, sized once for as many sockets as there can ever be, mapped here
 * for writing and handed to clients sealed. F_SEAL_FUTURE_WRITE lets our mapping write and nobody's
 * after it. The cork words, which clients write as well, are another.
 *
 * WHEN A SLOT IS WRITTEN. At once before anything the program can notice and then ask about
 * (connected, failed, accepted, closed). At the end of the turn when its state has changed, or
 * SIOCOUTQ has: programs wait for 0. The other numbers change with every segment and are rarely
 * asked for: they may be AGE_MAX old. While bytes are unacknowledged, retransmissions change them
 * without an event: such a slot is written again when a turn finds it that old, but for that alone
 * the engine does not wake up. Where it does, those that are half as old are written with the oldest.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/engine/dgram.h"
#include "core/engine/sock.h"
#include "core/engine/tcp_info.h"

#define AGE_MAX (1 * MSEC)

enum { AGED_PER_TURN = 64 };

/*
 * Sets for twice as many sockets: eight ways at half load run over once in fifty sets, at a tenth
 * never.
 */
static uint32_t sets_for(unsigned max_socks)
{
	uint32_t nsets = 64;

	while (nsets * IPC_TABLE_WAYS < 2 * max_socks)
		nsets *= 2;
	return nsets;
}

/*
 * The word `alive` is ours like a robust mutex: the kernel marks it when we die, whatever we die of,
 * and before it closes our sockets. (We have one thread and no other robust mutex.)
 */
static int announce_life(struct engine *e)
{
	static struct robust_list entry;
	static struct robust_list_head head;

	entry.next = &head.list;
	head.list.next = &entry;
	head.futex_offset = (char *)&e->table->alive - (char *)&entry;
	atomic_store(&e->table->alive, (uint32_t)syscall(SYS_gettid));
	return syscall(SYS_set_robust_list, &head, sizeof(head)) ? errno : 0;
}

static void end_life(struct engine *e)
{
	static struct robust_list_head none;

	none.list.next = &none.list;
	syscall(SYS_set_robust_list, &none, sizeof(none));
	atomic_store(&e->table->alive, 0);
}

/* Of zeros; -1 and errno. */
static int new_file(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) == 0)
		return fd;
	close(fd);
	return -1;
}

int table_open(struct engine *e, unsigned max_socks)
{
	const int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	uint32_t nsets = sets_for(max_socks);

	e->by_slot = calloc((size_t)nsets * IPC_TABLE_WAYS, sizeof(*e->by_slot));
	e->table_fd = new_file("teecee-table", ipc_table_size(nsets));
	e->corks_fd = new_file("teecee-corks", ipc_corks_size(nsets));
	if (!e->by_slot || e->table_fd < 0 || e->corks_fd < 0)
		return errno;
	e->table = ipc_table_map(NULL, e->table_fd, e->corks_fd, nsets, true);
	if (!e->table)
		return errno;
	if (fcntl(e->table_fd, F_ADD_SEALS, sealed | F_SEAL_FUTURE_WRITE) < 0 ||
		fcntl(e->corks_fd, F_ADD_SEALS, sealed) < 0)
		return errno;
	e->table->magic = IPC_MAGIC;
	e->table->version = IPC_VERSION;
	e->table->nsets = nsets;
	e->table->slot_size = sizeof(struct ipc_slot);
	return announce_life(e);
}

void table_close(struct engine *e)
{
	if (e->table) {
		end_life(e);
		ipc_table_unmap(e->table, e->table->nsets);
	}
	if (e->table_fd >= 0)
		close(e->table_fd);
	if (e->corks_fd >= 0)
		close(e->corks_fd);
	free(e->by_slot);
	e->table = NULL;
	e->by_slot = NULL;
	e->table_fd = e->corks_fd = -1;
}

void table_describe(struct engine *e, uint16_t mtu)
{
	e->table->address = *stack_address(e->stack);
	e->table->has_gateway = !ipaddr_is_any(stack_gateway(e->stack));
	e->table->mtu = mtu;
	e->table->ifindex = if_nametoindex(e->settings.iface);
}

struct sock *table_sock(const struct engine *e, uint64_t cookie)
{
	const struct ipc_slot *slot = ipc_table_find(e->table, cookie);

	return slot ? e->by_slot[slot - e->table->slot] : NULL;
}

static unsigned corks_of(const struct ipc_sock_info *first)
{
	if (first->kind != IPC_KIND_TCP)
		return 0;
	return (first->option[IPC_OPT_CORK] ? IPC_CORK_ON : 0u) |
	       (first->option[IPC_OPT_NODELAY] ? IPC_CORK_NODELAY : 0u);
}

bool table_claim(
	struct engine *e, struct sock *s, uint64_t cookie, const struct ipc_sock_info *first)
{
	if (s->slot)
		return s->cookie == cookie;
	if (table_sock(e, cookie))
		return false;
	s->slot = ipc_table_claim(e->table, cookie, first);
	if (!s->slot)
		return false;
	s->cookie = cookie;
	ipc_cork_claim(ipc_table_cork(e->table, s->slot), cookie, corks_of(first));
	e->by_slot[s->slot - e->table->slot] = s;
	return true;
}

static void leave_aging(struct engine *e, struct sock *s)
{
	list_remove(&s->aging_link);
	e->nbehind -= s->behind;
	s->behind = false;
}

static void begin_aging(struct engine *e, struct sock *s)
{
	if (!list_empty(&s->aging_link))
		return;
	s->aging_since = e->now;
	list_append(&e->aging, &s->aging_link);
}

void table_write(struct engine *e, struct sock *s)
{
	struct ipc_sock_info *info;
	struct tcp_stats stats;
	struct tcp_info now;

	_Static_assert(sizeof(now) <= IPC_TCP_INFO_LEN, "struct tcp_info fits into a slot");
	list_remove(&s->dirty_link);
	if (!s->slot)
		return;
	if (s->tcp) { /* before the slot is held: readers wait for that */
		tcp_get_stats(s->tcp, &stats);
		tcp_info_fill(&now, &stats, e->now);
	}
	info = ipc_slot_begin(s->slot);
	info->family = s->family;
	info->kind = IPC_KIND_TCP;
	info->tcp_state = tcp_info_state(TCPS_CLOSED);
	if (s->tcp) {
		memcpy(info->tcp_info, &now, sizeof(now));
		info->tcp_info_len = sizeof(now);
		info->tcp_state = now.tcpi_state;
		info->local = *tcp_local(s->tcp);
		info->remote = *tcp_remote(s->tcp);
		info->unsent = tcp_send_queued(s->tcp);
		if (s->over) /* it lives on until all is delivered */
			info->error = tcp_error(s->tcp);
	}
	if (s->dgram)
		dgram_fill(s, info);
	ipc_slot_end(s->slot);
	leave_aging(e, s);
	if (s->tcp && info->unsent > 0)
		begin_aging(e, s);
}

static bool serves_loopback(const struct endpoint *local)
{
	return ipaddr_is_any(&local->addr) || ipaddr_is_loopback(&local->addr);
}

void table_note_listener(struct engine *e, const struct endpoint *local)
{
	bool any = false;

	LIST_FOR_EACH (link, &e->socks) {
		const struct sock *s = LIST_ENTRY(link, struct sock, link);
		any |= s->state == ST_LISTENING && tcp_local(s->tcp)->port == local->port &&
		       serves_loopback(tcp_local(s->tcp));
	}
	ipc_table_set_listens(e->table, local->port, any);
}

void table_note_unsent(struct sock *s)
{
	if (!s->slot || s->slot->info.unsent > 0)
		return;
	ipc_slot_begin(s->slot)->unsent = 1;
	ipc_slot_end(s->slot);
}

/* Somebody's close() may wait for this: SO_LINGER. */
static void wake_waiters(struct ipc_slot *slot)
{
	if (slot->info.option[IPC_OPT_LINGER] > 0)
		syscall(SYS_futex, &slot->gen, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void table_release(struct engine *e, struct sock *s, int error)
{
	struct ipc_sock_info *info;

	list_remove(&s->dirty_link);
	leave_aging(e, s);
	if (!s->slot)
		return;
	e->by_slot[s->slot - e->table->slot] = NULL;
	info = ipc_slot_begin(s->slot);
	info->use = IPC_SLOT_DEAD;
	info->tcp_state = tcp_info_state(TCPS_CLOSED);
	info->error = error;
	info->unsent = 0;
	ipc_slot_end(s->slot);
	wake_waiters(s->slot);
	s->slot = NULL;
}

/* What cannot wait of a dirty sock is written, the rest ages. */
static void refresh(struct engine *e, struct sock *s)
{
	const struct ipc_sock_info *info = s->slot ? &s->slot->info : NULL;

	list_remove(&s->dirty_link);
	if (!info)
		return;
	if (!s->tcp || info->tcp_state != tcp_info_state(tcp_state(s->tcp))) {
		table_write(e, s);
		return;
	}
	if (info->unsent != tcp_send_queued(s->tcp)) {
		ipc_slot_begin(s->slot)->unsent = tcp_send_queued(s->tcp);
		ipc_slot_end(s->slot);
	}
	begin_aging(e, s);
	e->nbehind += !s->behind;
	s->behind = true;
}

static struct sock *oldest(const struct engine *e)
{
	struct list *first = list_first(&e->aging);

	return first ? LIST_ENTRY(first, struct sock, aging_link) : NULL;
}

void table_flush(struct engine *e)
{
	struct sock *s;

	LIST_FOR_EACH (dirty, &e->dirty)
		refresh(e, LIST_ENTRY(dirty, struct sock, dirty_link));
	for (unsigned i = 0; i < AGED_PER_TURN && (s = oldest(e)); i++) {
		if (e->now - s->aging_since < (i == 0 ? AGE_MAX : AGE_MAX / 2))
			break;
		table_write(e, s); /* leaves, or goes to the end */
	}
}

nsec table_deadline(const struct engine *e)
{
	return e->nbehind > 0 ? oldest(e)->aging_since + AGE_MAX : NSEC_NEVER;
}
