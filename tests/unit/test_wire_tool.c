/*
 * tests/tools/wire, measured: numbered frames go in at va and come out at vd, or do not.
 *
 *	va ── vb ══ wire ══ vc ── vd
 */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "tests/unit/link_contract.h"
#include "tests/unit/own_net.h"

enum { FRAMES_MAX = 20000, PAYLOAD = 100, LIMIT_S = 10 };

struct wire_tool {
	pid_t pid;
	FILE *out;
};

/* One direction's report. */
struct told {
	uint64_t in, out, lost, queue, limit, duplicated, corrupted, overtook, missed, unfit;
	double late_ms;
};

static struct link *near, *far;
static nsec sent_at[FRAMES_MAX], came_at[FRAMES_MAX];
static unsigned copies[FRAMES_MAX], arrived, disordered, flipped;
static int64_t last;

static const char *tool_path(void)
{
	static char path[PATH_MAX + 32];
	char self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		fail_msg("/proc/self/exe: %s", strerror(errno));
	snprintf(path, sizeof path, "%s/../tools/wire", dirname(self));
	return path;
}

static struct wire_tool start(char *const argv[])
{
	struct wire_tool w;
	char line[128] = "";
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	w.pid = fork();
	if (w.pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		execv(tool_path(), argv);
		_exit(127);
	}
	close(fd[1]);
	w.out = fdopen(fd[0], "r");
	if (!fgets(line, sizeof line, w.out) || strncmp(line, "joined", 6) != 0)
		fail_msg("the wire did not start: %s", line);
	return w;
}

static struct wire_tool start_with(char *seed, char *queue, char *spec)
{
	char *argv[] = {"wire", "--seconds", "60", "--seed", seed, "--queue", queue, "vb", "vc",
		spec, NULL};

	memset(copies, 0, sizeof copies);
	arrived = disordered = flipped = 0;
	last = -1;
	return start(argv);
}

static struct told read_report(struct wire_tool *w)
{
	struct told t = {0};
	char line[512];

	if (!fgets(line, sizeof line, w->out))
		fail_msg("the wire is gone");
	int n = sscanf(line,
		"v%*c to v%*c: in %" SCNu64 " (%*u bytes), out %" SCNu64
		" (%*u bytes), lost %" SCNu64 ", queue %" SCNu64 ", limit %" SCNu64
		", duplicated %" SCNu64 ", corrupted %" SCNu64 ", overtook %" SCNu64
		", missed %" SCNu64 ", unfit %" SCNu64
		", errors %*u; queue at most %*u bytes, late at most %lf ms",
		&t.in, &t.out, &t.lost, &t.queue, &t.limit, &t.duplicated, &t.corrupted,
		&t.overtook, &t.missed, &t.unfit, &t.late_ms);
	assert_int_equal(n, 11);
	return t;
}

static struct told stop(struct wire_tool *w)
{
	int status;

	kill(w->pid, SIGTERM);
	struct told t = read_report(w);
	read_report(w);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_int_equal(status, 0);
	fclose(w->out);
	return t;
}

static void send_numbered(uint32_t number)
{
	struct eth_hdr eth = {.dst = own_b, .src = own_a, .ethertype = ETHERTYPE_TEST};
	uint8_t bytes[PAYLOAD] = {0};
	struct tx_frame f;

	put_be32(bytes, number);
	tx_frame_init(&f);
	eth_emit(tx_frame_push(&f, ETH_HDR_LEN), &eth);
	f.payload[0] = (struct iovec){bytes, sizeof bytes};
	f.npayload = 1;
	sent_at[number] = host_clock();
	assert_int_equal(near->ops->send(near, &f, 0), 0);
}

static unsigned bits_set(const uint8_t *bytes, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += (unsigned)__builtin_popcount(bytes[i]);
	return n;
}

