/*
 * Frames per second through the pcap link on a veth pair: out alone, then out of one process and
 * into another. Prints one line each: frames of 1514 bytes per second, Gbit/s of the wire, CPU time
 * per frame of this side.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/bytes.h"
#include "core/link/link.h"
#include "core/wire/eth.h"
#include "tests/unit/own_net.h"

enum { MSS = 1460, SEGMENTS = 44, HEADERS = ETH_HDR_LEN + 40 };

static const struct macaddr mac_a = {{0x02, 0xaa, 0, 0, 0, 2}}, mac_b = {{0x02, 0xbb, 0, 0, 0, 2}};
static uint8_t payload[SEGMENTS * MSS];

static struct link *open_or_exit(const char *ifname, const struct macaddr *mac)
{
	char error[LINK_ERROR_LEN];
	struct link *l = link_pcap_open(ifname, mac, error);

	if (!l) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return l;
}

static void make_super_segment(struct tx_frame *f)
{
	/* clang-format off */
	static const uint8_t head[HEADERS] = {
		0x02, 0xbb, 0, 0, 0, 2, 0x02, 0xaa, 0, 0, 0, 2, 0x08, 0x00,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0,
	};
	/* clang-format on */

	tx_frame_init(f);
	memcpy(tx_frame_push(f, sizeof head), head, sizeof head);
	f->l4_from_end = 20;
	f->csum_offset = 16;
	f->csum = FRAME_CSUM_PARTIAL;
	f->gso_size = MSS;
	f->payload[0] = (struct iovec){payload, sizeof payload};
	f->npayload = 1;
}

static void send_for(struct link *l, nsec duration)
{
	struct tx_frame f;

	make_super_segment(&f);
	for (nsec limit = host_clock() + duration; host_clock() < limit;)
		l->ops->send(l, &f, 0);
}

/* Until nothing has come for a tenth of a second. */
static nsec receive_all(struct link *l)
{
	struct pollfd p = {.fd = l->ops->fd(l), .events = POLLIN};
	struct rx_frame f;
	nsec first = 0, last = 0;

	while (poll(&p, 1, first ? 100 : 5000) > 0) {
		while (l->ops->recv(l, &f, 0) == 1)
			;
		last = host_clock();
		first = first ? first : last;
	}
	return last - first;
}

static nsec cpu_time(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * SEC +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * USEC;
}

static void print_rate(const char *what, uint64_t frames, uint64_t bytes, nsec took, nsec cpu)
{
	double seconds = (double)nsec_max(took, 1) / SEC;

	printf("%-4s %8.0f frames/s %6.2f Gbit/s %6.0f ns CPU per frame\n", what,
		(double)frames / seconds, (double)bytes * 8 / seconds / 1e9,
		(double)cpu / (double)(frames ? frames : 1));
}

int main(void)
{
	struct link_stats st;
	nsec cpu;

	if (!own_net_make())
		return 1;
	struct link *a = open_or_exit("va", &mac_a);
	cpu = cpu_time();
	send_for(a, SEC);
	a->ops->stats(a, &st);
	print_rate("out", st.tx_frames, st.tx_bytes, SEC, cpu_time() - cpu);

	struct link *b = open_or_exit("vb", &mac_b);
	pid_t sender = fork();
	if (sender == 0) {
		send_for(a, SEC);
		_exit(0);
	}
	cpu = cpu_time();
	nsec took = receive_all(b);
	b->ops->stats(b, &st);
	print_rate("in", st.rx_frames, st.rx_bytes, took, cpu_time() - cpu);
	printf("lost in the ring: %llu of %llu\n", (unsigned long long)st.rx_dropped,
		(unsigned long long)(st.rx_dropped + st.rx_frames));
	waitpid(sender, NULL, 0);
	a->ops->close(a);
	b->ops->close(b);
	return st.rx_frames ? 0 : 1;
}
