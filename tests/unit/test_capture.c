/*
 * Captures: what the writer writes, libpcap reads; what is shown is what the wire carries; and a
 * disk that is full harms nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "core/base/bytes.h"
#include "core/link/capfile.h"
#include "core/link/capture.h"
#include "core/wire/pcapng.h"
#include "core/wire/tcphdr.h"
#include "tests/unit/wire_link.h"

enum { MSS = 1000, EPOCH_S = 1700000000 };

struct bench {
	struct wire_link *wire;
	struct link *link;
	struct watcher *file;
	char path[2][64];
	int told; /* errno of the failure that was told, and how often */
	unsigned times;
};

static void failed(void *ctx, int error)
{
	struct bench *b = ctx;

	b->told = error;
	b->times++;
}

static void describe(void *ctx, const struct seen_frame *f, char *out, size_t len)
{
	snprintf(out, len, "wget[4711]");
}

static int temporary(char path[static 64])
{
	snprintf(path, 64, "/tmp/teecee-test.XXXXXX");
	return mkstemp(path);
}

static void begin(struct bench *b, const char *filter, uint64_t size)
{
	char error[CAPFILE_ERROR_LEN];

	memset(b, 0, sizeof *b);
	b->wire = wire_link_new();
	b->link = capture_wrap(&b->wire->link);
	struct capfile_config config = {.interface = "va",
		.filter = filter,
		.fd = {temporary(b->path[0]), temporary(b->path[1])},
		.nfds = 2,
		.size = size,
		.epoch = EPOCH_S * SEC,
		.describe = describe,
		.failed = failed,
		.ctx = b};
	if (capfile_open(&b->file, &config, error))
		fail_msg("%s", error);
	capture_watch(b->link, b->file);
}

static void end(struct bench *b)
{
	capture_unwatch(b->link, b->file);
	capfile_close(b->file);
	b->link->ops->close(b->link);
	unlink(b->path[0]);
	unlink(b->path[1]);
}

static int send_segment(struct bench *b, uint32_t seq, size_t len, uint16_t gso, nsec now)
{
	struct tx_frame f;

	wire_tcp(&f, TH_ACK, seq, 1, len, gso);
	return b->link->ops->send(b->link, &f, now);
}

static pcap_t *open_capture(const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);

	if (!p)
		fail_msg("%s", error);
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	return p;
}

static unsigned packets_in(const char *path)
{
	pcap_t *p = open_capture(path);
	struct pcap_pkthdr *h;
	const u_char *data;
	unsigned n = 0;
	int got;

	while ((got = pcap_next_ex(p, &h, &data)) == 1)
		n++;
	assert_int_equal(got, PCAP_ERROR_BREAK); /* the end, not a fault */
	pcap_close(p);
	return n;
}

static void a_frame_is_read_back_with_its_time_and_checksum(void **state)
{
	struct bench b;
	struct pcap_pkthdr *h;
	const u_char *data;
	struct flow_view v;

	begin(&b, "", 0);
	assert_int_equal(send_segment(&b, 0, MSS, 0, 5 * SEC + 123456789), 0);
	pcap_t *p = open_capture(b.path[0]);
	assert_int_equal(pcap_next_ex(p, &h, &data), 1);
	assert_int_equal(h->len, 54 + MSS);
	assert_int_equal(h->caplen, h->len);
	assert_int_equal(h->ts.tv_sec, EPOCH_S + 5);
	assert_int_equal(h->ts.tv_usec, 123456789);
	assert_memory_equal(data, b.wire->sent[0].data, h->len);
	flow_look(&v, data, h->len, true);
	assert_true(flow_csum_is_right(&v, data));
	pcap_close(p);
	end(&b);
}

static void a_super_segment_is_written_as_the_wire_carries_it(void **state)
{
	struct bench b;

	begin(&b, "", 0);
	assert_int_equal(send_segment(&b, 0, 40 * MSS, MSS, SEC), 0);
	assert_int_equal(packets_in(b.path[0]), 40);
	end(&b);
}

static void what_the_link_did_not_take_is_not_written(void **state)
{
	struct bench b;

	begin(&b, "", 0);
	b.wire->is_full = true;
	assert_int_equal(send_segment(&b, 0, MSS, 0, SEC), -EAGAIN);
	assert_int_equal(packets_in(b.path[0]), 0);
	end(&b);
}

static bool file_has(const char *path, const char *text)
{
	static char data[1 << 16];
	FILE *f = fopen(path, "r");
	size_t n = fread(data, 1, sizeof data, f);

	fclose(f);
	return memmem(data, n, text, strlen(text)) != NULL;
}

static void a_received_frame_carries_the_note_that_came_after_it(void **state)
{
	uint8_t frame[2000];
	struct rx_frame f;
	struct bench b;

	begin(&b, "", 0);
	wire_link_receive(b.wire, frame, wire_tcp_back(frame, TH_ACK, 1, 1, 10));
	assert_int_equal(b.link->ops->recv(b.link, &f, SEC), 1);
	assert_int_equal(packets_in(b.path[0]), 0);
	capture_note(b.link, f.data, "dropped: TcpInCsumErrors");
	assert_int_equal(b.link->ops->recv(b.link, &f, SEC), 0);
	assert_int_equal(packets_in(b.path[0]), 1);
	assert_true(file_has(b.path[0], "wget[4711]; dropped: TcpInCsumErrors"));
	end(&b);
}