/* Takes what has arrived. What is behind the number was sent as zeros. */
static void take(void)
{
	struct rx_frame f;

	while (far->ops->recv(far, &f, 0) == 1) {
		if (f.len != ETH_HDR_LEN + PAYLOAD || get_be16(f.data + 12) != ETHERTYPE_TEST)
			continue;
		uint32_t number = get_be32(f.data + ETH_HDR_LEN);
		unsigned set = bits_set(f.data + ETH_HDR_LEN + 4, PAYLOAD - 4);
		assert_true(set <= 1);
		arrived++;
		flipped += set;
		if (number >= FRAMES_MAX)
			continue; /* the number itself was hit */
		came_at[number] = host_clock();
		copies[number]++;
		disordered += (int64_t)number < last;
		last = number > last ? number : last;
	}
}

/* Until the wire holds nothing more of `sent` frames; all that left it have been taken. */
static void settle(struct wire_tool *w, uint64_t sent)
{
	nsec limit = host_clock() + LIMIT_S * SEC;
	struct told t;

	do {
		struct pollfd p = {.fd = far->ops->fd(far), .events = POLLIN};
		poll(&p, 1, 5);
		take();
		kill(w->pid, SIGUSR1);
		t = read_report(w);
		read_report(w);
		assert_true(host_clock() < limit);
	} while (
		t.in + t.missed < sent || t.out + t.lost + t.queue + t.limit < t.in + t.duplicated);
	take();
	assert_int_equal(t.missed, 0);
}

static void send_all(struct wire_tool *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		send_numbered(i);
		take();
	}
	settle(w, n);
}

static int by_value(const void *a, const void *b)
{
	const nsec *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static nsec median_latency(unsigned n)
{
	static nsec taken[FRAMES_MAX];

	for (unsigned i = 0; i < n; i++)
		taken[i] = came_at[i] - sent_at[i];
	qsort(taken, n, sizeof taken[0], by_value);
	return taken[n / 2];
}

static void a_wire_without_a_spec_loses_nothing(void **state)
{
	struct wire_tool w = start_with("1", "0", NULL);

	send_all(&w, 2000);
	struct told t = stop(&w);
	assert_int_equal(arrived, 2000);
	assert_int_equal(disordered, 0);
	assert_int_equal(t.in, 2000);
	assert_int_equal(t.out, 2000);
}

static void loss_is_what_was_asked_for_and_the_same_again(void **state)
{
	static unsigned before[FRAMES_MAX];
	struct wire_tool w = start_with("7", "0", "out loss=3%");

	send_all(&w, FRAMES_MAX);
	struct told t = stop(&w);
	assert_in_range(t.lost, 528, 672); /* 600, three deviations */
	assert_int_equal(arrived, FRAMES_MAX - t.lost);
	memcpy(before, copies, sizeof before);
	w = start_with("7", "0", "out loss=3%");
	send_all(&w, FRAMES_MAX);
	stop(&w);
	assert_memory_equal(before, copies, sizeof before);
	w = start_with("8", "0", "out loss=3%");
	send_all(&w, FRAMES_MAX);
	stop(&w);
	assert_true(memcmp(before, copies, sizeof before) != 0);
}

static void the_way_back_has_its_own_rule(void **state)
{
	struct wire_tool w = start_with("7", "0", "in loss=100%");

	send_all(&w, 500);
	stop(&w);
	assert_int_equal(arrived, 500);
}

/* Mean length 1/r = 5, and bad for p/(p+r) = 1/21 of the time. */
static void losses_come_in_bursts(void **state)
{
	struct wire_tool w = start_with("3", "0", "gemodel=1%/20%");
	unsigned bursts = 0, lost = 0;

	send_all(&w, FRAMES_MAX);
	stop(&w);
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		lost += !copies[i];
		bursts += !copies[i] && (i == 0 || copies[i - 1]);
	}
	assert_in_range(lost, FRAMES_MAX / 21 * 70 / 100, FRAMES_MAX / 21 * 130 / 100);
	assert_in_range(lost * 10 / bursts, 40, 60);
}

