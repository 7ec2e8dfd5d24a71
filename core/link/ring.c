#include "core/link/ring.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "core/link/vnet.h"

enum {
	BLOCK = 64 << 10, /* the kernel's unit of allocation; a whole number of pages anywhere */
	/* Behind the slot's header, vnet_hdr and the Ethernet header: the IP header on a multiple of four. */
	RESERVE = 2,
	LEN = RING_SLOTS * RING_SLOT_LEN,
};

static int set(int fd, int name, int value)
{
	return setsockopt(fd, SOL_PACKET, name, &value, sizeof value) < 0 ? -errno : 0;
}

int ring_open(struct ring *r, int fd)
{
	struct tpacket_req size = {
		.tp_block_size = BLOCK,
		.tp_block_nr = LEN / BLOCK,
		.tp_frame_size = RING_SLOT_LEN,
		.tp_frame_nr = RING_SLOTS,
	};
	int err;

	*r = (struct ring){0};
	if ((err = set(fd, PACKET_VERSION, TPACKET_V2)) || (err = set(fd, PACKET_RESERVE, RESERVE)))
		return err;
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &size, sizeof size) < 0)
		return -errno;
	void *slots = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (slots == MAP_FAILED)
		return -errno;
	r->slots = slots;
	return 0;
}

void ring_close(struct ring *r)
{
	if (r->slots)
		munmap(r->slots, LEN);
	r->slots = NULL;
}

static struct tpacket2_hdr *slot(const struct ring *r, unsigned i)
{
	return (struct tpacket2_hdr *)(r->slots + (size_t)(i % RING_SLOTS) * RING_SLOT_LEN);
}

static bool is_ours(const struct tpacket2_hdr *h)
{
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

bool ring_is_empty(const struct ring *r)
{
	return !is_ours(slot(r, r->next));
}

bool ring_recv(struct ring *r, struct rx_frame *f, nsec now)
{
	struct virtio_net_hdr v;

	if (r->holds)
		__atomic_store_n(
			&slot(r, r->next - 1)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	r->holds = false;
	struct tpacket2_hdr *h = slot(r, r->next);
	if (!is_ours(h))
		return false;
	const uint8_t *data = (const uint8_t *)h + h->tp_mac;
	memcpy(&v, data - sizeof v, sizeof v);
	*f = vnet_received(&v, data, h->tp_snaplen, now);
	r->holds = true;
	r->next++;
	return true;
}