static void only_what_the_filter_matches_is_written(void **state)
{
	struct bench b;

	begin(&b, "tcp[4:4] = 2000", 0);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(send_segment(&b, i * MSS, MSS, 0, SEC), 0);
	assert_int_equal(packets_in(b.path[0]), 1);
	end(&b);
}

static void a_full_file_is_told_once_and_stays_whole(void **state)
{
	struct rlimit old, small = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
	struct capfile_stats stats;
	struct bench b;

	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	begin(&b, "", 0);
	setrlimit(RLIMIT_FSIZE, &small);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(send_segment(&b, i * MSS, MSS, 0, SEC), 0);
	setrlimit(RLIMIT_FSIZE, &old);
	capfile_stats(b.file, &stats);
	assert_int_equal(b.times, 1);
	assert_int_equal(b.told, EFBIG);
	assert_int_equal(stats.written + stats.lost, 200);
	assert_true(stats.written > 80 && stats.lost > 100);
	assert_int_equal(packets_in(b.path[0]), stats.written);
	end(&b);
}

static void files_take_turns(void **state)
{
	struct capfile_stats stats;
	struct bench b;
	struct stat st;

	begin(&b, "", 64 << 10);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(send_segment(&b, i * MSS, MSS, 0, SEC), 0);
	capfile_stats(b.file, &stats);
	assert_int_equal(stats.written, 1000);
	unsigned kept = packets_in(b.path[0]) + packets_in(b.path[1]);
	assert_in_range(kept, 55, 125);
	for (int i = 0; i < 2; i++) {
		stat(b.path[i], &st);
		assert_in_range(st.st_size, 1, (64 << 10) + 2000);
	}
	end(&b);
}

static void a_second_capture_goes_on_behind_the_first(void **state)
{
	char path[64], error[CAPFILE_ERROR_LEN];
	struct wire_link *wire = wire_link_new();
	struct link *l = capture_wrap(&wire->link);
	struct tx_frame f;

	close(temporary(path));
	for (int i = 0; i < 2; i++) {
		struct capfile_config config = {
			.interface = "va", .filter = "", .fd = {open(path, O_RDWR)}, .nfds = 1};
		struct watcher *w;

		assert_int_equal(capfile_open(&w, &config, error), 0);
		capture_watch(l, w);
		wire_tcp(&f, TH_ACK, 1, 1, 10, 0);
		l->ops->send(l, &f, SEC);
		capture_unwatch(l, w);
		capfile_close(w);
	}
	assert_int_equal(packets_in(path), 2);
	l->ops->close(l);
	unlink(path);
}

static void what_is_no_capture_is_not_overwritten(void **state)
{
	char path[64], error[CAPFILE_ERROR_LEN], kept[16] = "";
	struct watcher *w;
	int fd = temporary(path);

	assert_int_equal(write(fd, "my thesis", 9), 9);
	struct capfile_config config = {.interface = "va", .filter = "", .fd = {fd}, .nfds = 1};
	assert_int_equal(capfile_open(&w, &config, error), -EEXIST);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, kept, sizeof kept), 9);
	assert_string_equal(kept, "my thesis");
	close(fd);
	unlink(path);
}

static void a_filter_that_is_none_is_refused_with_libpcaps_words(void **state)
{
	char path[64], error[CAPFILE_ERROR_LEN] = "";
	struct watcher *w;
	struct capfile_config config = {
		.interface = "va", .filter = "tcp prt 80", .fd = {temporary(path)}, .nfds = 1};

	assert_int_equal(capfile_open(&w, &config, error), -EINVAL);
	assert_non_null(strstr(error, "tcp prt 80"));
	unlink(path);
}

static void blocks_are_padded_whatever_the_lengths(void **state)
{
	uint8_t block[512 + PCAPNG_PACKET_MAX];
	char comment[PCAPNG_COMMENT_MAX + 20];
	uint32_t total;

	memset(comment, 'x', sizeof comment - 1);
	comment[sizeof comment - 1] = '\0';
	for (size_t len = 0; len <= 512; len++) {
		struct pcapng_packet p = {.len = len, .comment = comment + sizeof comment - 1 - len % 270};
		size_t n = pcapng_packet(block, &p);

		assert_int_equal(n % 4, 0);
		assert_true(n <= len + PCAPNG_PACKET_MAX);
		memcpy(&total, block + 4, 4);
		assert_int_equal(total, n);
		memcpy(&total, block + n - 4, 4);
		assert_int_equal(total, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_read_back_with_its_time_and_checksum),
		cmocka_unit_test(a_super_segment_is_written_as_the_wire_carries_it),
		cmocka_unit_test(what_the_link_did_not_take_is_not_written),
		cmocka_unit_test(a_received_frame_carries_the_note_that_came_after_it),
		cmocka_unit_test(only_what_the_filter_matches_is_written),
		cmocka_unit_test(a_full_file_is_told_once_and_stays_whole),
		cmocka_unit_test(files_take_turns),
		cmocka_unit_test(a_second_capture_goes_on_behind_the_first),
		cmocka_unit_test(what_is_no_capture_is_not_overwritten),
		cmocka_unit_test(a_filter_that_is_none_is_refused_with_libpcaps_words),
		cmocka_unit_test(blocks_are_padded_whatever_the_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