static void delay_is_what_was_asked_for(void **state)
{
	struct wire_tool w = start_with("1", "0", "delay=20ms");
	nsec next = host_clock(), median;

	for (unsigned i = 0; i < 200; i++, next += MSEC) {
		struct pollfd p = {.fd = far->ops->fd(far), .events = POLLIN};
		while (host_clock() < next)
			if (poll(&p, 1, 1) > 0)
				take();
		send_numbered(i);
	}
	settle(&w, 200);
	stop(&w);
	for (unsigned i = 0; i < 200; i++)
		assert_true(came_at[i] - sent_at[i] >= 20 * MSEC);
	median = median_latency(200);
	print_message("# figure: median of 20 ms: %.3f ms\n", (double)median / 1e6);
	assert_true(median < 22 * MSEC);
	assert_int_equal(disordered, 0);
}

static void jitter_does_not_reorder(void **state)
{
	struct wire_tool w = start_with("1", "0", "delay=10ms jitter=5ms");

	send_all(&w, 2000);
	stop(&w);
	assert_int_equal(arrived, 2000);
	assert_int_equal(disordered, 0);
}

/* 1,000 frames of 912 bits at 4 Mbit/s take 228 ms. */
static void a_rate_is_kept(void **state)
{
	struct wire_tool w = start_with("1", "0", "rate=1mbit");

	send_all(&w, 1000);
	stop(&w);
	nsec took = came_at[999] - came_at[0], due = 999 * 912 * USEC;
	print_message("# figure: 911 ms of 1 Mbit/s took %.1f ms\n", (double)took / 1e6);
	assert_int_equal(arrived, 1000);
	assert_true(took > due * 95 / 100);
	assert_true(took < due * 110 / 100);
}

/* 100 frames at once, room for ten: a tail drop lets the first ten through and the rest not. */
static void a_full_queue_loses_what_comes_last(void **state)
{
	struct wire_tool w = start_with("1", "1140", "rate=10kbit"); /* a frame in 91 ms */

	for (unsigned i = 0; i < 100; i++)
		send_numbered(i);
	settle(&w, 100);
	struct told t = stop(&w);
	assert_in_range(arrived, 10, 12); /* one or two had left when the last was sent */
	assert_int_equal(arrived + t.queue, 100);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(copies[i], 1);
}

static void some_frames_overtake(void **state)
{
	struct wire_tool w = start_with("1", "0", "delay=5ms reorder=10%");

	send_all(&w, 2000);
	struct told t = stop(&w);
	assert_int_equal(arrived, 2000);
	assert_in_range(t.overtook, 150, 250);
	assert_true(disordered > 100);
}

static void some_frames_come_twice(void **state)
{
	struct wire_tool w = start_with("1", "0", "duplicate=10%");
	unsigned twice = 0;

	send_all(&w, 2000);
	struct told t = stop(&w);
	for (unsigned i = 0; i < 2000; i++)
		twice += copies[i] == 2;
	assert_in_range(twice, 150, 250);
	assert_int_equal(twice, t.duplicated);
	assert_int_equal(arrived, 2000 + twice);
}

/* take() has seen that no frame has more than one; a bit of the number itself is not seen. */
static void corruption_is_one_bit(void **state)
{
	struct wire_tool w = start_with("1", "0", "corrupt=50%");

	send_all(&w, 2000);
	struct told t = stop(&w);
	assert_int_equal(arrived, 2000);
	assert_in_range(t.corrupted, 900, 1100);
	assert_in_range(flipped, t.corrupted * 90 / 100, t.corrupted);
}

static bool sums_are_right(const struct rx_frame *f)
{
	const uint8_t *ip = f->data + ETH_HDR_LEN;
	struct ipaddr src = ipaddr_v4(get_be32(ip + 12)), dst = ipaddr_v4(get_be32(ip + 16));
	uint32_t len = (uint32_t)get_be16(ip + 2) - IPV4_HDR_LEN;
	csum_acc sum = csum_pseudo(&src, &dst, IP_PROTO_TCP, len);

	return csum_fold(csum_add(0, ip, IPV4_HDR_LEN)) == 0xffff &&
	       csum_fold(csum_add(sum, ip + IPV4_HDR_LEN, len)) == 0xffff;
}

static void a_super_segment_comes_out_as_frames_of_a_wire(void **state)
{
	struct wire_tool w = start_with("1", "0", "delay=1ms");
	enum { MSS = 1460, LEN = 44 * MSS + 7 };
	nsec limit = host_clock() + LIMIT_S * SEC;
	struct tx_frame f;
	struct rx_frame in;

	make_super_segment(&f, LEN, MSS);
	assert_int_equal(near->ops->send(near, &f, 0), 0);
	for (size_t got = 0; got < LEN; got += in.len - SUPER_HEAD) {
		while (far->ops->recv(far, &in, 0) != 1)
			assert_true(host_clock() < limit);
		assert_in_range(in.len, SUPER_HEAD + 1, SUPER_HEAD + MSS);
		assert_int_equal(in.csum, FRAME_CSUM_UNVERIFIED);
		assert_true(sums_are_right(&in));
	}
	struct told t = stop(&w);
	assert_int_equal(t.in, 45);
	assert_int_equal(t.unfit, 0);
}

static int exit_status_of(char *const argv[], bool is_private)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (!is_private)
			unsetenv("TEECEE_PRIVATE");
		fclose(stderr);
		close(STDERR_FILENO);
		execv(tool_path(), argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void it_refuses_what_is_not_private(void **state)
{
	char *two[] = {"wire", "vb", "vc", NULL}, *real[] = {"wire", "lo", "vc", NULL};
	char *bad[] = {"wire", "vb", "vc", "loss=lots", NULL};
	char *match[] = {"wire", "vb", "vc", "match='tcp' loss=1%", NULL};

	assert_int_equal(exit_status_of(two, false), 77);
	assert_int_equal(exit_status_of(real, true), 77);
	assert_int_equal(exit_status_of(bad, true), 2);
	assert_int_equal(exit_status_of(match, true), 2);
}

static void it_ends_by_itself(void **state)
{
	char *argv[] = {"wire", "--seconds", "1", "vb", "vc", NULL};
	nsec began = host_clock();
	struct wire_tool w = start(argv);
	int status;

	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	assert_int_equal(status, 0);
	assert_in_range(host_clock() - began, 1 * SEC, 3 * SEC);
	fclose(w.out);
}

static int open_ends(void **state)
{
	char error[LINK_ERROR_LEN];

	near = link_packet_open("va", &own_a, error);
	far = near ? link_packet_open("vd", &own_b, error) : NULL;
	if (!far)
		fprintf(stderr, "%s\n", error);
	return far ? 0 : -1;
}

static int close_ends(void **state)
{
	near->ops->close(near);
	far->ops->close(far);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wire_without_a_spec_loses_nothing),
		cmocka_unit_test(loss_is_what_was_asked_for_and_the_same_again),
		cmocka_unit_test(the_way_back_has_its_own_rule),
		cmocka_unit_test(losses_come_in_bursts),
		cmocka_unit_test(delay_is_what_was_asked_for),
		cmocka_unit_test(jitter_does_not_reorder),
		cmocka_unit_test(a_rate_is_kept),
		cmocka_unit_test(a_full_queue_loses_what_comes_last),
		cmocka_unit_test(some_frames_overtake),
		cmocka_unit_test(some_frames_come_twice),
		cmocka_unit_test(corruption_is_one_bit),
		cmocka_unit_test(a_super_segment_comes_out_as_frames_of_a_wire),
		cmocka_unit_test(it_refuses_what_is_not_private),
		cmocka_unit_test(it_ends_by_itself),
	};

	setenv("TEECEE_PRIVATE", "1", 1);
	if (!own_net_make() || system("ip link add vc type veth peer name vd && "
				      "ip link set vc up && ip link set vd up") != 0)
		return 1;
	for (nsec limit = host_clock() + 5 * SEC; host_clock() < limit;)
		if (own_net_running("vc") && own_net_running("vd"))
			break;
	return cmocka_run_group_tests(tests, open_ends, close_ends);
}
